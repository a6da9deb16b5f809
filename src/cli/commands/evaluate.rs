//! `nsmc-tui evaluate`.

use super::saved;
use crate::cli::flags::EvaluateFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::source::tokenize;
use crate::core::text::to_json;
use crate::core::tokenizer::on_threads;
use crate::core::train::evaluation::{EvaluationOptions, evaluate};
use crate::core::train::event::Metrics;
use crate::run::dataset::evaluation_rows;
use crate::run::options::{TrainOptions, run_toml};
use crate::run::worker::check_pairs;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// The name of the expected calibration error.
const CALIBRATION_ERROR: &str = "eval_ece";

pub fn run(flags: &EvaluateFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let saved = saved::load(&flags.model)?;
    let labels = &saved.model.config().labels;
    let trained_on = saved.model.config().text_pair_columns();
    let rows = evaluation_rows(&flags.dataset(), labels, &mut saved::download_progress())?;
    if let (Some([first, second]), false) = (&trained_on, rows.has_pairs) {
        anyhow::bail!(
            "the model was trained on pairs of texts ({first} and {second}), but the evaluation rows \
             are single texts. Pass rows with two columns of texts with --validation-file, and the \
             columns with --text-column-name and --text-pair-column-name"
        );
    }
    if rows.has_pairs {
        check_pairs(&saved.model, &saved.tokenizer)?;
    }
    if flags.dataset().has_custom_evaluation_rows() {
        print_to_stderr(format_args!("note: {}", rows.columns_note));
    }
    for note in &rows.notes {
        print_to_stderr(format_args!("note: {note}"));
    }
    if rows.skipped > 0 {
        print_to_stderr(format_args!("bad rows left out: {}", rows.skipped));
    }
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
        classes: labels.len(),
        label_smoothing_factor: label_smoothing(flags),
    };
    let mut engine = saved::engine(&saved.model, &flags.compute, flags.int8)?;
    let metrics = evaluate(engine.as_mut(), &examples, options, |_, done, total| {
        if shows_progress {
            // If it cannot be written, there is no progress to see.
            let _ = write!(std::io::stderr(), "\r{done}/{total} texts ");
        }
        true
    })?;
    if shows_progress {
        print_to_stderr("");
    }
    let Some(metrics) = metrics else {
        return Ok(());
    };
    if flags.json {
        let mut values = serde_json::to_value(&metrics)?;
        // Not part of the serialized metrics, because it is computed from the bins.
        values[CALIBRATION_ERROR] = metrics.eval_calibration.expected_calibration_error().into();
        writeln!(out, "{}", to_json(&values)?)?;
    } else {
        write_table(&metrics, labels, out)?;
    }
    Ok(())
}

/// The label smoothing of the loss: the given one, or that of the model's training, so that the loss
/// is the one that training reports.
fn label_smoothing(flags: &EvaluateFlags) -> f64 {
    let of_training = || {
        let folder = Path::new(&flags.model.model_name_or_path);
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

fn write_table(metrics: &Metrics, labels: &[String], out: &mut impl Write) -> std::io::Result<()> {
    for (name, value) in [
        ("eval_loss", metrics.eval_loss),
        ("eval_accuracy", metrics.eval_accuracy),
        ("eval_f1", metrics.eval_f1),
        ("eval_precision", metrics.eval_precision),
        ("eval_recall", metrics.eval_recall),
        (
            CALIBRATION_ERROR,
            metrics.eval_calibration.expected_calibration_error().unwrap_or(f64::NAN),
        ),
        ("eval_runtime", metrics.eval_runtime),
        ("eval_samples_per_second", metrics.eval_samples_per_second),
    ] {
        writeln!(out, "{name:<24}{value:>10.4}")?;
    }
    writeln!(out, "{:<24}{:>10}", "eval_samples", metrics.eval_samples)?;
    for (label, row) in labels.iter().zip(&metrics.eval_confusion.counts) {
        for (predicted, count) in labels.iter().zip(row) {
            let cell = format!("{label}, predicted {predicted}");
            writeln!(out, "{cell:<28}{count:>6}")?;
        }
    }
    Ok(())
}
