//! Prepares a run from its options.

use super::reporter::WorkerChannels;
use super::{Preparation, PreparedRun};
use crate::core::data::source::tokenize;
use crate::core::model::config::EMBEDDED;
use crate::core::model::folder::holds_a_model;
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier, Weights, folder};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::arguments::{EvalStrategy, ReportTo, SaveStrategy, TrainingArguments};
use crate::core::train::checkpoint::{self, Checkpoint, Checkpoints};
use crate::core::train::event::Started;
use crate::core::train::progress::fingerprint;
use crate::run::dataset::Dataset;
use crate::run::locate::{self, DownloadCallback};
use crate::run::options::{
    Given, ModelTraits, ResumeFrom, TrainOptions, ValueSource, data_settings, resolve, run_toml,
};
use crate::run::protocol::{Activity, Answer, Command, Download, RunReport};
use crate::run::{
    Recorder, default_logging_dir, is_same_folder, lock_output_dir, move_earlier_checkpoints,
};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// The location of a model's files.
enum ModelFiles {
    /// The small model that is embedded in the program.
    Embedded,
    /// A folder.
    Folder(PathBuf),
}

impl ModelFiles {
    fn tokenizer(&self) -> anyhow::Result<Tokenizer> {
        Ok(match self {
            Self::Embedded => Tokenizer::embedded()?,
            Self::Folder(folder) => Tokenizer::from_folder(folder)?,
        })
    }

    fn config(&self, overrides: &[(String, serde_json::Value)]) -> anyhow::Result<ModelConfig> {
        Ok(match self {
            Self::Embedded => {
                ModelConfig::parse(EMBEDDED, Path::new("embedded config.json"), overrides)?
            }
            Self::Folder(folder) => ModelConfig::read(&folder.join("config.json"), overrides)?,
        })
    }

    /// Whether the files include weights to start from.
    fn has_weights(&self) -> bool {
        matches!(self, Self::Folder(folder) if holds_a_model(folder))
    }
}

/// The model to start from, before its weights are read.
struct StartingPoint {
    resume: Option<Checkpoint>,
    files: ModelFiles,
    config: ModelConfig,
}

impl StartingPoint {
    fn find(options: &TrainOptions, on_download: &mut DownloadCallback) -> anyhow::Result<Self> {
        let resume = match options.resume_from() {
            None | Some(ResumeFrom::No) => None,
            Some(ResumeFrom::Last) => Some(checkpoint::find(options.output_dir(), None)?),
            Some(ResumeFrom::Folder(folder)) => {
                Some(checkpoint::find(options.output_dir(), Some(folder))?)
            }
        };
        let resume = resume.map(|folder| Checkpoint::read(&folder)).transpose()?;
        let model = &options.model;
        let files = match (&resume, &model.model_name_or_path) {
            (Some(checkpoint), _) => ModelFiles::Folder(checkpoint.folder.clone()),
            (None, Some(name)) => {
                let folder = locate::model(&name.value, model.hub_revision(), on_download)?;
                ModelFiles::Folder(folder)
            }
            (None, None) => ModelFiles::Embedded,
        };
        // A checkpoint's config.json already contains the overrides of its run.
        let overrides = if resume.is_some() { &[] } else { model.overrides() };
        let config = files.config(overrides)?;
        Ok(Self { resume, files, config })
    }

    fn traits(&self) -> ModelTraits {
        ModelTraits {
            random_weights: match &self.resume {
                Some(checkpoint) => checkpoint.run.random_weights,
                None => !self.files.has_weights(),
            },
            max_tokens: self.config.max_tokens(),
        }
    }
}

/// The effective settings of a run with these options, as the text of its `run.toml`.
///
/// # Errors
/// If the model's configuration cannot be read or the options contradict each other.
pub fn print_config(
    options: &TrainOptions,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<String> {
    let model = &options.model;
    let traits = match (&model.model_name_or_path, options.resume_from()) {
        // For a model on the hub, only config.json is downloaded.
        (Some(name), None) => {
            let (folder, has_weights) =
                locate::config(&name.value, model.hub_revision(), on_download)?;
            let config = ModelConfig::read(&folder.join("config.json"), model.overrides())?;
            ModelTraits { random_weights: !has_weights, max_tokens: config.max_tokens() }
        }
        _ => StartingPoint::find(options, on_download)?.traits(),
    };
    let (_, arguments) = resolve(options, traits)?;
    Ok(run_toml::write(options, &[data_settings(options), arguments].concat()))
}

/// Reads the data, loads the model and resolves the options.
pub(super) fn prepare(
    mut options: TrainOptions,
    channels: &WorkerChannels,
) -> anyhow::Result<Preparation> {
    let output_dir = options.output_dir().to_path_buf();
    check_writable(&output_dir)?;

    channels.preparing("Loading the model");
    let mut on_download = |download: &Download| channels.downloading(download);
    let StartingPoint { resume, files, mut config } =
        StartingPoint::find(&options, &mut on_download)?;
    if let Some(checkpoint) = &resume {
        keep_seeds(&mut options, checkpoint);
    }
    let options = &options;
    let tokenizer = files.tokenizer()?;
    channels.preparing("Reading the data");
    // The embedded model can be trained on any data, so its labels (those of NSMC) are not used.
    let class_names = match &files {
        ModelFiles::Embedded => None,
        ModelFiles::Folder(_) => config.given_names(),
    };
    let dataset = Dataset::read(&options.data, class_names, &mut on_download)?;
    config.set_labels(dataset.classes.names());
    channels.preparing("Loading the weights");
    let seed = options.trainer.seed.as_ref().map_or(42, |given| given.value);
    let (model, report) = match &files {
        ModelFiles::Embedded => SequenceClassifier::new(config, Weights::none(), seed)?,
        ModelFiles::Folder(path) => {
            let ignore_mismatched =
                Given::value_or_default(options.model.ignore_mismatched_sizes.as_ref());
            folder::load(path, config, ignore_mismatched, seed)?
        }
    };
    check_vocabulary(&model, &tokenizer)?;
    let total = model.parameters().iter().count();
    let traits = ModelTraits {
        random_weights: match &resume {
            Some(checkpoint) => checkpoint.run.random_weights,
            None => report.missing.len() == total,
        },
        max_tokens: model.config().max_tokens(),
    };
    let (arguments, settings) = resolve(options, traits)?;
    arguments.check_steps(dataset.train.len())?;

    channels.preparing("Tokenizing the data");
    let train = tokenize(&tokenizer, &dataset.train, arguments.max_seq_length)?;
    let eval = tokenize(&tokenizer, &dataset.eval, arguments.max_seq_length)?;

    let mut notes = notes(&report, total, dataset.skipped);
    notes.extend(dataset.classes.note());
    if resume.as_ref().is_some_and(|checkpoint| checkpoint.run.data != fingerprint(&train)) {
        let note = "the training data differs from that of the checkpoint, so the resumed run does not \
                    repeat the original one";
        notes.push(note.to_owned());
    }
    let lock = lock_output_dir(&output_dir).with_context(|| output_dir.display().to_string())?;
    // A run that is resumed in the same folder replaces only later checkpoints.
    let own = resume.as_ref().filter(|checkpoint| {
        checkpoint.folder.parent().is_some_and(|run| is_same_folder(run, &output_dir))
    });
    notes.extend(move_old_checkpoints(&output_dir, own)?);
    if holds_a_model(&output_dir) {
        notes.push("output_dir holds a model, which saving this run will replace".to_owned());
    }
    let logging_dir = logging_dir(&arguments, own);
    let checkpoints = Checkpoints {
        output_dir: output_dir.clone(),
        tokenizer: tokenizer.files(arguments.max_seq_length)?,
        save_total_limit: arguments.save_total_limit,
        save_only_model: arguments.save_only_model,
        random_weights: traits.random_weights,
        logging_dir: logging_dir.as_ref().map(|folder| {
            // The path is relative, so that it stays valid when the run is moved.
            folder.strip_prefix(&output_dir).unwrap_or(folder).to_path_buf()
        }),
    };
    let settings = [data_settings(options), settings].concat();
    let (mut recorder, history) =
        Recorder::begin(&output_dir, logging_dir.as_deref(), resume.as_ref());
    recorder.arguments(&output_dir, &run_toml::write(options, &settings));
    let run = PreparedRun {
        base_model: options.model.model_name_or_path.as_ref().map(|given| given.value.clone()),
        from_random_weights: traits.random_weights,
        dataset: dataset.origin,
        model,
        engine: options.engine_options(),
        tokenizer,
        arguments,
        settings,
        train,
        eval,
        checkpoints,
        resume,
        _lock: lock,
    };
    let started = run.started(notes);
    Ok(Preparation { run, started, recorder, history })
}

/// Moves checkpoints that this run does not continue from to another folder, and returns a note for
/// the user.
fn move_old_checkpoints(
    output_dir: &Path,
    own: Option<&Checkpoint>,
) -> anyhow::Result<Option<String>> {
    let after = own.map_or(0, |checkpoint| checkpoint.run.progress.step);
    let earlier = move_earlier_checkpoints(output_dir, after).with_context(|| {
        format!("{}: earlier checkpoints cannot be moved", output_dir.display())
    })?;
    Ok(earlier.map(|earlier| {
        let whose = if own.is_some() { "later" } else { "an earlier run's" };
        let earlier = sanitize_for_terminal(&earlier.display().to_string()).into_owned();
        format!("{whose} checkpoints were moved to {earlier}")
    }))
}

/// The folder of TensorBoard's files. A run that is resumed in the same folder uses the same one
/// again.
fn logging_dir(arguments: &TrainingArguments, resume: Option<&Checkpoint>) -> Option<PathBuf> {
    if arguments.report_to == ReportTo::None {
        return None;
    }
    let earlier = || Some(arguments.output_dir.join(resume?.run.logging_dir.as_ref()?));
    let folder = arguments.logging_dir.clone().or_else(earlier);
    Some(folder.unwrap_or_else(|| default_logging_dir(&arguments.output_dir)))
}

/// Sets the seeds of a resumed run to those of its checkpoint, which also works without its
/// `run.toml`.
fn keep_seeds(options: &mut TrainOptions, checkpoint: &Checkpoint) {
    let given =
        |value: u64| Given { value, text: value.to_string(), source: ValueSource::Checkpoint };
    let (trainer, run) = (&mut options.trainer, &checkpoint.run);
    trainer.seed.get_or_insert_with(|| given(run.seed));
    trainer.data_seed.get_or_insert_with(|| given(run.data_seed));
}

/// Checks before training that the model can be saved after it.
fn check_writable(folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        !folder.exists() || folder.is_dir(),
        "{}: the model could not be saved there: it is a file. Pass another --output-dir",
        folder.display()
    );
    let try_write = || {
        std::fs::create_dir_all(folder)?;
        tempfile::tempfile_in(folder).map(drop)
    };
    try_write().with_context(|| {
        format!(
            "{}: the model could not be saved there. Pass another --output-dir, or change \
             its permissions",
            folder.display()
        )
    })
}

/// Checks that the model has an embedding for each token id of the tokenizer.
///
/// # Errors
/// If the tokenizer has an id beyond the model's vocabulary.
pub fn check_vocabulary(model: &SequenceClassifier, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let (highest, rows) = (tokenizer.highest_id(), model.config().encoder.vocab_size);
    anyhow::ensure!(
        (highest as usize) < rows,
        "the tokenizer has token ids up to {highest}, but the model's config.json has a vocab_size \
         of {rows}: they do not belong together"
    );
    Ok(())
}

fn notes(report: &LoadReport, total: usize, skipped: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if skipped > 0 {
        notes.push(format!("bad rows left out: {skipped}"));
    }
    if report.missing.len() == total {
        notes.push("the model starts from random weights".to_owned());
    } else if !report.missing.is_empty() {
        let names = LoadReport::listed(&report.missing);
        notes.push(format!("not in the weights, so initialized: {names}"));
    }
    if !report.mismatched.is_empty() {
        let names = LoadReport::listed(&report.mismatched);
        notes.push(format!("of another shape in the weights, so initialized: {names}"));
    }
    if !report.unexpected.is_empty() {
        let names = LoadReport::listed(&report.unexpected);
        notes.push(format!("in the weights, but not used: {names}"));
    }
    notes
}

impl PreparedRun {
    fn started(&self, notes: Vec<String>) -> Started {
        let (config, arguments) = (self.model.config(), &self.arguments);
        let encoder = &config.encoder;
        let model = self.base_model.as_deref().unwrap_or("embedded small Korean BERT");
        let samples = self.train.len();
        let progress = self.resume.as_ref().map(|checkpoint| &checkpoint.run.progress);
        Started {
            model: sanitize_for_terminal(model).into_owned(),
            architecture: format!(
                "{} {} layers × {}, {} heads, {} pieces",
                config.architecture.title(),
                encoder.num_hidden_layers,
                encoder.hidden_size,
                encoder.num_attention_heads,
                encoder.vocab_size
            ),
            parameters: self.model.parameters().count(),
            labels: config.labels.clone(),
            train_samples: samples,
            eval_samples: self.eval.len(),
            steps_per_epoch: arguments.steps_per_epoch(samples),
            max_steps: arguments.max_steps(samples),
            num_train_epochs: arguments.epochs(samples),
            eval_steps: match arguments.eval_strategy {
                EvalStrategy::Epoch => arguments.steps_per_epoch(samples),
                EvalStrategy::Steps => arguments.eval_steps.of(arguments.max_steps(samples)),
                EvalStrategy::No => 0,
            },
            save_steps: match arguments.save_strategy {
                SaveStrategy::Epoch => arguments.steps_per_epoch(samples),
                SaveStrategy::Steps => arguments.save_steps.of(arguments.max_steps(samples)),
                // The step of the next best model is unknown.
                SaveStrategy::Best | SaveStrategy::No => 0,
            },
            logging_steps: arguments.logging_steps.of(arguments.max_steps(samples)),
            output_dir: sanitize_for_terminal(&arguments.output_dir.display().to_string())
                .into_owned(),
            replaces_model: holds_a_model(&arguments.output_dir),
            settings: self.settings.clone(),
            resumed_at: progress.map_or(0, |progress| progress.step),
            resumed_elapsed: progress.map_or(0.0, |progress| progress.elapsed),
            notes,
        }
    }
}

impl WorkerChannels {
    /// Reports a download. Returns `false` if the run must stop.
    fn downloading(&self, download: &Download) -> bool {
        self.send(RunReport::Activity(Activity::Downloading(download.clone())));
        let mut continues = true;
        for command in self.commands.try_iter() {
            match command {
                Command::Stop { .. } => continues = false,
                Command::Predict { text } => {
                    let outcome = Err("there is no model yet; it is being downloaded".to_owned());
                    self.send(RunReport::Answer(Answer { text, outcome }));
                }
                // The other commands need a training loop.
                _ => {}
            }
        }
        continues
    }
}
