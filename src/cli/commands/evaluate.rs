//! `nsmc-tui evaluate`.

mod by_value;
mod comparison;
mod on_rows;

use super::saved;
use crate::cli::flags::EvaluateFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::Sample;
use crate::core::engine::logits::softmax;
use crate::core::text::to_json;
use crate::core::train::event::Metrics;
use crate::run::check_not_read;
use crate::run::dataset::evaluation_rows;
use crate::run::predictions::errors::{ErrorFile, Misclassified};
use by_value::ByValue;
use comparison::Comparison;
use on_rows::{RowResult, evaluate_rows};
use std::io::Write;

/// The name of the expected calibration error.
const CALIBRATION_ERROR: &str = "eval_ece";

pub fn run(flags: &EvaluateFlags, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(errors) = &flags.errors {
        let data = flags.dataset();
        let read = [data.evaluation_file(), data.corrections_file()];
        check_not_read(errors.path(), read.into_iter().flatten())?;
    }
    let saved = saved::load(&flags.model)?;
    let labels = saved.model.config().labels.clone();
    let mut rows = evaluation_rows(&flags.dataset(), &labels, &mut saved::download_progress())?;
    if flags.dataset().has_custom_evaluation_rows() {
        print_to_stderr(format_args!("note: {}", rows.columns_note));
    }
    for note in &rows.notes {
        print_to_stderr(format_args!("note: {note}"));
    }
    if rows.skipped > 0 {
        print_to_stderr(format_args!("bad rows left out: {}", rows.skipped));
    }
    // What cannot be compared is refused before the first model is computed.
    let other = flags.against.as_deref().map(|name| comparison::load(flags, name, &labels));
    let other = other.transpose()?;
    let name = &flags.model.model_name_or_path;
    let Some((metrics, results)) = evaluate_rows(flags, &saved, name, &rows)? else {
        return Ok(());
    };
    drop(saved);
    if let Some(file) = &flags.errors {
        write_errors(file, &results, &rows.samples, &labels)?;
    }
    let slice_columns = std::mem::take(&mut rows.slice_columns);
    let by_value = ByValue::new(slice_columns, &rows.samples, &results);
    let comparison = match other {
        Some(other) => match other.evaluate(flags, rows, &results)? {
            Some(comparison) => Some(comparison),
            None => return Ok(()),
        },
        None => None,
    };
    if flags.json {
        let mut values = serde_json::to_value(&metrics)?;
        // Not part of the serialized metrics, because it is computed from the bins.
        values[CALIBRATION_ERROR] = metrics.eval_calibration.expected_calibration_error().into();
        by_value.add_to(&mut values);
        if let Some(comparison) = &comparison {
            comparison.add_to(&mut values);
        }
        writeln!(out, "{}", to_json(&values)?)?;
        return Ok(());
    }
    write_table(&metrics, &labels, out)?;
    by_value.write(out)?;
    comparison.map_or(Ok(()), |comparison: Comparison| comparison.write(&metrics, out))
}

/// Writes the misclassified rows.
fn write_errors(
    file: &ErrorFile,
    results: &[RowResult],
    samples: &[Sample],
    labels: &[String],
) -> anyhow::Result<()> {
    let name = |class: u32| labels.get(class as usize).cloned().unwrap_or_default();
    let wrong = samples.iter().zip(results).filter(|(sample, result)| !result.is_right(sample));
    let texts: Vec<Misclassified> = wrong
        .map(|(sample, result)| Misclassified {
            id: sample.id.clone(),
            text: sample.document.clone(),
            text_pair: sample.text_pair.clone(),
            label: name(sample.label),
            prediction: name(result.predicted),
            probabilities: softmax(&result.logits),
            loss: result.loss,
        })
        .collect();
    let count = texts.len();
    file.write(texts)?;
    print_to_stderr(format_args!("{}: {count} misclassified texts", file.path().display()));
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
