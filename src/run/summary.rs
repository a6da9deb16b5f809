//! The end of a run in words, as Python prints `TrainOutput` and `evaluate()`.

use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::{Evaluated, Finished, Saved, Started};
use crate::run::locate::Download;
pub use crate::run::metric_series::ticks::clock;

/// A number as Python prints a rounded float: at least one decimal, at most four.
fn rounded(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan" } else { "inf" }.to_owned();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

/// `TrainOutput(…)`.
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

/// How a run that was stopped is resumed from its last checkpoint; `None` if it came to its end, or
/// left none to go on from.
pub fn how_to_go_on(
    started: &Started,
    finished: &Finished,
    checkpoint: Option<&Saved>,
) -> Option<String> {
    let only_model = started
        .settings
        .iter()
        .any(|setting| setting.name == "save_only_model" && setting.value == "true");
    if !finished.stopped || only_model || checkpoint.is_none() {
        return None;
    }
    // As it was called, so that the line can be copied after `cargo run` too.
    let program = std::env::args().next().unwrap_or_else(|| "nsmc-tui".to_owned());
    let folder = quoted(&started.output_dir);
    let named = if started.output_dir == "outputs" { String::new() } else { format!(" {folder}") };
    Some(format!(
        "Stopped at step {} of {}. Go on with:\n  {} train --resume-from-checkpoint{named}",
        finished.global_step,
        started.max_steps,
        sanitize_for_terminal(&program)
    ))
}

/// A path as a shell takes it.
pub fn quoted(path: &str) -> String {
    if path.contains(' ') { format!("'{path}'") } else { path.to_owned() }
}

/// The dictionary of `evaluate()`.
pub fn evaluation(evaluated: &Evaluated) -> String {
    let metrics = &evaluated.metrics;
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

/// A number of bytes in the unit that suits it.
fn bytes(count: f64) -> String {
    match count {
        ..1e6 => format!("{:.1} kB", count / 1e3),
        1e6..1e9 => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.2} GB", count / 1e9),
    }
}

/// How far a download has come, on one line.
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
    fn numbers_look_as_pythons_do() {
        assert_eq!(rounded(0.762), "0.762");
        assert_eq!(rounded(10.0), "10.0");
        assert_eq!(rounded(0.123_456), "0.1235");
        assert_eq!(rounded(f64::NAN), "nan");
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        assert_eq!(
            [681.0, 2.9e6, 7.1429e8, 1.8e9].map(bytes),
            ["0.7 kB", "2.9 MB", "714.3 MB", "1.80 GB"]
        );
    }
}
