//! The saved model that `evaluate` and `predict` work on.

use crate::cli::flags::{Compute, SavedModel};
use crate::core::engine::{Engine, EngineOptions, build};
use crate::core::model::weights::WEIGHTS;
use crate::core::model::{ModelConfig, SequenceClassifier, folder};
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::run::summary::download_line;
use crate::run::worker::check_vocabulary;
use crate::run::worker::locate::{self, Download};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A model, its tokenizer and how many tokens it reads.
pub struct Loaded {
    pub model: SequenceClassifier,
    pub tokenizer: Tokenizer,
    pub max_seq_length: usize,
}

/// Loads the model; says on stderr if its file does not hold all of it.
pub fn load(saved: &SavedModel) -> anyhow::Result<Loaded> {
    let name = &saved.model_name_or_path;
    anyhow::ensure!(
        name != "outputs" || folder::holds_a_model(Path::new(name)),
        "{name}: no config.json with a model.safetensors in it. Train a model first (nsmc-tui \
         train), or name a folder or a model of the hub with --model-name-or-path"
    );
    let path = locate(name, &saved.revision)?;
    let config = ModelConfig::read(&path.join("config.json"), &[])?;
    let tokenizer = Tokenizer::from_folder(&path)?;
    let (model, report) = folder::load(&path, config, false, 42)?;
    anyhow::ensure!(
        report.missing.len() < model.parameters().iter().count(),
        "{}: no {WEIGHTS} in it, so there is nothing to ask",
        path.display()
    );
    check_vocabulary(&model, &tokenizer)?;
    if !report.missing.is_empty() {
        eprintln!(
            "warning: {} of the model's tensors are not in its file and were initialised at \
             random, so its answers mean nothing: {}",
            report.missing.len(),
            report.missing.join(", ")
        );
    }
    if !report.unexpected.is_empty() {
        let names = report.unexpected.join(", ");
        eprintln!("note: in the file, but not used: {}", sanitize_for_terminal(&names));
    }
    let longest = model.config().max_tokens();
    let asked = saved.max_seq_length.or(tokenizer.model_max_length());
    Ok(Loaded { max_seq_length: asked.unwrap_or(longest).min(longest), model, tokenizer })
}

/// What computes the model; says on stderr if it is not what one would expect.
pub fn engine(
    model: &SequenceClassifier,
    compute: &Compute,
    int8: bool,
) -> anyhow::Result<Box<dyn Engine>> {
    let engine = build(model, &EngineOptions { int8, ..compute.options() })?;
    if let Some(note) = engine.note() {
        eprintln!("note: {}", sanitize_for_terminal(note));
    }
    Ok(engine)
}

/// The folder of a model, downloaded if need be.
pub fn locate(name: &str, revision: &str) -> anyhow::Result<PathBuf> {
    locate::model(name, revision, &mut progress())
}

/// The tokenizer of a model, or the embedded one.
pub fn tokenizer(name: Option<&str>, revision: &str) -> anyhow::Result<Tokenizer> {
    Ok(match name {
        Some(name) => Tokenizer::from_folder(&locate(name, revision)?)?,
        None => Tokenizer::embedded()?,
    })
}

/// Tells of downloads on stderr: on one line where that is a terminal, else at a file's end.
pub fn progress() -> impl FnMut(&Download) -> bool {
    let terminal = std::io::stderr().is_terminal();
    move |download| {
        let whole = download.total > 0 && download.done >= download.total;
        let mut stderr = std::io::stderr().lock();
        // Talk that cannot be written is no reason to end a download.
        let _ = match (terminal, whole) {
            (true, true) => writeln!(stderr, "\r{}\u{1b}[K", download_line(download)),
            (true, false) => write!(stderr, "\r{}\u{1b}[K", download_line(download)),
            (false, true) => writeln!(stderr, "{}", download_line(download)),
            (false, false) => Ok(()),
        };
        true
    }
}
