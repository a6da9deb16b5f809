//! Loads the saved model for `evaluate` and `predict`.

use crate::cli::flags::{ComputeFlags, SavedModelFlags};
use crate::cli::output::print_to_stderr;
use crate::core::engine::{Engine, EngineOptions, build};
use crate::core::model::embedded::{EMBEDDED_MODEL, SMALL_MODEL};
use crate::core::model::weights::WEIGHTS;
use crate::core::model::{LoadReport, ModelConfig, SequenceClassifier, folder};
use crate::core::tokenizer::Tokenizer;
use crate::core::train::temperature;
use crate::run::locate;
use crate::run::options::ComputeOptions;
use crate::run::protocol::Download;
use crate::run::summary::download_line;
use crate::run::worker::asked_model::AskedModel;
use crate::run::worker::check_vocabulary;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A saved model, its tokenizer and its maximum sequence length in tokens.
pub struct SavedModel {
    /// The folder of its files.
    pub folder: PathBuf,
    pub model: SequenceClassifier,
    pub tokenizer: Tokenizer,
    pub max_seq_length: usize,
    /// Whether some tensors were not in its file.
    pub is_untrained: bool,
}

/// Loads the model; warns on stderr if some of its tensors are missing.
pub fn load(flags: &SavedModelFlags) -> anyhow::Result<SavedModel> {
    let name = &flags.model_name_or_path;
    anyhow::ensure!(
        name != "outputs" || folder::holds_a_model(Path::new(name)),
        "{name}: no config.json with a model.safetensors in it. Train a model first (nsmc-tui \
         train), or pass a folder or a model of the hub with --model-name-or-path"
    );
    anyhow::ensure!(
        ![EMBEDDED_MODEL, SMALL_MODEL].contains(&name.as_str()),
        "{name}: the program's own models have no trained head. Train one first (nsmc-tui train \
         --model-name-or-path {name}), then pass its output folder"
    );
    let path = locate(name, &flags.revision)?;
    let config = ModelConfig::read(&path.join("config.json"), &[])?;
    let tokenizer = Tokenizer::from_folder(&path)?;
    note_on(&tokenizer);
    let (model, report) = folder::load(&path, config, false, 42)?;
    anyhow::ensure!(
        report.missing.len() < model.parameters().iter().count(),
        "{}: no {WEIGHTS} in it, so there are no weights to load",
        path.display()
    );
    check_vocabulary(&model, &tokenizer)?;
    if !report.missing.is_empty() {
        print_to_stderr(format_args!(
            "warning: {} of the model's tensors are not in its file and were initialized at \
             random, so its predictions mean nothing: {}",
            report.missing.len(),
            LoadReport::listed(&report.missing)
        ));
    }
    if !report.unexpected.is_empty() {
        let names = LoadReport::listed(&report.unexpected);
        print_to_stderr(format_args!("note: in the file, but not used: {names}"));
    }
    if let Some(note) = model.config().precision_note() {
        print_to_stderr(format_args!("note: {note}"));
    }
    let longest = model.config().max_tokens();
    let requested = flags.max_seq_length.or(tokenizer.model_max_length());
    let max_seq_length = requested.unwrap_or(longest).min(longest);
    let is_untrained = !report.missing.is_empty();
    Ok(SavedModel { folder: path, max_seq_length, is_untrained, model, tokenizer })
}

/// Loads the model with all that it needs to answer.
pub fn load_to_ask(
    flags: &SavedModelFlags,
    compute: &ComputeFlags,
    int8: bool,
) -> anyhow::Result<AskedModel> {
    let saved = load(flags)?;
    let engine = engine(&saved.model, compute, int8)?;
    Ok(AskedModel {
        name: flags.model_name_or_path.clone(),
        is_untrained: saved.is_untrained,
        temperature: temperature::of_folder(&saved.folder)?,
        model: saved.model,
        tokenizer: saved.tokenizer,
        engine,
        max_length: saved.max_seq_length,
    })
}

/// The engine that computes the model; prints a note on stderr if it is not the requested one.
pub fn engine(
    model: &SequenceClassifier,
    compute: &ComputeFlags,
    int8: bool,
) -> anyhow::Result<Box<dyn Engine>> {
    let options = ComputeOptions::from(compute.clone()).engine_options();
    let engine = build(model, &EngineOptions { int8, keep_weights: true, ..options })?;
    if let Some(note) = engine.note() {
        print_to_stderr(format_args!("note: {note}"));
    }
    Ok(engine)
}

/// The folder of a model, which is downloaded if needed.
pub fn locate(name: &str, revision: &str) -> anyhow::Result<PathBuf> {
    locate::model(name, revision, &mut download_progress())
}

/// The tokenizer of a model, or the embedded one.
pub fn tokenizer(name: Option<&str>, revision: &str) -> anyhow::Result<Tokenizer> {
    let name = match name {
        None | Some(EMBEDDED_MODEL) => return Ok(Tokenizer::embedded()?),
        Some(SMALL_MODEL) => return Ok(Tokenizer::small()?),
        Some(name) => name,
    };
    let tokenizer = Tokenizer::from_folder(&locate(name, revision)?)?;
    note_on(&tokenizer);
    Ok(tokenizer)
}

/// Prints on stderr what the user should know of how the tokenizer's files are read.
fn note_on(tokenizer: &Tokenizer) {
    for note in tokenizer.notes() {
        print_to_stderr(format_args!("note: {note}"));
    }
}

/// Shows downloads on stderr: on one changing line if that is a terminal, else when a file is
/// complete.
pub fn download_progress() -> impl FnMut(&Download) -> bool {
    let terminal = std::io::stderr().is_terminal();
    move |download| {
        let complete = download.total > 0 && download.done >= download.total;
        let mut stderr = std::io::stderr().lock();
        // Errors in showing the progress do not stop the download.
        let _ = match (terminal, complete) {
            (true, true) => writeln!(stderr, "\r{}\u{1b}[K", download_line(download)),
            (true, false) => write!(stderr, "\r{}\u{1b}[K", download_line(download)),
            (false, true) => writeln!(stderr, "{}", download_line(download)),
            (false, false) => Ok(()),
        };
        true
    }
}
