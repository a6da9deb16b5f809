//! Formats the results of a run as Python prints `TrainOutput` and the metrics of `evaluate()`.

pub use crate::core::text::clock;
use crate::core::train::event::{Evaluated, Finished, Saved, Started};
use crate::run::command_line::resume_command;
use crate::run::protocol::Download;

/// A number as Python prints a rounded float: at least one decimal, at most four.
fn rounded(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan" } else { "inf" }.to_owned();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

/// Formats the results of training as `TrainOutput(…)`.
pub fn train_output(finished: &Finished) -> String {
    let metrics = &finished.metrics;
    format!(
        "TrainOutput(global_step={}, training_loss={}, metrics={{'train_runtime': {}, \
         'train_samples_per_second': {}, 'train_steps_per_second': {}, 'total_flos': {:.4e}, \
         'train_loss': {}, 'epoch': {}}})",
        finished.global_step,
        rounded(finished.training_loss),
        rounded(metrics.train_runtime),
        rounded(metrics.train_samples_per_second),
        rounded(metrics.train_steps_per_second),
        metrics.total_flos,
        rounded(metrics.train_loss),
        rounded(metrics.epoch),
    )
}

/// Whether a run was stopped and has a checkpoint that it can be resumed from.
pub fn can_resume(started: &Started, finished: &Finished, checkpoint: Option<&Saved>) -> bool {
    let only_model = started
        .settings
        .iter()
        .any(|setting| setting.name == "save_only_model" && setting.value == "true");
    finished.stopped && !only_model && checkpoint.is_some()
}

/// A hint on how to resume a stopped run; `None` if it finished, or has no checkpoint that can be
/// resumed from.
pub fn resume_hint(
    started: &Started,
    finished: &Finished,
    checkpoint: Option<&Saved>,
) -> Option<String> {
    if !can_resume(started, finished, checkpoint) {
        return None;
    }
    let folder = Some(started.output_dir.as_str()).filter(|folder| *folder != "outputs");
    Some(format!(
        "Stopped at step {} of {}. Resume with:\n  {}",
        finished.global_step,
        started.max_steps,
        resume_command(folder)
    ))
}

/// Formats the metrics of an evaluation as the dictionary of `evaluate()`.
pub fn evaluation(evaluated: &Evaluated) -> String {
    let metrics = &evaluated.metrics;
    if let (Some(perplexity), None) = (metrics.perplexity, metrics.eval_generator_loss) {
        return format!(
            "{{'eval_loss': {}, 'eval_accuracy': {}, 'perplexity': {}, 'eval_runtime': {}, \
             'eval_samples_per_second': {}, 'epoch': {}}}",
            rounded(metrics.eval_loss),
            rounded(metrics.eval_accuracy),
            rounded(perplexity),
            rounded(metrics.eval_runtime),
            rounded(metrics.eval_samples_per_second),
            rounded(evaluated.epoch),
        );
    }
    format!(
        "{{'eval_loss': {}, 'eval_accuracy': {}, 'eval_f1': {}, 'eval_precision': {}, \
         'eval_recall': {}, 'eval_runtime': {}, 'eval_samples_per_second': {}, 'epoch': {}}}",
        rounded(metrics.eval_loss),
        rounded(metrics.eval_accuracy),
        rounded(metrics.eval_f1),
        rounded(metrics.eval_precision),
        rounded(metrics.eval_recall),
        rounded(metrics.eval_runtime),
        rounded(metrics.eval_samples_per_second),
        rounded(evaluated.epoch),
    )
}

/// Formats a number of bytes in a suitable unit.
fn bytes(count: f64) -> String {
    match count {
        ..1e6 => format!("{:.1} kB", count / 1e3),
        1e6..1e9 => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.2} GB", count / 1e9),
    }
}

/// The progress of a download, on one line.
pub fn download_line(download: &Download) -> String {
    let mut line = format!("downloading {}  {}", download.file, bytes(download.done as f64));
    if download.total > 0 {
        let share = 100.0 * download.done as f64 / download.total as f64;
        line = format!("{line} of {} ({share:.0}%)", bytes(download.total as f64));
    }
    if let Some(rate) = download.rate {
        line = format!("{line}  {}/s", bytes(rate));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_in_python() {
        assert_eq!(rounded(0.762), "0.762");
        assert_eq!(rounded(10.0), "10.0");
        assert_eq!(rounded(0.123_456), "0.1235");
        assert_eq!(rounded(f64::NAN), "nan");
    }

    #[test]
    fn sizes_have_a_suitable_unit() {
        assert_eq!(
            [681.0, 2.9e6, 7.1429e8, 1.8e9].map(bytes),
            ["0.7 kB", "2.9 MB", "714.3 MB", "1.80 GB"]
        );
    }
}
