//! Short confirmations below the page: of each request, of its outcome, and of changes that are not
//! obvious from the screen.

use crate::core::named::Named;
use crate::core::train::event::{CommandEffect, Evaluated, TrainEvent};
use crate::run::protocol::Command;
use crate::screen::app::charts::{ChartAction, YRange};
use crate::screen::app::log::Level;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::PendingRequests;
use crate::screen::app::state::{Notice, State};
use crate::screen::display::ThemeChoice;
use crate::screen::lang::Lang;

/// Shows a text for a short time.
fn show(state: &mut State, level: Level, text: String) {
    state.notice = Some(Notice { level, text, since: state.now });
}

/// Shows the translation of a text for a short time.
pub(super) fn inform(state: &mut State, text: &str) {
    show(state, Level::Info, state.lang.tr(text).to_owned());
}

/// Confirms that a command is sent to the run.
pub(super) fn requested(state: &mut State, command: &Command) {
    let lang = state.lang;
    let text = match command {
        // A replay waits at once, and reports no more.
        Command::Pause if state.replay.is_some() => {
            lang.tr("the replay is paused; Space resumes it").to_owned()
        }
        Command::Resume if state.replay.is_some() => lang.tr("the replay goes on").to_owned(),
        Command::Pause => lang.tr("pausing after this step").to_owned(),
        Command::Resume => lang.tr("resuming").to_owned(),
        Command::SaveCheckpoint => lang.tr("checkpoint requested").to_owned(),
        Command::Evaluate => lang.tr("evaluation requested").to_owned(),
        Command::StopAfterEpoch { enabled: true } => lang.tr("stops after this epoch").to_owned(),
        Command::StopAfterEpoch { enabled: false } => {
            lang.tr("does not stop after this epoch").to_owned()
        }
        Command::SetLearningRate { rate } => {
            lang.tr_with("learning rate {0} requested", &[&format!("{rate:.2e}")])
        }
        _ => return,
    };
    show(state, Level::Info, text);
}

/// Says why a request is not sent.
pub(super) fn refused(state: &mut State) {
    let reason = state.why_not_controlled();
    show(state, Level::Warning, state.lang.tr(reason).to_owned());
}

/// Shows the outcome of a request when the run reports it.
pub(super) fn happened(state: &mut State, event: &TrainEvent) {
    if state.replay.is_some() {
        return;
    }
    let lang = state.lang;
    let PendingRequests { checkpoint, evaluation, model, .. } = state.requests;
    match event {
        TrainEvent::CommandApplied(applied) => {
            match applied.effect {
                CommandEffect::CheckpointRequested => state.requests.checkpoint = true,
                CommandEffect::EvaluationRequested => state.requests.evaluation = true,
                _ => {}
            }
            if let (CommandEffect::AlreadyEvaluated, Some(evaluated)) =
                (&applied.effect, &state.evaluated)
            {
                let text = evaluation_text(evaluated, lang);
                return show(state, Level::Result, text);
            }
            let (text, [first, second]) = applied.effect.message();
            let effect = lang.tr_with(text, &[&first, &second]);
            let text = match applied.effect {
                CommandEffect::Paused => "step {0}: {1} (o resumes)",
                _ => "step {0}: {1}",
            };
            show(state, Level::Info, lang.tr_with(text, &[&applied.step, &effect]));
        }
        TrainEvent::Checkpoint(saved) if checkpoint => {
            state.requests.checkpoint = false;
            show(state, Level::Result, lang.tr_with("checkpoint saved in {0}", &[&saved.path]));
        }
        TrainEvent::Evaluated(evaluated) if evaluation => {
            state.requests.evaluation = false;
            show(state, Level::Result, evaluation_text(evaluated, lang));
        }
        TrainEvent::Saved(saved) if model => {
            state.requests.model = false;
            show(state, Level::Result, lang.tr_with("model saved in {0}", &[&saved.path]));
        }
        TrainEvent::Failed(failed) if model => {
            state.requests.model = false;
            show(state, Level::Warning, lang.tr_filled(&failed.message));
        }
        TrainEvent::Warned(warned) => {
            state.requests.checkpoint = false;
            let text = lang.tr_filled(&warned.message);
            show(state, Level::Warning, text);
        }
        _ => {}
    }
}

fn evaluation_text(evaluated: &Evaluated, lang: Lang) -> String {
    let metrics = &evaluated.metrics;
    let [loss, accuracy] =
        [metrics.eval_loss, metrics.eval_accuracy].map(|value| format!("{value:.4}"));
    let text = "evaluation at step {0}: loss {1}, accuracy {2}";
    lang.tr_with(text, &[&evaluated.step, &loss, &accuracy])
}

/// Confirms a change of how the charts are viewed.
pub(super) fn chart(state: &mut State, action: ChartAction) {
    let lang = state.lang;
    let panel = state.runs.as_ref().map_or(state.panels.focus, |runs| runs.metric.panel());
    let text = match action {
        ChartAction::NextAxis => lang.tr_with("x axis: {0}", &[&lang.tr(state.charts.axis.name())]),
        ChartAction::LogY | ChartAction::NextYRange if !panel.is_chart() => {
            lang.tr_with("{0}: no y axis to change", &[&lang.tr(panel.title())])
        }
        ChartAction::LogY => {
            let text = if state.charts.log_y.contains(&panel) {
                "{0}: logarithmic y axis"
            } else {
                "{0}: linear y axis"
            };
            lang.tr_with(text, &[&lang.tr(panel.title())])
        }
        ChartAction::NextYRange => {
            let text = match state.charts.ranges.get(&panel) {
                Some(YRange::Full) => "{0}: y axis of all values",
                Some(YRange::Fixed(_)) => "{0}: fixed y axis",
                _ => "{0}: y axis of typical values",
            };
            lang.tr_with(text, &[&lang.tr(panel.title())])
        }
        ChartAction::AdjustSmoothing(_) => lang.tr_with("smooth {0}", &[&state.smoothing]),
        ChartAction::ZoomOut | ChartAction::Pan(_) | ChartAction::ResetZoom
            if state.charts.window.is_none() =>
        {
            lang.tr("all steps are shown").to_owned()
        }
        ChartAction::Follow => {
            let text = if state.charts.follow { "following" } else { "not following" };
            lang.tr(text).to_owned()
        }
        _ => return,
    };
    show(state, Level::Info, text);
}

/// Confirms a change of the arrangement; `panel` had the focus before.
pub(super) fn panel(state: &mut State, action: PanelAction, panel: Panel) {
    let lang = state.lang;
    let text = match action {
        PanelAction::Hide if state.panels.hidden.contains(&panel) => {
            lang.tr_with("{0} is hidden; U shows it again", &[&lang.tr(panel.title())])
        }
        PanelAction::Hide => lang.tr("the last panel cannot be hidden").to_owned(),
        PanelAction::ShowAll if state.panels.order == Panel::ALL => {
            lang.tr("all panels are shown in their first order").to_owned()
        }
        PanelAction::ShowAll => {
            lang.tr("all panels are shown; U again puts them in their first order").to_owned()
        }
        PanelAction::Move(_) => {
            let shown = state.panels.shown();
            let place = shown.iter().position(|shown| *shown == panel).unwrap_or(0) + 1;
            let text = "{0}: panel {1} of {2}";
            lang.tr_with(text, &[&lang.tr(panel.title()), &place, &shown.len()])
        }
        PanelAction::Columns => match state.panels.columns {
            Some(columns) => lang.tr_with("columns: at most {0}", &[&columns]),
            None => lang.tr("columns: as many as fit").to_owned(),
        },
        _ => return,
    };
    show(state, Level::Info, text);
}

/// Switches to the next theme.
pub(super) fn next_theme(state: &mut State) {
    let all = ThemeChoice::VARIANTS;
    let current = state.theme.unwrap_or_default();
    let index = all.iter().position(|theme| *theme == current).unwrap_or(0);
    let next = all[(index + 1) % all.len()];
    state.theme = Some(next);
    let text = state.lang.tr_with("theme: {0}", &[&next.name()]);
    show(state, Level::Info, text);
}
