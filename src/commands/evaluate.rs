//! `nsmc-tui evaluate`.

use super::saved;
use crate::cli::EvaluateFlags;
use crate::data::source::tokenize;
use crate::text::{printable, to_json};
use crate::train::evaluation::{EvaluationOptions, evaluate};
use crate::train::event::Metrics;
use crate::worker::reviews::evaluation_rows;
use std::io::{IsTerminal, Write};

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
        eprintln!("note: {}", printable(&note));
    }
    if skipped > 0 {
        eprintln!("bad rows left out: {skipped}");
    }
    let examples = tokenize(&loaded.tokenizer, &reviews, loaded.max_seq_length)?;
    let talk = std::io::stderr().is_terminal();
    let options = EvaluationOptions {
        batch_size: flags.per_device_eval_batch_size,
        pad_id: loaded.tokenizer.pad_id(),
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
        writeln!(out, "{}", to_json(&metrics)?)?;
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
