//! The threads around the training core: a run on a thread of its own, its reports coming out of
//! one channel and its commands going into another. Panics are caught here.

mod finish;
mod prepare;
pub mod replay;
pub mod run_index;
mod watcher;

pub use prepare::{check_vocabulary, print_config};

use crate::core::data::batching::Example;
use crate::core::engine::{Engine, EngineOptions, build};
use crate::core::model::SequenceClassifier;
use crate::core::predict::{Prediction, classify};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::TrainingArguments;
use crate::core::train::event::{Failed, Saved, Setting, TrainEvent, Warned};
use crate::core::train::steering::Request;
use crate::core::train::{Checkpoint, Checkpoints, Outcome, Trainer, TrainerState};
use crate::run::Recorder;
use crate::run::dataset::DatasetOrigin;
use crate::run::locate::Download;
use crate::run::options::{TrainOptions, device_setting};
use crate::run::system_metrics::SystemSample;
use crossbeam_channel::{Receiver, Sender, unbounded};
use run_index::RunIndexReport;
use std::cell::RefCell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;
use watcher::Watcher;

/// What a run reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Something happened that belongs to the run's history.
    Event(TrainEvent),
    /// What happened before the run was resumed.
    History(Vec<TrainEvent>),
    /// What is being done just now.
    Activity(Activity),
    /// The answer to a [`Command::Predict`].
    Answer(Answer),
    /// What the machine is doing; no part of the run's history.
    System(SystemSample),
    /// What is learned of the runs below a folder.
    RunIndex(RunIndexReport),
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// Getting ready; the text says how.
    Preparing(String),
    /// Downloading a file from the hub.
    Downloading(Download),
    /// Taking steps.
    Training,
    /// Waiting for the user between two steps.
    Paused,
    /// Judging the model; examples done, of all.
    Evaluating(usize, usize),
    /// Writing a checkpoint or the model.
    Saving,
    /// The run is over; questions are still answered.
    Idle,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text asked about.
    pub text: String,
    /// What the model says, or why it cannot.
    pub outcome: Result<Prediction, String>,
}

/// What a run obeys.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// End the run here and save the model, after a last evaluation if asked for.
    Stop {
        /// Whether to evaluate once more first.
        evaluate: bool,
    },
    /// Classify a text with the model as it is now.
    Predict(String),
    /// Try again to save, after saving failed.
    Save,
    /// Steer the training under way; without one it means nothing.
    Steer(Request),
    /// Read the curves of the run in a folder; only a catalogue obeys it.
    ReadCurves(PathBuf),
}

/// The two channels to a run, be it under way or played back.
pub struct Source {
    /// What the run reports.
    pub reports: Receiver<Report>,
    /// What it is told.
    pub commands: Sender<Command>,
}

/// A running thread, and the two channels to it. Dropping the sender of commands ends it.
pub struct Worker {
    /// The channels.
    pub source: Source,
    thread: std::thread::JoinHandle<()>,
}

impl Worker {
    /// Starts a run.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(options: TrainOptions) -> std::io::Result<Self> {
        let (report, reports) = unbounded();
        let (commands, command) = unbounded();
        let thread = std::thread::Builder::new()
            .name("trainer".to_owned())
            // candle walks its graph by recursion.
            .stack_size(64 << 20)
            .spawn(move || {
                let link = Link { report, command };
                let run = catch_unwind(AssertUnwindSafe(|| work(&options, &link)));
                let failure = match run {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => format!("{error:#}"),
                    Err(panic) => format!("the training thread panicked: {}", reason(&*panic)),
                };
                link.fail(&failure, None, 0);
                link.send(Report::Activity(Activity::Idle));
            })?;
        Ok(Self { source: Source { reports, commands }, thread })
    }

    /// Lets go of the commands, which ends the thread once a run is over, and waits for it.
    pub fn join(self) {
        drop(self.source);
        // A panic was caught and reported inside.
        let _ = self.thread.join();
    }
}

/// What a panic said.
fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    sanitize_for_terminal(&text.unwrap_or_else(|| "for no stated reason".to_owned())).into_owned()
}

/// The thread's ends of the two channels. A front end that went away is no reason to fail.
struct Link {
    report: Sender<Report>,
    command: Receiver<Command>,
}

impl Link {
    fn send(&self, report: Report) {
        let _ = self.report.send(report);
    }

    fn event(&self, event: TrainEvent) {
        self.send(Report::Event(event));
    }

    fn preparing(&self, what: &str) {
        self.send(Report::Activity(Activity::Preparing(what.to_owned())));
    }

    fn fail(&self, message: &str, hint: Option<String>, step: u64) {
        let message = sanitize_for_terminal(message).into_owned();
        self.event(TrainEvent::Failed(Failed { message, hint, step }));
    }

    fn answer(&self, text: String, run: &Run, engine: &mut dyn Engine) {
        let (labels, longest) = (&run.model.config().labels, run.arguments.max_seq_length);
        let outcome = classify(engine, labels, &run.tokenizer, &[&text], longest)
            .map_err(|error| error.to_string())
            .and_then(|mut predictions| predictions.pop().ok_or_else(|| "no answer".to_owned()));
        self.send(Report::Answer(Answer { text, outcome }));
    }
}

/// A run that is ready to start.
struct Run {
    /// What the model was started from, unless it is the embedded one.
    base_model: Option<String>,
    from_random_weights: bool,
    dataset: DatasetOrigin,
    model: SequenceClassifier,
    engine: EngineOptions,
    tokenizer: Tokenizer,
    arguments: TrainingArguments,
    /// What holds and why.
    settings: Vec<Setting>,
    train: Vec<Example>,
    eval: Vec<Example>,
    checkpoints: Checkpoints,
    resume: Option<Checkpoint>,
    recorder: RefCell<Recorder>,
    /// What an earlier attempt told.
    history: Vec<TrainEvent>,
    /// The folder is ours as long as this is open.
    _claim: File,
}

/// Prepares, trains, saves, and answers questions until the commands end.
fn work(options: &TrainOptions, link: &Link) -> anyhow::Result<()> {
    let (mut run, mut started) = prepare::prepare(options.clone(), link)?;
    let history = run.take_history();
    let run = run;
    let mut engine = build(&run.model, &run.engine)?;
    started.settings.push(device_setting(options, &engine.device()));
    started.notes.extend(engine.note().map(|note| sanitize_for_terminal(note).into_owned()));
    run.tell(link, TrainEvent::Started(started));
    if !history.is_empty() {
        link.send(Report::History(history));
    }
    link.send(Report::Activity(Activity::Training));
    injected_panic("trainer");
    let trainer = Trainer::new(&run.model, &run.arguments, &run.train, &run.eval)
        .with_checkpoints(&run.checkpoints);
    let resumed_at = run.resume.as_ref().map_or(0, |checkpoint| checkpoint.run.progress.step);
    let mut watcher = Watcher::new(link, &run, resumed_at);
    let outcome = trainer.run(engine.as_mut(), &mut watcher, run.resume.as_ref());
    let step = watcher.step;
    let state = match outcome {
        Ok(Outcome { finished, state, model_step }) => {
            // A run stopped before its first step has nothing worth overwriting a model with.
            if step > 0 {
                save(&run, link, model_step, &state);
            }
            run.tell(link, TrainEvent::Finished(finished));
            Some((model_step, state))
        }
        Err(error) => {
            let message = sanitize_for_terminal(&error.to_string()).into_owned();
            let hint = error.hint().map(str::to_owned);
            run.tell(link, TrainEvent::Failed(Failed { message, hint, step }));
            None
        }
    };
    link.send(Report::Activity(Activity::Idle));
    for command in &link.command {
        match command {
            Command::Predict(text) => link.answer(text, &run, engine.as_mut()),
            Command::Save => {
                let none = || (step, TrainerState::new(&run.arguments, run.train.len()));
                let (model_step, state) = state.clone().unwrap_or_else(none);
                // After a failed run the weights may still be elsewhere.
                match engine.store() {
                    Ok(()) => save(&run, link, model_step, &state),
                    Err(error) => {
                        let message = format!("the model could not be saved: {error}");
                        link.fail(&message, None, step);
                    }
                }
                link.send(Report::Activity(Activity::Idle));
            }
            Command::Stop { .. } | Command::Steer(_) | Command::ReadCurves(_) => {}
        }
    }
    Ok(())
}

impl Run {
    /// What to do where the model could not be saved.
    fn how_to_save(&self) -> String {
        let last = crate::core::train::checkpoint::list(&self.arguments.output_dir).pop();
        let last = last.map_or_else(
            || "there is no checkpoint to go on from".to_owned(),
            |folder| format!("--resume-from-checkpoint {} goes on from there", folder.display()),
        );
        let last = sanitize_for_terminal(&last).into_owned();
        format!("Make room. In the dashboard, w saves again; without it, {last}.")
    }

    /// Writes an event down and tells it.
    fn tell(&self, link: &Link, event: TrainEvent) {
        let problems = {
            let mut recorder = self.recorder.borrow_mut();
            recorder.event(&event);
            recorder.problems()
        };
        link.event(event);
        for message in problems {
            link.event(TrainEvent::Warned(Warned { message, step: 0 }));
        }
    }
}

/// Saves the model of a step; a failure is reported, and the model stays in memory.
fn save(run: &Run, link: &Link, step: u64, state: &TrainerState) {
    link.send(Report::Activity(Activity::Saving));
    let began = Instant::now();
    let path = &run.arguments.output_dir;
    match run.save(step, state) {
        Ok(()) => run.tell(
            link,
            TrainEvent::Saved(Saved {
                path: sanitize_for_terminal(&path.display().to_string()).into_owned(),
                step,
                seconds: began.elapsed().as_secs_f64(),
            }),
        ),
        Err(error) => {
            let message = format!("the model could not be saved: {error}");
            run.tell(
                link,
                TrainEvent::Failed(Failed {
                    message: sanitize_for_terminal(&message).into_owned(),
                    hint: Some(run.how_to_save()),
                    step,
                }),
            );
        }
    }
}

/// A panic that a test asks for, to see that the terminal and the run survive it. Not in release
/// builds.
///
/// # Panics
/// If a test asks for it.
pub fn injected_panic(place: &str) {
    let asked = || std::env::var("NSMC_TUI_TEST_PANIC").is_ok_and(|asked| asked == place);
    assert!(!cfg!(debug_assertions) || !asked(), "a test asked the {place} to panic");
}
