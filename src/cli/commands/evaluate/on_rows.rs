//! The evaluation of one saved model on rows.

use crate::cli::commands::saved::{self, SavedModel};
use crate::cli::flags::EvaluateFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::Sample;
use crate::core::data::source::tokenize;
use crate::core::engine::logits::class_of;
use crate::core::tokenizer::on_threads;
use crate::core::train::evaluation::{EvaluationMoment, EvaluationOptions, evaluate_each};
use crate::core::train::event::Metrics;
use crate::run::dataset::EvaluationRows;
use crate::run::options::{TrainOptions, run_toml};
use crate::run::worker::check_pairs;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// The result for one row.
#[derive(Clone, Debug, Default)]
pub(super) struct RowResult {
    /// The predicted class.
    pub predicted: u32,
    /// The loss, with the label smoothing of the training.
    pub loss: f64,
    /// The logit of each class; empty if the row was classified correctly.
    pub logits: Vec<f32>,
}

impl RowResult {
    /// Whether the predicted class is that of the row.
    pub fn is_right(&self, sample: &Sample) -> bool {
        self.predicted == sample.label
    }
}

/// Evaluates the model with this name on rows whose labels are its class ids. Returns the metrics
/// and the result for each row; `None` if the evaluation was cancelled.
///
/// # Errors
/// If the rows do not fit the model, or it cannot be computed.
pub(super) fn evaluate_rows(
    flags: &EvaluateFlags,
    saved: &SavedModel,
    name: &str,
    rows: &EvaluationRows,
) -> anyhow::Result<Option<(Metrics, Vec<RowResult>)>> {
    check_texts(saved, rows)?;
    let threads = flags.compute.threads.as_ref().map_or(0, |threads| threads.value);
    let examples =
        on_threads(threads, || tokenize(&saved.tokenizer, &rows.samples, saved.max_seq_length))?;
    let counts = saved.tokenizer.count_unknown(examples.iter().map(|example| &example.ids[..]));
    let texts = rows.samples.iter().map(|sample| sample.document.as_str());
    if let Some(note) = saved.tokenizer.note_on_texts("the data", counts, texts) {
        print_to_stderr(format_args!("warning: {note}"));
    }
    let shows_progress = std::io::stderr().is_terminal();
    let options = EvaluationOptions {
        batch_size: flags.per_device_eval_batch_size,
        pad_to: 0,
        classes: saved.model.config().labels.len(),
        label_smoothing_factor: label_smoothing(flags, name),
    };
    let mut engine = saved::engine(&saved.model, &flags.compute, flags.int8)?;
    let mut results = vec![RowResult::default(); examples.len()];
    let progress = |moment: EvaluationMoment<'_, '_>| {
        if let (EvaluationMoment::Between { done, total, .. }, true) = (moment, shows_progress) {
            // If it cannot be written, there is no progress to see.
            let _ = write!(std::io::stderr(), "\r{done}/{total} texts ");
        }
        true
    };
    let metrics = evaluate_each(engine.as_mut(), &examples, options, progress, |example| {
        let predicted = class_of(example.logits);
        let is_right = predicted == examples[example.index].label;
        let logits = if is_right { Vec::new() } else { example.logits.to_vec() };
        results[example.index] = RowResult { predicted, loss: example.loss, logits };
    })?;
    if shows_progress {
        print_to_stderr("");
    }
    Ok(metrics.map(|metrics| (metrics, results)))
}

/// Checks that the model can read the rows: single texts or pairs.
fn check_texts(saved: &SavedModel, rows: &EvaluationRows) -> anyhow::Result<()> {
    if let (Some([first, second]), false) =
        (saved.model.config().text_pair_columns(), rows.has_pairs)
    {
        anyhow::bail!(
            "the model was trained on pairs of texts ({first} and {second}), but the evaluation rows \
             are single texts. Pass rows with two columns of texts with --validation-file, and the \
             columns with --text-column-name and --text-pair-column-name"
        );
    }
    if rows.has_pairs { check_pairs(&saved.model, &saved.tokenizer) } else { Ok(()) }
}

/// The label smoothing of the loss: the given one, or that of the model's training, so that the loss
/// is the one that training reports.
fn label_smoothing(flags: &EvaluateFlags, model: &str) -> f64 {
    let of_training = || {
        let folder = Path::new(model);
        let folder = folder.canonicalize().ok()?;
        let is_checkpoint = folder
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("checkpoint-"));
        let run = if is_checkpoint { folder.parent()? } else { &folder };
        let file = run.join(run_toml::NAME);
        if !file.is_file() {
            return None;
        }
        match run_toml::read::<TrainOptions>(&file) {
            Ok(options) => {
                let factor = options.trainer.label_smoothing_factor?.value;
                if factor > 0.0 {
                    print_to_stderr(format_args!(
                        "note: eval_loss has the label smoothing of the training, {factor}; \
                         --label-smoothing-factor 0 leaves it out"
                    ));
                }
                Some(factor)
            }
            Err(error) => {
                print_to_stderr(format_args!(
                    "note: eval_loss is without label smoothing: {error}"
                ));
                None
            }
        }
    };
    flags.label_smoothing_factor.or_else(of_training).unwrap_or(0.0)
}
