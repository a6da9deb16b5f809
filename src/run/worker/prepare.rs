//! From flags to a run that is ready to start.

use super::dataset::{Dataset, Wanted};
use super::locate::{self, Download};
use super::reporter::WorkerChannels;
use super::settings::with_data;
use super::{Preparation, PreparedRun};
use crate::cli::flags::TrainFlags;
use crate::cli::flags::run_file;
use crate::core::config::{
    EvalStrategy, ModelTraits, ReportTo, SaveStrategy, TrainingArguments, resolve,
};
use crate::core::data::source::tokenize;
use crate::core::model::config::EMBEDDED;
use crate::core::model::folder::holds_a_model;
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier, Weights, folder};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::checkpoint::{self, Checkpoint, Checkpoints};
use crate::core::train::event::Started;
use crate::core::train::progress::fingerprint;
use crate::run::protocol::{Activity, Answer, Command, RunReport};
use crate::run::{Recorder, claim, default_logging_dir, same, set_aside};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Where a run's model comes from.
enum Origin {
    /// The embedded small one.
    Embedded,
    /// A folder.
    Folder(PathBuf),
}

impl Origin {
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

    /// Whether there are weights to start from.
    fn has_weights(&self) -> bool {
        matches!(self, Self::Folder(folder) if holds_a_model(folder))
    }
}

/// What is known before anything large is read.
struct Plan {
    resume: Option<Checkpoint>,
    origin: Origin,
    config: ModelConfig,
}

fn plan(flags: &TrainFlags, watch: &mut locate::Watch) -> anyhow::Result<Plan> {
    let resume =
        flags.resume().map(|asked| Checkpoint::read(&checkpoint::find(&output_dir(flags), asked)?));
    let resume = resume.transpose()?;
    let origin = match (&resume, &flags.model_name_or_path) {
        (Some(checkpoint), _) => Origin::Folder(checkpoint.folder.clone()),
        (None, Some(name)) => Origin::Folder(locate::model(name, &flags.revision, watch)?),
        (None, None) => Origin::Embedded,
    };
    // A checkpoint's config.json has the overrides of its run already.
    let overrides = if resume.is_some() { &[][..] } else { &flags.config_overrides };
    let config = origin.config(overrides)?;
    Ok(Plan { resume, origin, config })
}

impl Plan {
    fn traits(&self) -> ModelTraits {
        ModelTraits {
            random_weights: match &self.resume {
                Some(checkpoint) => checkpoint.run.random_weights,
                None => !self.origin.has_weights(),
            },
            max_tokens: self.config.max_tokens(),
        }
    }
}

fn output_dir(flags: &TrainFlags) -> PathBuf {
    flags.output_dir.clone().unwrap_or_else(|| "outputs".into())
}

/// What would hold for a run, as the text of its `run.toml`.
///
/// # Errors
/// If the model's configuration cannot be read or the flags contradict each other.
pub fn print_config(flags: &TrainFlags, watch: &mut locate::Watch) -> anyhow::Result<String> {
    let traits = match (&flags.model_name_or_path, flags.resume()) {
        // Of a model, its config.json is enough.
        (Some(name), None) => {
            let (folder, has_weights) = locate::config(name, &flags.revision, watch)?;
            let config = ModelConfig::read(&folder.join("config.json"), &flags.config_overrides)?;
            ModelTraits { random_weights: !has_weights, max_tokens: config.max_tokens() }
        }
        _ => plan(flags, watch)?.traits(),
    };
    let (_, settings) = resolve(flags, traits)?;
    Ok(run_file::write(&flags.sources, &with_data(flags, settings)))
}

/// Reads the data, loads the model and works out what holds.
pub(super) fn prepare(
    mut flags: TrainFlags,
    channels: &WorkerChannels,
) -> anyhow::Result<Preparation> {
    let output_dir = output_dir(&flags);
    check_writable(&output_dir)?;

    channels.preparing("Loading the model");
    let mut watch = |download: &Download| channels.downloading(download);
    let Plan { resume, origin, mut config } = plan(&flags, &mut watch)?;
    if let Some(checkpoint) = &resume {
        go_on_with_its_seeds(&mut flags, checkpoint);
    }
    let flags = &flags;
    let tokenizer = origin.tokenizer()?;
    let corpus = {
        let wanted = Wanted {
            train: &flags.train_source,
            eval: &flags.eval_source,
            columns: &flags.columns,
            shuffle_seed: flags.shuffle.shuffle_seed,
        };
        channels.preparing("Reading the reviews");
        // The embedded model is for any data; its own names are NSMC's.
        let named = match &origin {
            Origin::Embedded => None,
            Origin::Folder(_) => config.given_names(),
        };
        Dataset::read(&wanted, named, &mut watch)?
    };
    config.set_labels(corpus.classes.names());
    channels.preparing("Loading the weights");
    let seed = flags.seed.unwrap_or(42);
    let (model, report) = match &origin {
        Origin::Embedded => SequenceClassifier::new(config, Weights::none(), seed)?,
        Origin::Folder(path) => folder::load(path, config, flags.ignore_mismatched_sizes, seed)?,
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
    let (arguments, settings) = resolve(flags, traits)?;
    arguments.check_steps(corpus.train.len())?;

    channels.preparing("Tokenizing the reviews");
    let train = tokenize(&tokenizer, &corpus.train, arguments.max_seq_length)?;
    let eval = tokenize(&tokenizer, &corpus.eval, arguments.max_seq_length)?;

    let mut notes = notes(&report, total, corpus.skipped);
    notes.extend(corpus.classes.note());
    if resume.as_ref().is_some_and(|checkpoint| checkpoint.run.data != fingerprint(&train)) {
        let note = "the training data is not that of the checkpoint's run, so the resumed run is \
                    another one";
        notes.push(note.to_owned());
    }
    let lock = claim(&output_dir).with_context(|| output_dir.display().to_string())?;
    // In a folder of its own run, only later checkpoints are in the way.
    let own = resume
        .as_ref()
        .filter(|checkpoint| checkpoint.folder.parent().is_some_and(|run| same(run, &output_dir)));
    notes.extend(make_room(&output_dir, own)?);
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
            // So that it is found again if the run is moved.
            folder.strip_prefix(&output_dir).unwrap_or(folder).to_path_buf()
        }),
    };
    let settings = with_data(flags, settings);
    let (mut recorder, history) =
        Recorder::begin(&output_dir, logging_dir.as_deref(), resume.as_ref());
    recorder.arguments(&output_dir, &run_file::write(&flags.sources, &settings));
    let run = PreparedRun {
        base_model: flags.model_name_or_path.clone(),
        from_random_weights: traits.random_weights,
        dataset: corpus.origin,
        model,
        engine: flags.engine_options(),
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

/// Moves checkpoints that are not of this run's past out of its way; says where to.
fn make_room(output_dir: &Path, own: Option<&Checkpoint>) -> anyhow::Result<Option<String>> {
    let after = own.map_or(0, |checkpoint| checkpoint.run.progress.step);
    let earlier = set_aside(output_dir, after).with_context(|| {
        format!("{}: earlier checkpoints cannot be moved", output_dir.display())
    })?;
    Ok(earlier.map(|earlier| {
        let whose = if own.is_some() { "later" } else { "an earlier run's" };
        let earlier = sanitize_for_terminal(&earlier.display().to_string()).into_owned();
        format!("{whose} checkpoints were moved to {earlier}")
    }))
}

/// A run that is resumed in its own folder goes on in the TensorBoard folder it had.
fn logging_dir(arguments: &TrainingArguments, resume: Option<&Checkpoint>) -> Option<PathBuf> {
    if arguments.report_to == ReportTo::None {
        return None;
    }
    let before = || Some(arguments.output_dir.join(resume?.run.logging_dir.as_ref()?));
    let asked = arguments.logging_dir.clone().or_else(before);
    Some(asked.unwrap_or_else(|| default_logging_dir(&arguments.output_dir)))
}

/// A run without its `run.toml` still goes on with the seeds it had.
fn go_on_with_its_seeds(flags: &mut TrainFlags, checkpoint: &Checkpoint) {
    let run = &checkpoint.run;
    for (name, flag, value) in
        [("seed", &mut flags.seed, run.seed), ("data_seed", &mut flags.data_seed, run.data_seed)]
    {
        if flag.is_none() {
            *flag = Some(value);
            flags.sources.add(name, value.to_string(), "checkpoint");
        }
    }
}

/// A run of hours must not find out at its end that it cannot save.
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
            "{}: the model could not be saved there. Pass another --output-dir, or mend its \
             permissions",
            folder.display()
        )
    })
}

/// Ids beyond the model's table would fail in the middle of a run.
///
/// # Errors
/// If the tokenizer has an id that the model has no row for.
pub fn check_vocabulary(model: &SequenceClassifier, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let (highest, rows) = (tokenizer.highest_id(), model.config().encoder.vocab_size);
    anyhow::ensure!(
        (highest as usize) < rows,
        "the tokenizer numbers its pieces up to {highest}, but config.json gives the model a \
         vocab_size of {rows}: they do not belong together"
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
        notes.push(format!("not in the weights, so initialised: {}", report.missing.join(", ")));
    }
    if !report.mismatched.is_empty() {
        let names = report.mismatched.join(", ");
        notes.push(format!("of another shape in the weights, so initialised: {names}"));
    }
    if !report.unexpected.is_empty() {
        let names = report.unexpected.join(", ");
        notes.push(format!("in the weights, but not used: {}", sanitize_for_terminal(&names)));
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
                // Who knows when the next one is the best.
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
    /// Tells of a download; `false` if the run was asked to end.
    fn downloading(&self, download: &Download) -> bool {
        self.send(RunReport::Activity(Activity::Downloading(download.clone())));
        let mut go_on = true;
        for command in self.commands.try_iter() {
            match command {
                Command::Stop { .. } => go_on = false,
                Command::Predict { text } => {
                    let outcome = Err("there is no model yet; it is being downloaded".to_owned());
                    self.send(RunReport::Answer(Answer { text, outcome }));
                }
                // The others need a training loop.
                _ => {}
            }
        }
        go_on
    }
}
