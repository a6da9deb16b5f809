//! The threads around the training core: a run on a thread of its own, its reports coming out of
//! one channel and its commands going into another. Panics are caught here.

use crate::cli::TrainFlags;
use crate::config::{EvalStrategy, ModelTraits, SampleLimit, TrainingArguments, resolve};
use crate::data::batching::Example;
use crate::data::sampling::sample_indices;
use crate::data::{DataError, Review, Split, nsmc, tsv};
use crate::model::classifier::LoadReport;
use crate::model::{BertForSequenceClassification, ModelConfig, folder};
use crate::predict::{Prediction, classify};
use crate::text::printable;
use crate::tokenizer::Tokenizer;
use crate::train::event::{Failed, Saved, Setting, Started, TrainEvent};
use crate::train::{Control, Observer, Trainer};
use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

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
                link.fail(failure, None, 0);
            })?;
        Ok(Self {
            reports,
            commands,
            thread,
        })
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

    fn fail(&self, message: String, hint: Option<String>, step: u64) {
        self.event(TrainEvent::Failed(Failed {
            message: printable(&message).into_owned(),
            hint,
            step,
        }));
        self.send(Report::Activity(Activity::Idle));
    }

    fn answer(&self, text: String, run: &Run) {
        let outcome = classify(
            &run.model,
            &run.tokenizer,
            &[&text],
            run.arguments.max_seq_length,
        )
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
    let (run, started) = prepare(flags, link)?;
    link.event(TrainEvent::Started(started));
    link.send(Report::Activity(Activity::Training));
    injected_panic("trainer");
    let trainer = Trainer::new(
        &run.model,
        &run.arguments,
        &run.train,
        &run.eval,
        run.tokenizer.pad_id(),
    );
    let mut watcher = Watcher {
        link,
        run: &run,
        step: 0,
        evaluating: false,
    };
    let outcome = trainer.run(&mut watcher);
    let step = watcher.step;
    match outcome {
        Ok(finished) => {
            save(&run, link, step);
            link.event(TrainEvent::Finished(finished));
            link.send(Report::Activity(Activity::Idle));
        }
        Err(error) => link.fail(error.to_string(), error.hint().map(str::to_owned), step),
    }
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
            format!("the model could not be saved: {error}"),
            Some("It is still in memory: make room, then press w to save again.".to_owned()),
            step,
        ),
    }
}

/// A panic that a test asks for, to see that the terminal and the run survive it. Not in release
/// builds.
pub fn injected_panic(place: &str) {
    if cfg!(debug_assertions) && std::env::var("NSMC_TUI_TEST_PANIC").is_ok_and(|p| p == place) {
        std::panic::panic_any(format!("a test asked the {place} to panic"));
    }
}

/// Passes on what the trainer publishes, and answers commands between its batches.
struct Watcher<'a> {
    link: &'a Link,
    run: &'a Run,
    step: u64,
    evaluating: bool,
}

impl Observer for Watcher<'_> {
    fn publish(&mut self, event: TrainEvent) {
        if let TrainEvent::Step(step) = &event {
            self.step = step.step;
        }
        self.link.event(event);
    }

    fn evaluating(&mut self, done: usize, total: usize) {
        self.evaluating = true;
        self.link
            .send(Report::Activity(Activity::Evaluating(done, total)));
        if done >= total {
            self.evaluating = false;
            self.link.send(Report::Activity(Activity::Training));
        }
    }

    fn between_batches(&mut self, _: &BertForSequenceClassification) -> Control {
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

/// Reviews of one split, sampled, and how many bad rows were left out.
///
/// # Errors
/// If the file cannot be read.
pub fn load_reviews(
    file: Option<&Path>,
    split: Split,
    limit: Option<SampleLimit>,
    shuffle_seed: u64,
    skip_bad_rows: bool,
) -> Result<(Vec<Review>, usize), DataError> {
    let reviews = match file {
        Some(file) => tsv::read_file(file, skip_bad_rows)?,
        None => nsmc::load(split)?,
    };
    let limit = limit.unwrap_or(SampleLimit::Count(2000)).count();
    let mut rows: Vec<Option<Review>> = reviews.rows.into_iter().map(Some).collect();
    let sample = sample_indices(rows.len(), limit, shuffle_seed);
    let sample = sample.into_iter().filter_map(|i| rows[i].take()).collect();
    Ok((sample, reviews.skipped))
}

/// Reviews as the model reads them.
///
/// # Errors
/// If a review cannot be tokenized.
pub fn tokenize(
    tokenizer: &Tokenizer,
    reviews: &[Review],
    max_seq_length: usize,
) -> anyhow::Result<Vec<Example>> {
    let texts: Vec<&str> = reviews.iter().map(|r| r.document.as_str()).collect();
    let ids = tokenizer.encode_ids(&texts)?;
    Ok(ids
        .into_iter()
        .zip(reviews)
        .map(|(mut ids, review)| {
            tokenizer.truncate_ids(&mut ids, max_seq_length);
            Example {
                ids,
                label: review.label,
            }
        })
        .collect())
}

fn prepare(flags: &TrainFlags, link: &Link) -> anyhow::Result<(Run, Started)> {
    let output_dir = flags.output_dir.clone().unwrap_or_else(|| "outputs".into());
    check_writable(&output_dir)?;

    link.preparing("Loading the model");
    let seed = flags.seed.unwrap_or(42);
    let overrides = &flags.config_overrides;
    let (name, tokenizer, model, report) = match &flags.model_name_or_path {
        Some(path) => {
            let tokenizer = Tokenizer::from_folder(path)?;
            let (model, report) = folder::load(path, overrides, seed)?;
            (path.display().to_string(), tokenizer, model, report)
        }
        None => {
            let (text, file) = (crate::model::config::EMBEDDED, "embedded config.json");
            let config = ModelConfig::parse(text, Path::new(file), overrides)?;
            let (model, report) = BertForSequenceClassification::new(config, HashMap::new(), seed)?;
            let name = "embedded small Korean BERT".to_owned();
            (name, Tokenizer::embedded()?, model, report)
        }
    };
    check_vocabulary(&model, &tokenizer)?;
    let total = model.parameters().iter().count();
    let traits = ModelTraits {
        random_weights: report.missing.len() == total,
        max_position_embeddings: model.config().bert.max_position_embeddings,
    };
    let (arguments, settings) = resolve(flags, traits);

    link.preparing("Reading the reviews");
    let (source, skip) = (&flags.eval_source, flags.eval_source.skip_bad_rows);
    let (train, train_skipped) = load_reviews(
        flags.train_source.train_file.as_deref(),
        Split::Train,
        flags.train_source.max_train_samples,
        flags.shuffle.shuffle_seed,
        skip,
    )?;
    let (eval, eval_skipped) = load_reviews(
        source.validation_file.as_deref(),
        Split::Test,
        source.max_eval_samples,
        flags.shuffle.shuffle_seed,
        skip,
    )?;
    link.preparing("Tokenizing the reviews");
    let run = Run {
        train: tokenize(&tokenizer, &train, arguments.max_seq_length)?,
        eval: tokenize(&tokenizer, &eval, arguments.max_seq_length)?,
        model,
        tokenizer,
        arguments,
    };
    let notes = notes(&report, total, train_skipped + eval_skipped);
    let started = started(name, &run, data_settings(flags).into_iter().chain(settings), notes);
    Ok((run, started))
}

/// A run of hours must not find out at its end that it cannot save.
fn check_writable(folder: &Path) -> anyhow::Result<()> {
    let try_write = || {
        std::fs::create_dir_all(folder)?;
        tempfile::tempfile_in(folder).map(drop)
    };
    try_write().with_context(|| {
        format!(
            "{}: the model could not be saved there. Pass another --output-dir, or mend its \
             permissions",
            folder.display()
        )
    })
}

/// Ids beyond the model's table would fail in the middle of a run.
///
/// # Errors
/// If the tokenizer has more pieces than the model.
pub fn check_vocabulary(
    model: &BertForSequenceClassification,
    tokenizer: &Tokenizer,
) -> anyhow::Result<()> {
    let (pieces, rows) = (tokenizer.vocab_size(), model.config().bert.vocab_size);
    anyhow::ensure!(
        pieces <= rows,
        "the tokenizer has {pieces} pieces, but config.json gives the model a vocab_size of \
         {rows}: they do not belong together"
    );
    Ok(())
}

fn notes(report: &LoadReport, total: usize, skipped: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if skipped > 0 {
        notes.push(format!("{skipped} bad rows were left out"));
    }
    if report.missing.len() == total {
        notes.push("the model starts from random weights".to_owned());
    } else if !report.missing.is_empty() {
        notes.push(format!(
            "not in the weights, so initialised: {}",
            report.missing.join(", ")
        ));
    }
    if !report.unexpected.is_empty() {
        let names = report.unexpected.join(", ");
        notes.push(format!("in the weights, but not used: {}", printable(&names)));
    }
    notes
}

/// The settings that say which reviews are used.
fn data_settings(flags: &TrainFlags) -> Vec<Setting> {
    let setting = |name: &str, flag: Option<String>, default: &str, why: &str| Setting {
        name: name.to_owned(),
        why: if flag.is_some() { "flag" } else { why }.to_owned(),
        value: flag.unwrap_or_else(|| default.to_owned()),
    };
    let path = |path: &Option<PathBuf>| {
        let path = path.as_ref()?;
        Some(printable(&path.display().to_string()).into_owned())
    };
    let limit = |limit: Option<SampleLimit>| limit.map(|limit| limit.to_string());
    let (train, eval) = (&flags.train_source, &flags.eval_source);
    let seed = flags.shuffle.shuffle_seed;
    vec![
        setting("train_file", path(&train.train_file), "NSMC", "embedded"),
        setting("validation_file", path(&eval.validation_file), "NSMC", "embedded"),
        setting("max_train_samples", limit(train.max_train_samples), "2000", "tutorial"),
        setting("max_eval_samples", limit(eval.max_eval_samples), "2000", "tutorial"),
        setting(
            "shuffle_seed",
            (seed != 42).then(|| seed.to_string()),
            "42",
            "tutorial",
        ),
    ]
}

fn started(
    model: String,
    run: &Run,
    settings: impl Iterator<Item = Setting>,
    notes: Vec<String>,
) -> Started {
    let (config, arguments) = (run.model.config(), &run.arguments);
    let bert = &config.bert;
    Started {
        model: printable(&model).into_owned(),
        architecture: format!(
            "BERT {} layers × {}, {} heads, {} pieces",
            bert.num_hidden_layers, bert.hidden_size, bert.num_attention_heads, bert.vocab_size
        ),
        parameters: run.model.parameters().count(),
        labels: config.labels.clone(),
        train_samples: run.train.len(),
        eval_samples: run.eval.len(),
        steps_per_epoch: arguments.steps_per_epoch(run.train.len()),
        max_steps: arguments.max_steps(run.train.len()),
        num_train_epochs: arguments.num_train_epochs,
        eval_steps: match arguments.eval_strategy {
            EvalStrategy::Epoch => arguments.steps_per_epoch(run.train.len()),
            EvalStrategy::Steps => arguments.eval_steps,
            EvalStrategy::No => 0,
        },
        logging_steps: arguments.logging_steps,
        settings: settings.collect(),
        notes,
    }
}
