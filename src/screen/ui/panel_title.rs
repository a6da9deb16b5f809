//! The texts in a panel's border.

use crate::core::text::truncate_width;
use crate::screen::app::State;
use crate::screen::app::charts::{XAxis, YRange};
use crate::screen::app::panels::Panel;

/// The most columns of the name of a class.
const CLASS: usize = 16;

/// The title of a panel of the training page.
pub fn panel_title(panel: Panel, state: &State) -> String {
    let name = match panel {
        Panel::Accuracy if state.is_language_model() => "accuracy",
        panel => panel.title(),
    };
    let title = chart_title(name, panel, state);
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    match (panel, labels) {
        // Of two classes, the probability of the second one is drawn; else that of the answer.
        (Panel::Probes, [_, second]) => format!("{title} · p({})", truncate_width(second, CLASS)),
        (Panel::Probes, _) => format!("{title} · p({})", state.lang.tr("answer")),
        _ => title,
    }
}

/// A chart's title: its name and the options of its y axis, if any differ from the default.
pub fn chart_title(name: &str, panel: Panel, state: &State) -> String {
    let mut parts = vec![name];
    if state.charts.log_y.contains(&panel) {
        parts.push("log y");
    }
    match state.charts.ranges.get(&panel) {
        Some(YRange::Full) => parts.push("full"),
        Some(YRange::Fixed(_)) => parts.push("fixed"),
        _ => {}
    }
    let parts: Vec<&str> = parts.into_iter().map(|part| state.lang.tr(part)).collect();
    parts.join(" · ")
}

/// What the charts show: the quantity of the x axes, the smoothing, and the steps in view.
pub fn chart_view_note(state: &State, is_smoothed: bool) -> String {
    let lang = state.lang;
    let mut parts = vec![lang.tr(state.charts.axis.name()).to_owned()];
    if is_smoothed {
        parts.push(lang.tr_with("smooth {0}", &[&state.smoothing]));
    }
    if state.charts.window.is_some() {
        let [from, to] = state.charts.visible_steps(state.last_step());
        let mode = lang.tr(if state.charts.follow { "following" } else { "zoomed" });
        // On another axis, the numbers are named.
        let of = if state.charts.axis == XAxis::Step { "" } else { lang.tr("steps ") };
        parts.push(format!("{mode} {of}{from:.0}-{to:.0}"));
    }
    format!(" {} ", parts.join(" · "))
}
