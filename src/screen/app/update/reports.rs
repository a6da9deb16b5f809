//! Updates by reports of the run.

use super::{confirm, probes, run_control, session, words};
use crate::core::train::event::{Epoch, Evaluated, RolledBack, TrainEvent};
use crate::run::protocol::{Activity, HistoryChunk, Notification, NotifyEvent, RunReport};
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::page::{Overlay, Page};
use crate::screen::app::state::{EpochRow, State};

/// The most stages of a preparation that are kept.
const MAX_STAGES: usize = 12;

/// Applies a report.
pub(super) fn push(state: &mut State, report: RunReport) -> Vec<Effect> {
    match report {
        RunReport::Activity(activity) => {
            if let Activity::Preparing(stage) = &activity
                && state.stages.len() < MAX_STAGES
                && state.stages.last().is_none_or(|(last, _)| last != stage)
            {
                state.stages.push((stage.clone(), state.now));
            }
            state.activity = activity;
            if state.activity == Activity::Idle {
                state.stopping = false;
                // The request for the stop, or another one, is of the past.
                state.notice.take_if(|notice| notice.level == Level::Info);
                run_control::run_ended(state);
                // The page shows the worst mistake, unless it is in use.
                if state.page != Page::Mistakes && !state.mistakes.is_left_for_predict {
                    state.mistakes.selected = 0;
                }
                if state.overlay == Some(Overlay::ConfirmQuit) {
                    state.overlay = None;
                }
                if state.quitting {
                    state.quitting = false;
                    return super::quit(state);
                }
            }
        }
        RunReport::Answer(answer) => words::push_answer(state, answer),
        RunReport::Explained(explanation) => state.words.push(explanation),
        RunReport::Event(event) => push_event(state, event),
        RunReport::Notification(notification) => {
            log_notification(state, &notification);
            return vec![Effect::Notify(notification)];
        }
        RunReport::System(sample) => state.system.push(sample),
        RunReport::Recorded(events) => {
            for event in events {
                push_recorded(state, event);
            }
        }
        RunReport::Session(status) => session::push_status(state, &status),
        RunReport::Refused(reason) | RunReport::Lost(reason) => {
            state.lost = Some(reason);
            return vec![Effect::Quit];
        }
        RunReport::History(HistoryChunk { events, is_last }) => {
            for event in events {
                match event {
                    TrainEvent::System(measured) => state.system.push(measured.into()),
                    event => apply_event(state, event),
                }
            }
            if is_last {
                let text = state.lang.tr_with("resumed from step {0}", &[&state.steps_done()]);
                state.log.push(state.elapsed(), Level::Info, text);
            }
        }
    }
    Vec::new()
}

/// Logs what no event of the run tells.
fn log_notification(state: &mut State, notification: &Notification) {
    let step = notification.step;
    let text = match notification.event {
        NotifyEvent::Spike => {
            state.lang.tr_with("step {0}: the loss is far above its usual range", &[&step])
        }
        NotifyEvent::Stall => state.lang.tr_with("no progress since step {0}", &[&step]),
        NotifyEvent::Disk => {
            state.lang.tr("the disk has room for fewer than two checkpoints").to_owned()
        }
        _ => return,
    };
    state.log.push(state.elapsed(), Level::Warning, text);
}

/// Logs an event that occurred just now and applies it.
fn push_event(state: &mut State, event: TrainEvent) {
    if let Some(replay) = &mut state.replay {
        replay.push_event(&event, state.now);
    }
    log_event(state, &event);
    if let TrainEvent::CommandApplied(applied) = &event {
        run_control::applied(state, applied);
    }
    confirm::happened(state, &event);
    apply_event(state, event);
}

/// Applies an event from before the dashboard attached to the run, as if it had been shown.
fn push_recorded(state: &mut State, event: TrainEvent) {
    if let TrainEvent::System(measured) = event {
        return state.system.push(measured.into());
    }
    log_event(state, &event);
    apply_event(state, event);
}

/// Logs an event at its time. One without a time has that of the event before it, so that a run and its
/// recording have the same log; measures of the load do not count, of which a recording has fewer.
fn log_event(state: &mut State, event: &TrainEvent) {
    if matches!(event, TrainEvent::System(_)) {
        return;
    }
    if let Some(elapsed) = event.elapsed().filter(|elapsed| elapsed.is_finite()) {
        state.event_time = state.event_time.max(elapsed);
    }
    state.log.push_event(event, state.event_time, state.lang);
}

/// Applies an event to everything but the log.
fn apply_event(state: &mut State, event: TrainEvent) {
    state.history.apply(&event);
    match event {
        TrainEvent::Started(started) => {
            state.began = Some(state.now);
            state.started = Some(started);
        }
        TrainEvent::Step(step) => {
            state.throughput.push_step(&step);
            let loss = state.history.loss.last().unwrap_or(step.loss);
            state.watch.push_step(step.step, loss, step.learning_rate);
            state.step = Some(step);
            run_control::refresh_rate(state);
        }
        TrainEvent::Epoch(epoch) => {
            let row = epoch_row(state, epoch.epoch);
            row.train = Some(epoch);
        }
        TrainEvent::Evaluated(evaluated) => push_evaluation(state, evaluated),
        TrainEvent::BestLoaded(evaluated) => {
            state.mistakes.best_loaded(evaluated.step);
            state.evaluated = Some(evaluated);
        }
        TrainEvent::Checkpoint(saved) => {
            state.throughput.push_checkpoint(&saved);
            state.checkpoint = Some(saved);
        }
        TrainEvent::CommandApplied(applied) => run_control::record(state, applied),
        TrainEvent::Ranks(ranks) => state.system.ranks = Some(ranks),
        // The load of this computer is sampled here, too.
        TrainEvent::System(measured) if state.has_recorded_load() => {
            state.system.push(measured.into());
        }
        TrainEvent::RolledBack(rolled_back) => roll_back(state, &rolled_back),
        TrainEvent::Saved(saved) => {
            state.saved = Some(saved);
            // Saving again clears a failed save, but not the failure of a run.
            if state.finished.is_some() {
                state.failed = None;
            }
        }
        TrainEvent::Finished(finished) => state.finished = Some(finished),
        TrainEvent::Failed(failed) => state.failed = Some(failed),
        TrainEvent::System(_)
        | TrainEvent::Warned(_)
        | TrainEvent::Logged(_)
        | TrainEvent::EvaluationProgress(_)
        | TrainEvent::SavingCheckpoint => {}
    }
}

/// Removes what belongs to steps after the checkpoint that the run went back to.
fn roll_back(state: &mut State, to: &RolledBack) {
    state.mistakes.rolled_back(to.step);
    state.watch.truncate(to.step);
    if let Some(step) = &mut state.step
        && let Some((_, loss, _)) = state.history.loss.at(to.step as f64)
    {
        (step.step, step.epoch, step.loss) = (to.step, to.epoch, loss);
        step.grad_norm = state.history.grad_norm.last().unwrap_or(f64::NAN);
    } else {
        state.step = None;
    }
    for row in &mut state.epochs {
        row.train.take_if(|epoch| epoch.step > to.step);
        row.eval.take_if(|evaluated| evaluated.step > to.step);
    }
    state.epochs.retain(|row| row.train.is_some() || row.eval.is_some());
    let pretrains = state.is_pretraining();
    let evaluations = || state.epochs.iter().filter_map(|row| row.eval.as_ref());
    let best = evaluations()
        .reduce(|best, next| if is_better(pretrains, next, best) { next } else { best });
    let (best, last) = (best.cloned(), evaluations().next_back().cloned());
    if state.best.as_ref().is_some_and(|best| best.step > to.step) {
        state.best = best;
    }
    if state.evaluated.as_ref().is_some_and(|evaluated| evaluated.step > to.step) {
        state.evaluated = last;
    }
    state.applied_commands.retain(|applied| applied.step <= to.step);
}

/// Whether an evaluation is better than another one: by its loss in pretraining, else by its accuracy.
fn is_better(pretrains: bool, one: &Evaluated, other: &Evaluated) -> bool {
    let (one, other) = (&one.metrics, &other.metrics);
    if pretrains {
        one.eval_loss < other.eval_loss
    } else {
        one.eval_accuracy > other.eval_accuracy
    }
}

fn push_evaluation(state: &mut State, evaluated: Evaluated) {
    state.throughput.push_evaluation(&evaluated);
    state.mistakes.evaluated(evaluated.step);
    state.panels.has_probes |= !evaluated.probes.is_empty();
    probes::evaluated(state, &evaluated);
    state.watch.push_evaluation(&evaluated);
    let pretrains = state.is_pretraining();
    if state.best.as_ref().is_none_or(|best| is_better(pretrains, &evaluated, best)) {
        state.best = Some(evaluated.clone());
    }
    // An evaluation during an epoch belongs to that epoch.
    let number = (evaluated.epoch - 1e-6).ceil().max(1.0) as u64;
    epoch_row(state, number).eval = Some(evaluated.clone());
    state.evaluated = Some(evaluated);
}

/// The row of an epoch, which is added if it is new.
fn epoch_row(state: &mut State, number: u64) -> &mut EpochRow {
    let found = state.epochs.iter().position(|row| row.number == number);
    let index = found.unwrap_or_else(|| {
        state.epochs.push(EpochRow { number, train: None::<Epoch>, eval: None });
        state.epochs.len() - 1
    });
    &mut state.epochs[index]
}
