//! From flags to a run that is ready to start.

use super::{Link, Run};
use crate::cli::TrainFlags;
use crate::config::{EvalStrategy, ModelTraits, resolve};
use crate::data::Split;
use crate::data::sampling::SampleLimit;
use crate::data::source::{load_reviews, tokenize};
use crate::model::classifier::LoadReport;
use crate::model::{BertForSequenceClassification, ModelConfig, folder};
use crate::text::printable;
use crate::tokenizer::Tokenizer;
use crate::train::event::{Setting, Started};
use anyhow::Context;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Reads the data, loads the model and works out what holds.
pub(super) fn prepare(flags: &TrainFlags, link: &Link) -> anyhow::Result<(Run, Started)> {
    let output_dir = flags.output_dir.clone().unwrap_or_else(|| "outputs".into());
    check_writable(&output_dir)?;

    link.preparing("Loading the model");
    let seed = flags.seed.unwrap_or(42);
    let overrides = &flags.config_overrides;
    let (name, tokenizer, model, report) = if let Some(path) = &flags.model_name_or_path {
        let tokenizer = Tokenizer::from_folder(path)?;
        let (model, report) = folder::load(path, overrides, seed)?;
        (path.display().to_string(), tokenizer, model, report)
    } else {
        let (text, file) = (crate::model::config::EMBEDDED, "embedded config.json");
        let config = ModelConfig::parse(text, Path::new(file), overrides)?;
        let (model, report) = BertForSequenceClassification::new(config, HashMap::new(), seed)?;
        ("embedded small Korean BERT".to_owned(), Tokenizer::embedded()?, model, report)
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
    let mut notes = notes(&report, total, train_skipped + eval_skipped);
    if folder::holds_a_model(&output_dir) {
        notes.push("output_dir holds a model, which saving this run will replace".to_owned());
    }
    let started = started(&name, &run, data_settings(flags).into_iter().chain(settings), notes);
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
/// If the tokenizer has an id that the model has no row for.
pub fn check_vocabulary(
    model: &BertForSequenceClassification,
    tokenizer: &Tokenizer,
) -> anyhow::Result<()> {
    let (highest, rows) = (tokenizer.highest_id(), model.config().bert.vocab_size);
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
        setting("shuffle_seed", (seed != 42).then(|| seed.to_string()), "42", "tutorial"),
    ]
}

fn started(
    model: &str,
    run: &Run,
    settings: impl Iterator<Item = Setting>,
    notes: Vec<String>,
) -> Started {
    let (config, arguments) = (run.model.config(), &run.arguments);
    let bert = &config.bert;
    Started {
        model: printable(model).into_owned(),
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
        num_train_epochs: arguments.epochs(run.train.len()),
        eval_steps: match arguments.eval_strategy {
            EvalStrategy::Epoch => arguments.steps_per_epoch(run.train.len()),
            EvalStrategy::Steps => arguments.eval_steps,
            EvalStrategy::No => 0,
        },
        logging_steps: arguments.logging_steps,
        output_dir: printable(&arguments.output_dir.display().to_string()).into_owned(),
        replaces_model: folder::holds_a_model(&arguments.output_dir),
        settings: settings.collect(),
        notes,
    }
}
