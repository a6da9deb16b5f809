//! `nsmc-tui evaluate`.

use super::saved;
use crate::cli::flags::EvaluateFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::source::tokenize;
use crate::core::text::to_json;
use crate::core::train::evaluation::{EvaluationOptions, evaluate};
use crate::core::train::event::Metrics;
use crate::run::dataset::evaluation_rows;
use std::io::{IsTerminal, Write};

/// The name of the expected calibration error.
const CALIBRATION_ERROR: &str = "eval_ece";

pub fn run(flags: &EvaluateFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let saved = saved::load(&flags.model)?;
    let labels = &saved.model.config().labels;
    let rows = evaluation_rows(&flags.dataset(), labels, &mut saved::download_progress())?;
    if let Some(note) = rows.note {
        print_to_stderr(format_args!("note: {note}"));
    }
    if rows.skipped > 0 {
        print_to_stderr(format_args!("bad rows left out: {}", rows.skipped));
    }
    let examples = tokenize(&saved.tokenizer, &rows.samples, saved.max_seq_length)?;
    let shows_progress = std::io::stderr().is_terminal();
    let options = EvaluationOptions {
        batch_size: flags.per_device_eval_batch_size,
        pad_to: 0,
        classes: labels.len(),
        label_smoothing_factor: 0.0,
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
