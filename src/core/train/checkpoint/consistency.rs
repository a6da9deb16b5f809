//! Checks that the state files of a checkpoint agree with each other and with its folder's name. A
//! checkpoint may come from anywhere, so its numbers are not trusted.

use crate::core::model::config::MAX_LABELS;
use crate::core::train::early_stopping::check_counter;
use crate::core::train::event::{Evaluated, OBJECTIVE_SETTING};
use crate::core::train::metrics::Confusion;
use crate::core::train::progress::{Progress, RunState};
use crate::core::train::trainer_state::TrainerState;
use std::ops::RangeInclusive;
use std::path::{Component, Path};

/// The largest count: every whole number up to it is a double, too.
const MAX_COUNT: u64 = 1 << 53;

/// The longest run, in seconds: 300 years.
const MAX_SECONDS: f64 = 1e10;

/// The most parts of a batch, which has at most 2²⁴ examples.
const MAX_DIVISION: usize = 1 << 25;

/// The largest factor between the rate that was set by hand and the scheduled one.
const MAX_RATE_FACTOR: f64 = 1e12;

/// The sum of the losses of a run. A cross-entropy is not negative, but for rounding.
const LOSSES: RangeInclusive<f64> = -1.0..=1e15;

/// Checks the states of a checkpoint of which the folder's name says that it is of step `named`, if
/// it says so.
///
/// # Errors
/// If they contradict each other or contain an impossible number; the error describes it.
pub(super) fn check(
    named: Option<u64>,
    state: &TrainerState,
    run: &RunState,
) -> Result<(), String> {
    let step = run.progress.step;
    if let Some(named) = named.filter(|named| *named != step) {
        return Err(format!(
            "its folder is named after step {named}, but its state is of step {step}"
        ));
    }
    if state.global_step != step {
        return Err(format!(
            "trainer_state.json is of step {}, but nsmc_tui_state.json of step {step}",
            state.global_step
        ));
    }
    if run.optimizer_steps != step {
        let steps = run.optimizer_steps;
        return Err(format!("its state is of step {step}, but its optimizer took {steps} steps"));
    }
    check_counter(&state.stateful_callbacks)?;
    check_steps(state, &run.progress)?;
    // A language model has no classes.
    let least_classes = usize::from(!run.options.contains_key(OBJECTIVE_SETTING));
    check_numbers(state, &run.progress, least_classes)
}

/// Checks that nothing is of a step after the checkpoint's.
fn check_steps(state: &TrainerState, progress: &Progress) -> Result<(), String> {
    let step = progress.step;
    let best = progress.best.as_ref().map(|best| best.step);
    if best != state.best_global_step {
        return Err(format!(
            "the best step is {:?} in one file and {best:?} in the other",
            state.best_global_step
        ));
    }
    let logged = state.log_history.iter().filter_map(|entry| entry.get("step")?.as_u64());
    let later = [
        ("evaluated_at", progress.evaluated_at),
        ("saved_at", progress.saved_at),
        ("best_global_step", best),
        ("epoch.steps", Some(progress.epoch.steps)),
        ("since_logged.steps", Some(progress.since_logged.steps)),
        ("log_history", logged.max()),
    ];
    if let Some((name, Some(at))) = later.iter().find(|(_, at)| *at > Some(step)) {
        return Err(format!("{name} is {at}, which is after its step {step}"));
    }
    if progress.all.steps != step {
        let steps = progress.all.steps;
        return Err(format!("its losses are of {steps} steps, but its step is {step}"));
    }
    Ok(())
}

/// Checks that all numbers are possible.
fn check_numbers(
    state: &TrainerState,
    progress: &Progress,
    least_classes: usize,
) -> Result<(), String> {
    let counts = [
        ("step", progress.step),
        ("samples", progress.samples as u64),
        ("padded_tokens", progress.padded_tokens as u64),
    ];
    if let Some((name, count)) = counts.iter().find(|(_, count)| *count > MAX_COUNT) {
        return Err(format!("{name} is {count}, which is impossible"));
    }
    if !(1..=MAX_DIVISION).contains(&progress.batch_division) {
        return Err(format!("batch_division is {}, which is impossible", progress.batch_division));
    }
    let amounts = [
        ("elapsed", progress.elapsed, 0.0..=MAX_SECONDS),
        ("rate_factor", progress.rate_factor, f64::MIN_POSITIVE..=MAX_RATE_FACTOR),
        ("epoch", state.epoch, 0.0..=f64::MAX),
        ("total_flos", state.total_flos, 0.0..=f64::MAX),
        ("all.loss", progress.all.loss, LOSSES),
        ("epoch.loss", progress.epoch.loss, LOSSES),
        ("since_logged.loss", progress.since_logged.loss, LOSSES),
    ];
    if let Some((name, value, _)) = amounts.iter().find(|(_, value, range)| !range.contains(value))
    {
        return Err(format!("{name} is {value}, which is impossible"));
    }
    let confusion = &progress.confusion;
    let classes = confusion.counts.len();
    let all = total(confusion, classes).filter(|_| classes >= least_classes);
    let all = all.ok_or("its confusion matrix is damaged")?;
    if all > progress.samples as u64 {
        let samples = progress.samples;
        return Err(format!("its confusion matrix counts {all} of {samples} samples"));
    }
    match &progress.best {
        Some(Evaluated { metrics, .. }) => total(&metrics.eval_confusion, classes)
            .map(drop)
            .ok_or_else(|| "the confusion matrix of its best evaluation is damaged".to_owned()),
        None => Ok(()),
    }
}

/// The sum of a square matrix of this size; `None` if it is another or impossibly large.
fn total(confusion: &Confusion, classes: usize) -> Option<u64> {
    let rows = &confusion.counts;
    let is_square = rows.len() == classes && rows.iter().all(|row| row.len() == classes);
    if !is_square || classes > MAX_LABELS {
        return None;
    }
    let sum = rows.iter().flatten().try_fold(0u64, |sum, count| sum.checked_add(*count));
    sum.filter(|sum| *sum <= MAX_COUNT)
}

/// Whether a path stays below the folder that it is relative to, as far as its text says.
pub(super) fn is_below(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}
