//! The learning rate that the schedule has for the next step, which a new rate replaces.

use super::state::State;
use crate::core::train::event::{CommandEffect, Started};
use crate::core::train::schedule::Schedule;

/// The rate that a new one replaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextRate {
    /// The rate.
    pub rate: f64,
    /// Whether it is the peak of the schedule, since the next step has a rate of 0, as the first step
    /// of a warm-up has.
    pub is_peak: bool,
}

/// The schedule of a run by its settings; `None` if they do not tell it.
fn schedule(started: &Started) -> Option<Schedule> {
    let kind = started.setting("lr_scheduler_type")?.parse().ok()?;
    let base = started.setting("learning_rate")?.parse().ok()?;
    let warmup: f64 = started.setting("warmup_steps").unwrap_or("0").parse().ok()?;
    let whole = started.max_steps;
    let warmup = if warmup < 1.0 { (warmup * whole as f64).ceil() } else { warmup };
    Some(Schedule::new(kind, base, warmup as u64, whole))
}

/// The rate of the next step, with all changes so far; the rate of the latest step if the schedule is
/// not known. `None` before the first step of such a run.
pub fn next_rate(state: &State) -> Option<NextRate> {
    let latest = state.step.as_ref().map(|step| step.learning_rate).filter(|rate| *rate > 0.0);
    let Some(schedule) = state.started.as_ref().and_then(schedule) else {
        return latest.map(|rate| NextRate { rate, is_peak: false });
    };
    let step = state.steps_done();
    let of_step = |step: u64| match schedule.rate(step) {
        rate if rate > 0.0 => NextRate { rate, is_peak: false },
        _ => NextRate { rate: schedule.base(), is_peak: true },
    };
    let changed = state.applied_commands.iter().rev().find_map(|applied| match applied.effect {
        CommandEffect::LearningRateChanged { to, .. } => Some((applied.step, to)),
        _ => None,
    });
    // What changed since the latest step is not in its rate, nor is a change of a rate of 0.
    let factor = match (changed, latest) {
        (Some((at, to)), None) => to / of_step(at).rate,
        (Some((at, to)), _) if at >= step => to / of_step(at).rate,
        (_, Some(latest)) => {
            let scheduled = schedule.rate(step.saturating_sub(1));
            if scheduled > 0.0 { latest / scheduled } else { 1.0 }
        }
        (None, None) => 1.0,
    };
    let next = of_step(step);
    let rate = next.rate * factor;
    (rate.is_finite() && rate > 0.0).then_some(NextRate { rate, ..next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::{CommandApplied, Setting, Step};
    use crate::core::train::fixtures::{started, step};

    /// A run of 630 steps with a rate of 3e-4 and this warm-up, after so many steps.
    fn after(steps: u64, warmup: &str, factor: f64) -> State {
        let mut started = started();
        started.settings.push(Setting {
            name: "warmup_steps".to_owned(),
            value: warmup.to_owned(),
            reason: "flag".to_owned(),
        });
        let schedule = schedule(&started).expect("the settings have it");
        let mut state = State { started: Some(started), ..State::default() };
        if let Some(latest) = steps.checked_sub(1) {
            let learning_rate = factor * schedule.rate(latest);
            state.step = Some(Step { learning_rate, ..step(steps, 0.5, 1.0) });
        }
        state
    }

    fn change(state: &mut State, step: u64, to: f64) {
        let effect = CommandEffect::LearningRateChanged { from: 0.0, to };
        let applied = CommandApplied { step, epoch: 0.0, elapsed: 0.0, effect };
        state.applied_commands.push(applied);
    }

    fn rate(state: &State) -> (String, bool) {
        let next = next_rate(state).expect("a rate");
        (format!("{:.3e}", next.rate), next.is_peak)
    }

    #[test]
    fn it_is_that_of_the_schedule_at_the_next_step() {
        assert_eq!(rate(&after(0, "0.1", 1.0)), ("3.000e-4".to_owned(), true), "step 1 has 0");
        // Not 0, which the first step had.
        assert_eq!(rate(&after(1, "0.1", 1.0)), ("4.762e-6".to_owned(), false));
        assert_eq!(rate(&after(30, "60", 1.0)), ("1.500e-4".to_owned(), false));
        assert_eq!(rate(&after(315, "0", 1.0)), ("1.500e-4".to_owned(), false));
        assert_eq!(rate(&after(315, "0", 0.5)), ("7.500e-5".to_owned(), false), "it was changed");
    }

    #[test]
    fn changes_count_before_a_step_has_used_them() {
        let mut state = after(315, "0", 1.0);
        change(&mut state, 315, 2e-5);
        assert_eq!(rate(&state), ("2.000e-5".to_owned(), false));
        let mut state = after(0, "0.1", 1.0);
        change(&mut state, 0, 6e-4);
        assert_eq!(rate(&state), ("6.000e-4".to_owned(), true), "the peak");
        state.step = Some(Step { learning_rate: 0.0, ..step(1, 0.5, 1.0) });
        assert_eq!(rate(&state), ("9.524e-6".to_owned(), false));
    }

    #[test]
    fn without_settings_it_is_that_of_the_latest_step() {
        let mut state = after(315, "0", 1.0);
        if let Some(started) = &mut state.started {
            started.settings.clear();
        }
        let latest = state.step.as_ref().map(|step| step.learning_rate);
        assert_eq!(next_rate(&state).map(|next| next.rate), latest);
        state.step = None;
        assert_eq!(next_rate(&state), None);
    }
}
