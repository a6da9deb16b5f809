//! The threads around the training core: a run on a thread of its own, its reports coming out of
//! one channel and its commands going into another. Panics are caught here.

mod prepare;

pub use prepare::check_vocabulary;

use crate::cli::TrainFlags;
use crate::config::TrainingArguments;
use crate::data::batching::Example;
use crate::model::{BertForSequenceClassification, folder};
use crate::predict::{Prediction, classify};
use crate::text::printable;
use crate::tokenizer::Tokenizer;
use crate::train::event::{Failed, Saved, TrainEvent};
use crate::train::{Control, Observer, Trainer};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a run reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Something happened that belongs to the run's history.
    Event(TrainEvent),
    /// What is being done just now.
    Activity(Activity),
    /// The answer to a [`Command::Predict`].
    Answer(Answer),
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Getting ready; the text says how.
    Preparing(String),
    /// Taking steps.
    Training,
    /// Judging the model; examples done, of all.
    Evaluating(usize, usize),
    /// Writing the model.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// A running thread, and the two channels to it. Dropping the sender of commands ends it.
pub struct Worker {
    /// What the run reports.
    pub reports: Receiver<Report>,
    /// What it is told.
    pub commands: Sender<Command>,
    thread: std::thread::JoinHandle<()>,
}

impl Worker {
    /// Starts a run.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(flags: TrainFlags) -> std::io::Result<Self> {
        let (report, reports) = unbounded();
        let (commands, command) = unbounded();
        let thread = std::thread::Builder::new()
            .name("trainer".to_owned())
            // candle walks its graph by recursion.
            .stack_size(64 << 20)
            .spawn(move || {
                let link = Link { report, command };
                let run = catch_unwind(AssertUnwindSafe(|| work(&flags, &link)));
                let failure = match run {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => format!("{error:#}"),
                    Err(panic) => format!("the training thread panicked: {}", reason(&*panic)),
                };
                link.fail(&failure, None, 0);
                link.send(Report::Activity(Activity::Idle));
            })?;
        Ok(Self { reports, commands, thread })
    }

    /// Lets go of the commands, which ends the thread once a run is over, and waits for it.
    pub fn join(self) {
        drop(self.commands);
        drop(self.reports);
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
    printable(&text.unwrap_or_else(|| "for no stated reason".to_owned())).into_owned()
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
        let message = printable(message).into_owned();
        self.event(TrainEvent::Failed(Failed { message, hint, step }));
    }

    fn answer(&self, text: String, run: &Run) {
        let outcome = classify(&run.model, &run.tokenizer, &[&text], run.arguments.max_seq_length)
            .map_err(|error| error.to_string())
            .and_then(|mut predictions| predictions.pop().ok_or_else(|| "no answer".to_owned()));
        self.send(Report::Answer(Answer { text, outcome }));
    }
}

/// A run that is ready to start.
struct Run {
    model: BertForSequenceClassification,
    tokenizer: Tokenizer,
    arguments: TrainingArguments,
    train: Vec<Example>,
    eval: Vec<Example>,
}

/// Prepares, trains, saves, and answers questions until the commands end.
fn work(flags: &TrainFlags, link: &Link) -> anyhow::Result<()> {
    let (run, started) = prepare::prepare(flags, link)?;
    link.event(TrainEvent::Started(started));
    link.send(Report::Activity(Activity::Training));
    injected_panic("trainer");
    let trainer =
        Trainer::new(&run.model, &run.arguments, &run.train, &run.eval, run.tokenizer.pad_id());
    let mut watcher = Watcher { link, run: &run, step: 0 };
    let outcome = trainer.run(&mut watcher);
    let step = watcher.step;
    match outcome {
        Ok(finished) => {
            // A run stopped before its first step has nothing worth overwriting a model with.
            if step > 0 {
                save(&run, link, step);
            }
            link.event(TrainEvent::Finished(finished));
        }
        Err(error) => link.fail(&error.to_string(), error.hint().map(str::to_owned), step),
    }
    link.send(Report::Activity(Activity::Idle));
    for command in &link.command {
        match command {
            Command::Predict(text) => link.answer(text, &run),
            Command::Save => {
                save(&run, link, step);
                link.send(Report::Activity(Activity::Idle));
            }
            Command::Stop { .. } => {}
        }
    }
    Ok(())
}

/// Saves the model; a failure is reported, and the model stays in memory.
fn save(run: &Run, link: &Link, step: u64) {
    link.send(Report::Activity(Activity::Saving));
    let path = &run.arguments.output_dir;
    match folder::save(path, &run.model, &run.tokenizer) {
        Ok(()) => link.event(TrainEvent::Saved(Saved {
            path: printable(&path.display().to_string()).into_owned(),
            step,
        })),
        Err(error) => link.fail(
            &format!("the model could not be saved: {error}"),
            Some("Make room; the dashboard still holds it, and w saves again.".to_owned()),
            step,
        ),
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

/// Passes on what the trainer publishes, and answers commands between its batches.
struct Watcher<'a> {
    link: &'a Link,
    run: &'a Run,
    step: u64,
}

impl Observer for Watcher<'_> {
    fn publish(&mut self, event: TrainEvent) {
        if let TrainEvent::Step(step) = &event {
            self.step = step.step;
        }
        self.link.event(event);
    }

    fn evaluating(&mut self, done: usize, total: usize) {
        self.link.send(Report::Activity(Activity::Evaluating(done, total)));
        if done >= total {
            self.link.send(Report::Activity(Activity::Training));
        }
    }

    fn between_batches(&mut self) -> Control {
        for command in self.link.command.try_iter() {
            match command {
                Command::Stop { evaluate } => return Control::Stop { evaluate },
                Command::Predict(text) => self.link.answer(text, self.run),
                Command::Save => {}
            }
        }
        Control::Continue
    }
}
