//! Updates by reports of the run.

use super::{run_control, session};
use crate::core::train::event::{Epoch, Evaluated, TrainEvent};
use crate::run::protocol::{Activity, HistoryChunk, RunReport};
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::page::Overlay;
use crate::screen::app::state::{EpochRow, State};

/// Applies a report.
pub(super) fn push(state: &mut State, report: RunReport) -> Vec<Effect> {
    match report {
        RunReport::Activity(activity) => {
            state.activity = activity;
            if state.activity == Activity::Idle {
                run_control::run_ended(state);
                state.stopping = false;
                if state.overlay == Some(Overlay::ConfirmQuit) {
                    state.overlay = None;
                }
                if state.quitting {
                    state.quitting = false;
                    return super::quit(state);
                }
            }
        }
        RunReport::Answer(answer) => state.prompt.push_answer(answer),
        RunReport::Event(event) => push_event(state, event),
        RunReport::System(sample) => state.system.push(sample),
        RunReport::Recorded(events) => {
            for event in events {
                session::push_recorded(state, event);
            }
        }
        RunReport::Session(status) => session::push_status(state, &status),
        RunReport::Refused(reason) | RunReport::Lost(reason) => {
            state.lost = Some(reason);
            return vec![Effect::Quit];
        }
        RunReport::History(HistoryChunk { events, is_last }) => {
            for event in events {
                apply_event(state, event);
            }
            if is_last {
                let text = state.lang.tr_with("resumed from step {0}", &[&state.steps_done()]);
                state.log.push(state.elapsed(), Level::Info, text);
            }
        }
    }
    Vec::new()
}

/// Logs an event that occurred just now and applies it.
fn push_event(state: &mut State, event: TrainEvent) {
    if let Some(replay) = &mut state.replay {
        replay.push_event(&event, state.now);
    }
    let elapsed = state.elapsed();
    state.log.push_event(&event, elapsed, state.lang);
    if let TrainEvent::CommandApplied(applied) = &event {
        run_control::applied(state, applied);
    }
    apply_event(state, event);
}

/// Applies an event to everything but the log.
pub(super) fn apply_event(state: &mut State, event: TrainEvent) {
    state.history.apply(&event);
    match event {
        TrainEvent::Started(started) => {
            state.began = Some(state.now);
            state.started = Some(started);
        }
        TrainEvent::Step(step) => {
            state.throughput.push_step(&step);
            state.step = Some(step);
        }
        TrainEvent::Epoch(epoch) => {
            let row = epoch_row(state, epoch.epoch);
            row.train = Some(epoch);
        }
        TrainEvent::Evaluated(evaluated) => push_evaluation(state, evaluated),
        TrainEvent::BestLoaded(evaluated) => state.evaluated = Some(evaluated),
        TrainEvent::Checkpoint(saved) => {
            state.throughput.push_checkpoint(&saved);
            state.checkpoint = Some(saved);
        }
        TrainEvent::Warned(_)
        | TrainEvent::Logged(_)
        | TrainEvent::EvaluationProgress(_)
        | TrainEvent::SavingCheckpoint => {}
        TrainEvent::CommandApplied(applied) => run_control::record(state, applied),
        TrainEvent::Saved(saved) => {
            state.saved = Some(saved);
            // Saving again clears a failed save, but not the failure of a run.
            if state.finished.is_some() {
                state.failed = None;
            }
        }
        TrainEvent::Finished(finished) => state.finished = Some(finished),
        TrainEvent::Failed(failed) => state.failed = Some(failed),
    }
}

fn push_evaluation(state: &mut State, evaluated: Evaluated) {
    state.throughput.push_evaluation(&evaluated);
    let pretrains = state.is_pretraining();
    let better = |best: &Evaluated| {
        let (ours, best) = (&evaluated.metrics, &best.metrics);
        if pretrains {
            ours.eval_loss < best.eval_loss
        } else {
            ours.eval_accuracy > best.eval_accuracy
        }
    };
    if state.best.as_ref().is_none_or(better) {
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
