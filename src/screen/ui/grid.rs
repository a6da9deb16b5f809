//! The training page: progress, and above it the panels as the user has arranged them.

use super::theme::Theme;
use super::{
    calibration, classes, confusion, curves, epochs, log, panel as framed, progress, system, tables,
};
use crate::screen::app::charts::YRange;
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::{FrameLayout, State};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::Line;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let [panels, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(5)]).areas(area);
    let arrangement = &state.arrangement;
    let (rows, page, pages) = arrangement.page(panels.width, panels.height);
    let (columns, lines) = arrangement.grid(panels.width, panels.height);
    layout.panels_per_page = columns * lines;
    let heights = Layout::vertical(vec![Constraint::Fill(1); rows.len()]).split(panels);
    for (row, room) in rows.iter().zip(heights.iter()) {
        let widths = Layout::horizontal(vec![Constraint::Fill(1); row.len()]).split(*room);
        for (panel, room) in row.iter().zip(widths.iter()) {
            draw_panel(frame, *room, *panel, state, theme, layout);
        }
    }
    progress::draw(frame, below, state, theme, &place(state, page, pages));
}

/// Where on the pages the panels in view are, if they are not all there are.
fn place(state: &State, page: usize, pages: usize) -> String {
    let arrangement = &state.arrangement;
    let hidden = match arrangement.hidden.len() {
        0 => String::new(),
        hidden => format!(" · {}", state.lang.fill("{0} hidden", &[&hidden])),
    };
    match () {
        () if arrangement.maximised => {
            let shown = arrangement.shown();
            let at = shown.iter().position(|panel| *panel == arrangement.focus).unwrap_or(0);
            let place = state.lang.fill("panel {0}/{1}", &[&(at + 1), &shown.len()]);
            place + &hidden
        }
        () if pages > 1 => state.lang.fill("panels {0}/{1}", &[&(page + 1), &pages]) + &hidden,
        () => hidden.trim_start_matches(" · ").to_owned(),
    }
}

/// The words in a panel's frame, with what sets its chart apart.
pub fn title(panel: Panel, state: &State) -> String {
    let name = match panel {
        Panel::Loss => "loss",
        Panel::Accuracy => "accuracy · F1",
        Panel::Epochs => "epochs",
        Panel::Log => "log",
        Panel::LearningRate => "learning rate",
        Panel::GradNorm => "gradient norm",
        Panel::Throughput => "throughput",
        Panel::System => "system",
        Panel::Confusion => "confusion",
        Panel::Classes => "classes",
        Panel::Calibration => "calibration",
        Panel::Settings => "settings",
    };
    let mut words = vec![name];
    if state.charts.log_y.contains(&panel) {
        words.push("log y");
    }
    match state.charts.ranges.get(&panel) {
        Some(YRange::Whole) => words.push("whole"),
        Some(YRange::Fixed(_)) => words.push("fixed"),
        _ => {}
    }
    let words: Vec<&str> = words.into_iter().map(|word| state.lang.tr(word)).collect();
    words.join(" · ")
}

fn draw_panel(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Rect { x, y, width, height } = area;
    layout.panels.push((panel, Area { x, y, width, height }));
    let mut block = framed(theme, title(panel, state));
    if panel == state.arrangement.focus {
        block = block.border_style(theme.focus());
        if panel.is_chart() {
            block = block.title_bottom(how_it_is_seen(state, theme));
        }
    }
    let inner = block.inner(area);
    match panel {
        _ if panel.is_chart() => curves::draw(frame, area, panel, block, state, theme, layout),
        Panel::Epochs => {
            frame.render_widget(block, area);
            epochs::draw(frame, inner, state, theme);
        }
        Panel::Confusion => {
            frame.render_widget(block, area);
            confusion::draw_panel(frame, inner, state, theme);
        }
        Panel::System => {
            frame.render_widget(block, area);
            system::draw(frame, inner, state, theme);
        }
        Panel::Settings => {
            tables::draw_settings(frame, area, state, theme, block, 0);
        }
        Panel::Classes => classes::draw(frame, area, block, state, theme),
        Panel::Calibration => calibration::draw(frame, area, block, state, theme),
        _ => log::draw_tail(frame, area, state, theme, block),
    }
}

/// What the x axes count, how curves are smoothed, and whether the window goes with the run.
fn how_it_is_seen(state: &State, theme: Theme) -> Line<'static> {
    let lang = state.lang;
    let axis = lang.tr(state.charts.axis.name());
    let mut text = format!("{axis} · {}", lang.fill("smooth {0}", &[&state.smoothing]));
    if state.charts.window.is_some() {
        let [from, to] = state.charts.view(state.steps_done() as f64);
        let how = lang.tr(if state.charts.follow { "following" } else { "zoomed" });
        text = format!("{text} · {how} {from:.0}-{to:.0}");
    }
    Line::styled(format!(" {text} "), theme.dim()).alignment(Alignment::Right)
}
