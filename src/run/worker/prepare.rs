//! Prepares a run from its options.

use super::finished::Ending;
use super::kept::Kept;
use super::logging_dir::{choose_logging_dir, forget_foreign_logging_dir};
use super::pretraining::build_engine;
use super::ranks::Ranks;
use super::reporter::WorkerChannels;
use super::resume::{ResumedRun, check_classes, move_old_checkpoints};
use super::starting_point::{ModelFiles, StartingPoint, load_model, max_tokens};
use super::tokenize_data::{TokenizedData, tokenize_data};
use super::{Preparation, PreparedRun, pretraining, text_pairs};
use crate::core::data::batching::Example;
use crate::core::model::embedded::{EMBEDDED_MODEL, SMALL_MODEL};
use crate::core::model::folder::holds_a_model;
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier};
use crate::core::text::{display_path, truncate_width};
use crate::core::tokenizer::Tokenizer;
use crate::core::train::arguments::{StartingWeights, TrainingArguments};
use crate::core::train::checkpoint::{Checkpoint, Checkpoints};
use crate::core::train::event::TrainEvent;
use crate::run::dataset::Dataset;
use crate::run::locate::{self, DownloadCallback};
use crate::run::options::{
    ModelTraits, TrainOptions, data_settings, device_setting, generator_settings, resolve, run_toml,
};
use crate::run::protocol::{Activity, Answer, Command, Download, Explanation, RunReport};
use crate::run::{Recorder, check_unlocked, is_same_folder, lock_output_dir};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The effective settings of a run with these options, as the text of its `run.toml`.
///
/// # Errors
/// If the model's configuration cannot be read or the options contradict each other.
pub fn print_config(
    options: &TrainOptions,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<String> {
    let mut options = options.clone();
    let model = &options.model;
    let name = model
        .model_name_or_path
        .as_ref()
        .filter(|name| ![EMBEDDED_MODEL, SMALL_MODEL].contains(&name.value.as_str()));
    let (config, traits) = if let (Some(name), None) = (name, options.resume_from()) {
        // For a model on the hub, only config.json is downloaded.
        let (folder, has_weights) = locate::config(&name.value, model.hub_revision(), on_download)?;
        let config = ModelConfig::read(&folder.join("config.json"), model.overrides())?;
        let weights = StartingWeights::of_file(has_weights);
        let (max_tokens, pooling) = (config.max_tokens(), config.pooling);
        (config, ModelTraits { weights, max_tokens, pooling })
    } else {
        let start = StartingPoint::find(&mut options, 1, on_download)?;
        let traits = start.traits(&options);
        (start.config, traits)
    };
    let (_, arguments) = resolve(&options, traits)?;
    let task = options.pretraining.task(&config).map_err(anyhow::Error::msg)?;
    let generator = generator_settings(&options.pretraining, task);
    let settings = [data_settings(&options), arguments, generator].concat();
    Ok(run_toml::write(&options, &settings))
}

/// Reads the data, loads the model and resolves the options. Files of an earlier run are changed only
/// after everything has been read and checked.
pub(super) fn prepare(
    mut options: TrainOptions,
    channels: &WorkerChannels,
    ranks: &Ranks,
) -> anyhow::Result<Preparation> {
    let output_dir = options.output_dir().to_path_buf();
    // From now on, other processes see that a run is being prepared there.
    let lock = ranks.is_first().then(|| lock_usable(&output_dir)).transpose()?;
    let waits = ranks.before_reading(&options)?;

    channels.preparing("Loading the model");
    let mut on_download = |download: &Download| channels.downloading(download);
    let StartingPoint { mut resumed, files, mut config, notes: skipped } =
        StartingPoint::find(&mut options, ranks.world_size(), &mut on_download)?;
    let tokenizer = files.tokenizer()?;
    channels.preparing("Reading the data");
    let dataset = read_dataset(&options, &files, &mut config, &mut on_download, resumed.is_some())?;
    let trained_on = config.text_pair_columns();
    config.set_text_columns(&dataset.text_columns);
    channels.preparing("Loading the weights");
    let (model, report) = load_model(&files, config, &options, resumed.is_some())?;
    ranks.has_read(waits)?;
    check_tokenizer(&model, &tokenizer)?;
    let total = model.parameters().iter().count();
    let weights = match &resumed {
        Some(resumed) => resumed.checkpoint.run.starting_weights,
        None if report.missing.len() == total => StartingWeights::Random,
        None => files.weights(),
    };
    let max_tokens = max_tokens(&options, model.config(), tokenizer.model_max_length());
    let traits = ModelTraits { weights, max_tokens, pooling: model.config().pooling };
    let (mut arguments, _) = resolve(&options, traits)?;
    arguments.world_size = ranks.world_size();
    arguments.check_steps(dataset.train.len())?;

    channels.preparing("Tokenizing the data");
    let engine_options = ranks.engine_options(&options);
    let TokenizedData { train, eval, unlabelled, notes: tokenizer_notes } =
        tokenize_data(&tokenizer, &dataset, arguments.max_seq_length, engine_options.threads)?;

    let mut notes = notes(&report, model.config(), total, dataset.skipped);
    notes.extend(skipped);
    notes.extend(arguments.note().into_iter().chain(tokenizer_notes).chain(dataset.notes.clone()));
    notes.extend(text_pairs::notes(&dataset, trained_on));
    notes.extend(class_weights_note(&arguments, &train, &model.config().labels));
    let classes = model.config().labels.len();
    let mut kept = Kept::new(&options, &dataset, &eval, classes, &tokenizer, &mut notes)?;
    if let Some(resumed) = &mut resumed {
        resumed.check_weights(&report)?;
        resumed.checkpoint.verify_moments(&model)?;
        notes.extend(resumed.check_plan(&arguments, traits, &train, &eval)?);
        resumed.check_unlabelled(&unlabelled)?;
        forget_foreign_logging_dir(&mut resumed.checkpoint);
    }
    let checkpoint = resumed.as_ref().map(|resumed| &resumed.checkpoint);
    let logging_dir = choose_logging_dir(&mut options, &mut arguments, checkpoint, &mut notes);
    let (_, settings) = resolve(&options, traits)?;
    let mut settings =
        [data_settings(&options), text_pairs::settings(&options, &dataset), settings].concat();
    pretraining::complete(&mut settings, &options, &model, &report);
    let options_record = run_toml::record(&options, &settings);
    let checkpoints =
        checkpoints(&arguments, &tokenizer, traits, logging_dir.as_deref(), options_record)?;
    let (of_engine, seed) = ((&options, engine_options), arguments.seed);
    let mut engine = build_engine(of_engine, &model, &tokenizer, &settings, seed)?;
    if arguments.auto_find_batch_size && engine.device().starts_with("cpu") {
        notes.push("--auto-find-batch-size has no effect on the CPU".to_owned());
    }
    let parts = (&checkpoints.options, &model, &*engine);
    ranks.check_equal(parts, (&train, &eval), checkpoint)?;
    let max_steps = arguments.max_steps(train.len());
    let ending =
        checkpoint.and_then(|checkpoint| Ending::find(checkpoint, &options, max_steps, &model));
    let (recorder, history) = if let Some(ending) = &ending {
        engine.reload()?;
        notes.push(ending.note(resumed.as_ref().is_some_and(ResumedRun::is_changed)));
        // The files of a finished run stay as they are.
        (Recorder::default(), ending.history.clone())
    } else if ranks.is_first() {
        let run_toml = run_toml::write(&options, &settings);
        let folders = (output_dir.as_path(), logging_dir.as_deref());
        begin_recording(folders, checkpoint, &run_toml, &mut kept, &mut notes)?
    } else {
        kept.probes.clear();
        (Recorder::default(), Vec::new())
    };
    kept.add_pinned(&history);
    let run = PreparedRun {
        base_model: options.model.model_name_or_path.as_ref().map(|given| given.value.clone()),
        starting_weights: traits.weights,
        dataset: dataset.origin,
        model,
        tokenizer,
        arguments,
        settings,
        train,
        eval,
        unlabelled,
        probes: kept.probes,
        checkpoints,
        resume: resumed.map(|resumed| resumed.checkpoint),
        ending,
        collective: Arc::clone(&ranks.collective),
        _lock: lock,
    };
    let mut started = run.started(notes);
    started.settings.extend(ranks.setting());
    started.settings.push(device_setting(&options, &engine.device()));
    Ok(Preparation { run, engine, started, recorder, history })
}

/// Where and how checkpoints are written; `options` is their record of the run's options.
fn checkpoints(
    arguments: &TrainingArguments,
    tokenizer: &Tokenizer,
    traits: ModelTraits,
    logging_dir: Option<&Path>,
    options: BTreeMap<String, String>,
) -> anyhow::Result<Checkpoints> {
    let output_dir = arguments.output_dir.clone();
    // The path is relative, so that it stays valid when the run is moved.
    let logging_dir =
        logging_dir.and_then(|folder| folder.strip_prefix(&output_dir).ok()).map(Path::to_path_buf);
    Ok(Checkpoints {
        output_dir,
        tokenizer: tokenizer.files(arguments.max_seq_length)?,
        save_total_limit: arguments.save_total_limit,
        save_only_model: arguments.save_only_model,
        starting_weights: traits.weights,
        logging_dir,
        options,
    })
}

/// Reads the rows, and sets the classes of the configuration and what the model is trained for.
fn read_dataset(
    options: &TrainOptions,
    files: &ModelFiles,
    config: &mut ModelConfig,
    on_download: &mut DownloadCallback,
    is_resumed: bool,
) -> anyhow::Result<Dataset> {
    if let Some(objective) = options.pretraining.chosen() {
        let task = options.pretraining.task(config).map_err(anyhow::Error::msg)?;
        config.set_task(task);
        config.set_labels(&objective.class_names());
        return Dataset::read_texts(&options.data, &config.labels, on_download);
    }
    let dataset = Dataset::read(&options.data, files.class_names(config), on_download)?;
    let own_classes = config.labels.clone();
    config.set_labels(dataset.classes.names());
    if is_resumed {
        check_classes(&own_classes, &config.labels)?;
    }
    Ok(dataset)
}

/// Begins to record the run. From here on, files of an earlier run in the output folder are changed.
fn begin_recording(
    (output_dir, logging_dir): (&Path, Option<&Path>),
    checkpoint: Option<&Checkpoint>,
    run_toml: &str,
    kept: &mut Kept,
    notes: &mut Vec<String>,
) -> anyhow::Result<(Recorder, Vec<TrainEvent>)> {
    // A run that is resumed in the same folder replaces only later checkpoints.
    let own = checkpoint.filter(|checkpoint| {
        checkpoint.folder.parent().is_some_and(|run| is_same_folder(run, output_dir))
    });
    notes.extend(move_old_checkpoints(output_dir, own)?);
    if holds_a_model(output_dir) {
        notes.push("output_dir holds a model, which saving this run will replace".to_owned());
    }
    let (mut recorder, history) = Recorder::begin(output_dir, logging_dir, checkpoint);
    recorder.arguments(output_dir, run_toml);
    recorder.keep_predictions(kept.texts.take(), checkpoint);
    Ok((recorder, history))
}

/// Checks before anything is read that no other run writes into the folder and that the model can be
/// saved there, and locks the folder.
fn lock_usable(folder: &Path) -> anyhow::Result<File> {
    check_unlocked(folder).with_context(|| folder.display().to_string())?;
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
    })?;
    lock_output_dir(folder).with_context(|| folder.display().to_string())
}

/// Checks that the model and the tokenizer belong together.
fn check_tokenizer(model: &SequenceClassifier, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    check_vocabulary(model, tokenizer)?;
    if model.config().text_pair_columns().is_some() {
        text_pairs::check_pairs(model, tokenizer)?;
    }
    Ok(())
}

/// Checks that the model has an embedding for each token id of the tokenizer.
///
/// # Errors
/// If the tokenizer has an id beyond the model's vocabulary.
pub fn check_vocabulary(model: &SequenceClassifier, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let (highest, rows) = (tokenizer.highest_id(), model.config().encoder.vocab_size);
    anyhow::ensure!(
        (highest as usize) < rows,
        "{}: the tokenizer has token ids up to {highest}, but the model's config.json has a \
         vocab_size of {rows}: they do not belong together",
        display_path(tokenizer.file())
    );
    Ok(())
}

/// A note on the weights of the classes, if they have any.
fn class_weights_note(
    arguments: &TrainingArguments,
    train: &[Example],
    labels: &[String],
) -> Option<String> {
    const SHOWN: usize = 12;
    let weights = arguments.class_weights.of(train, labels.len())?;
    let pairs = labels.iter().zip(&weights).take(SHOWN);
    let mut texts: Vec<String> =
        pairs.map(|(label, weight)| format!("{} {weight:.3}", truncate_width(label, 30))).collect();
    texts.extend((weights.len() > SHOWN).then(|| "…".to_owned()));
    Some(format!("class weights: {}", texts.join(", ")))
}

fn notes(report: &LoadReport, config: &ModelConfig, total: usize, skipped: usize) -> Vec<String> {
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
    if !report.reinitialized.is_empty() {
        let names = LoadReport::listed(&report.reinitialized);
        notes.push(format!("in the weights, but initialized (--reinit-top-layers): {names}"));
    }
    if !report.unexpected.is_empty() {
        let names = LoadReport::listed(&report.unexpected);
        notes.push(format!("in the weights, but not used: {names}"));
    }
    notes.extend(config.notes());
    notes
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
                    self.send(RunReport::Answer(Answer { text, outcome, step: None }));
                }
                Command::Explain { text, .. } => {
                    let outcome = Err("there is no model yet".to_owned());
                    self.send(RunReport::Explained(Explanation::new(text, outcome)));
                }
                // The other commands need a training loop.
                _ => {}
            }
        }
        continues
    }
}
