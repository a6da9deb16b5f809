//! The lines of the start of a run, of evaluations without classes, of pinned sentences and of ranks.

use crate::core::text::{show_number, truncate_width};
use crate::core::train::event::{Evaluated, Probe, RanksMeasured, Started};
use std::io::Write;

/// Prints an evaluation on texts without labels.
pub(super) fn write_pretraining_evaluation(
    evaluated: &Evaluated,
    perplexity: f64,
    out: &mut (impl Write + ?Sized),
) -> anyhow::Result<()> {
    let metrics = &evaluated.metrics;
    write!(
        out,
        "epoch {:.2}  eval_loss {:.4}  eval_accuracy {:.4}  ",
        evaluated.epoch, metrics.eval_loss, metrics.eval_accuracy
    )?;
    if let Some(loss) = metrics.eval_generator_loss {
        write!(
            out,
            "eval_recall {:.4}  eval_precision {:.4}  eval_generator_loss {loss:.4}  ",
            metrics.eval_recall, metrics.eval_precision
        )?;
    }
    writeln!(
        out,
        "perplexity {perplexity:.2}  ({} in {:.1} s)",
        counted(metrics.eval_samples as f64, "sample"),
        metrics.eval_runtime
    )?;
    Ok(out.flush()?)
}

/// A number of things, whose plural ends with an s.
pub(super) fn counted(count: f64, name: &str) -> String {
    let plural = if count == 1.0 { "" } else { "s" };
    format!("{} {name}{plural}", show_number(count))
}

/// The columns of a pinned sentence.
const SENTENCE: usize = 60;

/// Prints the answers to pinned sentences.
pub(super) fn write_probes(
    probes: &[Probe],
    out: &mut (impl Write + ?Sized),
) -> std::io::Result<()> {
    for probe in probes {
        let score = probe.probabilities.iter().copied().fold(f64::NAN, f64::max);
        let sentence = truncate_width(&probe.text, SENTENCE);
        writeln!(out, "  {} {:.4}  {sentence}", probe.label, score)?;
    }
    Ok(())
}

/// Prints how the processes of a run did.
pub(super) fn write_ranks(
    measured: &RanksMeasured,
    out: &mut (impl Write + ?Sized),
) -> std::io::Result<()> {
    for rank in &measured.ranks {
        writeln!(out, "{rank}")?;
    }
    match measured.unlisted() {
        0 => Ok(()),
        unlisted => writeln!(out, "… {}", counted(unlisted as f64, "more rank")),
    }
}

/// Prints the properties and settings of a run.
pub(super) fn write_started(
    started: &Started,
    out: &mut (impl Write + ?Sized),
) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {}, {:.2} M parameters",
        started.model,
        started.architecture,
        started.parameters as f64 / 1e6
    )?;
    writeln!(
        out,
        "{} training and {}, {} an epoch, {} in all ({})",
        started.train_samples,
        counted(started.eval_samples as f64, "evaluation sample"),
        counted(started.steps_per_epoch as f64, "step"),
        started.max_steps,
        counted(started.num_train_epochs, "epoch"),
    )?;
    let labels = started.labels.join(", ");
    match &started.labels[..] {
        [] => {}
        [_, positive] => writeln!(out, "classes: {labels}; F1 is that of {positive}")?,
        _ => writeln!(out, "{} classes: {labels}; F1 is their mean", started.labels.len())?,
    }
    for setting in &started.settings {
        writeln!(out, "  {} = {} ({})", setting.name, setting.value, setting.reason)?;
    }
    for note in &started.notes {
        writeln!(out, "note: {note}")?;
    }
    if started.resumed_at > 0 {
        writeln!(out, "resuming after step {}", started.resumed_at)?;
    }
    Ok(())
}
