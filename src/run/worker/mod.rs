//! Worker threads for a run, a replay and the index of runs. Each sends reports over one channel
//! and accepts commands over another.

pub mod asked_model;
mod explaining;
mod finished;
mod kept;
mod load;
mod logging_dir;
mod observer;
pub mod opened_run;
mod prepare;
mod pretraining;
mod ranks;
pub mod replay;
mod reporter;
mod resume;
pub mod run_index;
mod save_model;
mod saved_answers;
mod saved_model;
mod started;
mod starting_point;
mod text_pairs;
mod tokenize_data;

pub use prepare::{check_vocabulary, print_config};
pub use text_pairs::{check_pairs, input_of};

use crate::core::collective::{Collective, is_first};
use crate::core::data::batching::Example;
use crate::core::engine::{Engine, Logits};
use crate::core::model::SequenceClassifier;
use crate::core::predict::classify_with;
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::tokenizer::Tokenizer;
use crate::core::train::arguments::StartingWeights;
use crate::core::train::event::{Failed, Setting, Started, TrainEvent};
use crate::core::train::{
    Checkpoint, Checkpoints, Trainer, TrainerState, TrainingArguments, TrainingOutcome,
};
use crate::run::Recorder;
use crate::run::dataset::DatasetOrigin;
use crate::run::notify::Notifier;
use crate::run::options::{NotifyOptions, TrainOptions};
use crate::run::protocol::{Activity, Answer, Command, RunChannels, RunReport, chunks};
use crate::run::ranks::Membership;
use crate::run::session::{self, HubHandle, LocalKind};
use crossbeam_channel::Receiver;
use finished::Ending;
use load::LoadMeter;
use observer::WorkerObserver;
use ranks::Ranks;
pub use reporter::OnRecording;
use reporter::{Reporter, WorkerChannels};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A thread, and the front end's ends of its channels.
pub struct Worker<C = RunChannels> {
    /// The channels.
    pub channels: C,
    thread: std::thread::JoinHandle<()>,
    /// The hub of a run, and its thread.
    hub: Option<(HubHandle, std::thread::JoinHandle<()>)>,
}

impl Worker {
    /// Starts a run, whose own front end is of this kind. Others may attach to it, and its user is
    /// notified as `notify` says.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn spawn(
        options: TrainOptions,
        notify: NotifyOptions,
        local: LocalKind,
    ) -> std::io::Result<Self> {
        Self::spawn_with(options, notify, local, None, None)
    }

    /// As [`Self::spawn`]; `on_recording` is called when front ends can attach, with the folder of
    /// the run. With a membership, this process is one of several of the run.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn spawn_with(
        options: TrainOptions,
        notify: NotifyOptions,
        local: LocalKind,
        on_recording: Option<OnRecording>,
        membership: Option<Membership>,
    ) -> std::io::Result<Self> {
        let hub = session::start_hub(local)?;
        let (worker_reports, worker_commands) = (hub.worker_reports, hub.worker_commands);
        let thread = std::thread::Builder::new()
            .name("trainer".to_owned())
            // candle traverses its graph recursively, which needs a large stack.
            .stack_size(64 << 20)
            .spawn(move || {
                let channels =
                    WorkerChannels { reports: worker_reports, commands: worker_commands };
                let (folder, reports) = (options.output_dir(), channels.reports.beside());
                let mut notifier = Notifier::start(&notify, folder, reports);
                let started = AssertUnwindSafe(|| {
                    let ranks = Ranks::join(membership, &channels)?;
                    let outcome = run(&options, &channels, &mut notifier, on_recording, &ranks);
                    outcome.inspect_err(|error| ranks.collective.fail(&format!("{error:#}")))
                });
                let outcome = catch_unwind(started);
                let failure = match outcome {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => format!("{error:#}"),
                    Err(panic) => {
                        format!("the training thread panicked: {}", panic_message(&*panic))
                    }
                };
                channels.fail(&failure, 0);
                notifier.fail(&failure);
                notifier.wait();
                channels.send(RunReport::Activity(Activity::Idle));
            })?;
        let channels = RunChannels { reports: hub.local_reports, commands: hub.local_commands };
        Ok(Self { channels, thread, hub: Some((hub.handle, hub.thread)) })
    }

    /// Gives up the keys of this process, for a front end that is attached.
    pub fn release_keys(&self) {
        if let Some((handle, _)) = &self.hub {
            handle.release_keys();
        }
    }
}

impl<C> Worker<C> {
    /// Drops the channels, so that the thread exits once it is idle, and waits for it. Other front
    /// ends are disconnected.
    pub fn join(self) {
        if let Some((handle, _)) = &self.hub {
            handle.close();
        }
        self.wait();
    }

    /// As [`Self::join`], but waits until all other front ends have left, or SIGINT or SIGTERM is
    /// among the signals.
    pub fn join_after_others(self, signals: Receiver<i32>) {
        if let Some((handle, _)) = &self.hub {
            let handle = handle.clone();
            let close = move || {
                if signals.iter().any(|signal| [SIGINT, SIGTERM].contains(&signal)) {
                    handle.close();
                }
            };
            // Without a thread, only a kill ends the process before the front ends have left.
            let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(close);
        }
        self.wait();
    }

    fn wait(self) {
        drop(self.channels);
        // A panic of a run is caught and reported within the thread.
        let _ = self.thread.join();
        if let Some((_, hub)) = self.hub {
            let _ = hub.join();
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    sanitize_for_terminal(&text.unwrap_or_else(|| "without a message".to_owned())).into_owned()
}

/// A run that is ready to start.
struct PreparedRun {
    /// The name of the model that training starts from; `None` for the embedded one.
    base_model: Option<String>,
    starting_weights: StartingWeights,
    dataset: DatasetOrigin,
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    arguments: TrainingArguments,
    /// The effective settings, with the source of each.
    settings: Vec<Setting>,
    train: Vec<Example>,
    eval: Vec<Example>,
    unlabelled: Vec<Example>,
    /// The sentences that are pinned from the start.
    probes: Vec<String>,
    checkpoints: Checkpoints,
    resume: Option<Checkpoint>,
    /// The end of a run that is finished; nothing of it is written again.
    ending: Option<Ending>,
    /// The processes that train together.
    collective: Arc<dyn Collective>,
    /// The lock on the output folder, held while this is open, of the process that writes there.
    _lock: Option<File>,
}

/// A prepared run, and the data that only its start needs.
struct Preparation {
    run: PreparedRun,
    engine: Box<dyn Engine>,
    started: Started,
    recorder: Recorder,
    /// The journal of the run up to the checkpoint that it is resumed from.
    history: Vec<TrainEvent>,
}

/// Prepares, trains and saves, then handles predictions until the front end disconnects.
fn run(
    options: &TrainOptions,
    channels: &WorkerChannels,
    notifier: &mut Notifier,
    on_recording: Option<OnRecording>,
    ranks: &Ranks,
) -> anyhow::Result<()> {
    let Preparation { run, mut engine, mut started, recorder, history } =
        prepare::prepare(options.clone(), channels, ranks)?;
    let mut reporter =
        Reporter { channels, recorder, notifier, load: LoadMeter::start(), temperature: None };
    for event in &history {
        reporter.note_temperature(event);
    }
    if ranks.is_first() {
        run.open_session(&reporter, history.len());
    }
    if let Some(on_recording) = on_recording {
        on_recording(&run.arguments.output_dir);
    }
    started.notes.extend(engine.note().map(|note| sanitize_for_terminal(note).into_owned()));
    reporter.publish(TrainEvent::Started(started));
    for chunk in chunks(history) {
        channels.send(RunReport::History(chunk));
    }
    channels.send(RunReport::Activity(Activity::Training));
    panic_if_requested("trainer");
    let (step, saved_state) = match &run.ending {
        Some(ending) => {
            ending.events().for_each(|event| reporter.publish(event));
            (ending.state.global_step, Some((ending.model_step, ending.state.clone())))
        }
        None => run.train(engine.as_mut(), &mut reporter),
    };
    ranks.release();
    // A failure of the last ones is reported while there is a front end.
    reporter.notifier.wait();
    channels.send(RunReport::Activity(Activity::Idle));
    for command in &channels.commands {
        match command {
            Command::Predict { text } => {
                let logits = &mut |batch: &_| engine.logits(batch);
                let answer = run.answer(text, logits, reporter.temperature);
                channels.send(RunReport::Answer(answer));
            }
            Command::Explain { text, method } => {
                let continues = &mut || channels.commands.is_empty();
                let explained = run.explain_by(method, text, engine.as_mut(), continues);
                channels.send(RunReport::Explained(explained));
            }
            Command::SaveModel => {
                let unfinished = || (step, TrainerState::new(&run.arguments, run.train.len()));
                let (model_step, state) = saved_state.clone().unwrap_or_else(unfinished);
                // After a failed run the weights may still be on the device.
                match engine.store() {
                    Ok(()) => run.save_and_report(&mut reporter, model_step, &state),
                    Err(error) => {
                        channels.fail(&format!("the model could not be saved: {error}"), step);
                    }
                }
                channels.send(RunReport::Activity(Activity::Idle));
            }
            // The other commands need a training loop.
            _ => {}
        }
    }
    Ok(())
}

impl PreparedRun {
    /// Lets front ends attach to the run.
    fn open_session(&self, reporter: &Reporter, past_events: usize) {
        let folder = &self.arguments.output_dir;
        // The journal of a run that is finished has all of its events.
        let past_events = self.ending.is_none().then_some(past_events as u64);
        if let Err(error) = reporter.channels.reports.open_session(folder, past_events) {
            let folder = display_path(folder);
            reporter.warn(&format!("{folder}: nsmc-tui attach cannot reach this run: {error}"));
        }
    }

    /// Trains and saves the model. Returns the last step that was applied and, unless training
    /// failed, the step and the state of the model in memory.
    fn train(
        &self,
        engine: &mut dyn Engine,
        reporter: &mut Reporter,
    ) -> (u64, Option<(u64, TrainerState)>) {
        let trainer = Trainer::new(&self.model, &self.arguments, &self.train, &self.eval)
            .with_unlabelled(&self.unlabelled)
            .with_collective(Arc::clone(&self.collective));
        let writes = is_first(&*self.collective);
        let trainer = if writes { trainer.with_checkpoints(&self.checkpoints) } else { trainer };
        let resumed_at = self.resume.as_ref().map_or(0, |checkpoint| checkpoint.run.progress.step);
        let mut observer = WorkerObserver::new(reporter, self, resumed_at);
        let outcome = trainer.run(engine, &mut observer, self.resume.as_ref());
        let step = observer.step();
        observer.cancel_postponed();
        match outcome {
            Ok(TrainingOutcome { finished, state, model_step }) => {
                // A run stopped before its first step must not replace a model.
                if step > 0 && writes {
                    self.save_and_report(reporter, model_step, &state);
                }
                reporter.publish(TrainEvent::Finished(finished));
                (step, Some((model_step, state)))
            }
            Err(error) => {
                let message = sanitize_for_terminal(&error.to_string()).into_owned();
                self.collective.fail(&message);
                let hint = error.hint().map(str::to_owned);
                reporter.publish(TrainEvent::Failed(Failed { message, hint, step }));
                (step, None)
            }
        }
    }

    /// Classifies a text with the current weights. Its probabilities are calibrated by the
    /// temperature, if there is one.
    fn answer(&self, text: String, logits: &mut Logits<'_>, temperature: Option<f64>) -> Answer {
        let (config, max_length) = (self.model.config(), self.arguments.max_seq_length);
        let outcome = input_of(config, &text)
            .and_then(|input| {
                classify_with(logits, &config.labels, &self.tokenizer, &[input], max_length)
            })
            .map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())
            .and_then(|mut predictions| {
                predictions.pop().ok_or_else(|| "there is no prediction".to_owned())
            })
            .map(|prediction| prediction.calibrated(temperature));
        Answer { text, outcome, step: None }
    }
}

/// A hook for tests of panics: in builds with debug assertions, this panics if the environment
/// variable `NSMC_TUI_TEST_PANIC` is `place`. In release builds it does nothing.
///
/// # Panics
/// If a test requests it.
pub fn panic_if_requested(place: &str) {
    debug_assert!(
        std::env::var_os("NSMC_TUI_TEST_PANIC").is_none_or(|requested| requested != place),
        "NSMC_TUI_TEST_PANIC requested a panic in the {place}"
    );
}
