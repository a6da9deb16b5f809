//! `nsmc-tui evaluate`.

use super::saved;
use crate::cli::flags::EvaluateFlags;
use crate::core::data::source::tokenize;
use crate::core::text::{sanitize_for_terminal, to_json};
use crate::core::train::evaluation::{EvaluationOptions, evaluate};
use crate::core::train::event::Metrics;
use crate::run::worker::dataset::evaluation_rows;
use std::io::{IsTerminal, Write};

/// What the expected calibration error is called.
const CALIBRATION_ERROR: &str = "eval_ece";

pub fn run(flags: &EvaluateFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let loaded = saved::load(&flags.model)?;
    let source = &flags.source;
    let (reviews, skipped, note) = evaluation_rows(
        source,
        &flags.columns,
        flags.shuffle.shuffle_seed,
        &loaded.model.config().labels,
        &mut saved::progress(),
    )?;
    if let Some(note) = note {
        eprintln!("note: {}", sanitize_for_terminal(&note));
    }
    if skipped > 0 {
        eprintln!("bad rows left out: {skipped}");
    }
    let examples = tokenize(&loaded.tokenizer, &reviews, loaded.max_seq_length)?;
    let talk = std::io::stderr().is_terminal();
    let options = EvaluationOptions {
        batch_size: flags.per_device_eval_batch_size,
        pad_to: 0,
        classes: loaded.model.config().labels.len(),
        label_smoothing_factor: 0.0,
    };
    let mut engine = saved::engine(&loaded.model, &flags.compute, flags.int8)?;
    let metrics = evaluate(engine.as_mut(), &examples, options, |_, done, total| {
        if talk {
            eprint!("\r{done}/{total} reviews ");
        }
        true
    })?;
    if talk {
        eprintln!();
    }
    let Some(metrics) = metrics else {
        return Ok(());
    };
    if flags.json {
        let mut figures = serde_json::to_value(&metrics)?;
        // Made from the bins, so that it is no figure of its own in a journal.
        figures[CALIBRATION_ERROR] = metrics.eval_calibration.expected_calibration_error().into();
        writeln!(out, "{}", to_json(&figures)?)?;
    } else {
        write_table(&metrics, &loaded.model.config().labels, out)?;
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
            let cell = format!("{label}, called {predicted}");
            writeln!(out, "{cell:<28}{count:>6}")?;
        }
    }
    Ok(())
}
