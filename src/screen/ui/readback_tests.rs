//! Reads drawn screens back: every evaluation point, axis label and reference line is in the row of
//! its value, and every value at the cursor can be read.

use super::tests::SIZES;
use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::event::{CommandApplied, CommandEffect, Setting};
use crate::core::train::fixtures::{run, started};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::charts::XAxis;
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::{Message, update};
use crate::screen::lang::Lang;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// A run that is comparable with the tutorial's, with changes of the rate.
fn comparable(lang: Lang) -> State {
    let mut state = State { lang, ..State::default() };
    let mut events = run(630);
    let mut start = started();
    for (name, value) in
        [("train_file", "NSMC"), ("validation_file", "NSMC"), ("shuffle_seed", "42")]
    {
        let (name, value) = (name.to_owned(), value.to_owned());
        start.settings.push(Setting { name, value, reason: "embedded".to_owned() });
    }
    events[0] = TrainEvent::Started(start);
    for step in [10, 200, 620] {
        let effect = CommandEffect::LearningRateChanged { from: 1e-4, to: 5e-5 };
        let applied = CommandApplied { step, epoch: 1.0, elapsed: step as f64 / 8.0, effect };
        events.push(TrainEvent::CommandApplied(applied));
    }
    for event in events {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    state
}

fn drawn(state: &mut State, (columns, rows): (u16, u16)) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let mut layout = FrameLayout::default();
    let Ok(_) = terminal.draw(|frame| layout = draw(frame, state, Theme::new(true)));
    update(state, Message::Drawn(layout));
    terminal.backend().buffer().clone()
}

/// The row of a value in a plot of Braille dots, four a cell, computed independently of the drawing.
fn row_of(value: f64, [low, high]: [f64; 2], plot: Area) -> u16 {
    let dots = f64::from(plot.height) * 4.0 - 1.0;
    let dot = ((high - value) / (high - low) * dots).round();
    plot.y + (dot / 4.0).floor() as u16
}

fn column_of(value: f64, [low, high]: [f64; 2], plot: Area) -> u16 {
    let dots = f64::from(plot.width) * 2.0 - 1.0;
    plot.x + (((value - low) / (high - low) * dots).round() / 2.0).floor() as u16
}

fn text_of_row(buffer: &Buffer, row: u16, columns: std::ops::Range<u16>) -> String {
    columns.map(|column| buffer[(column, row)].symbol()).collect()
}

/// The plot of a panel and the range of its y axis in the last frame.
fn plot_of(state: &State, panel: Panel) -> (Area, [f64; 2]) {
    let plot = state.layout.plots.iter().find(|(drawn, _)| *drawn == panel);
    (plot.expect("the chart is drawn").1, state.layout.y_ranges[&panel])
}

#[test]
fn every_point_label_and_reference_line_is_in_the_row_of_its_value() {
    for (lang, size) in
        [Lang::English, Lang::Korean].into_iter().flat_map(|lang| SIZES.map(|size| (lang, size)))
    {
        let mut state = comparable(lang);
        let buffer = drawn(&mut state, size);
        let steps = [0.0, state.last_step()];
        for (panel, curves) in [
            (Panel::Loss, vec![&state.history.eval_loss]),
            (Panel::Accuracy, vec![&state.history.eval_accuracy, &state.history.eval_f1]),
        ] {
            let (plot, range) = plot_of(&state, panel);
            for curve in curves {
                for step in (63..=630).step_by(63).map(f64::from) {
                    let (_, value, _) = curve.at(step).expect("an evaluation");
                    let (column, row) = (column_of(step, steps, plot), row_of(value, range, plot));
                    let symbol = buffer[(column, row)].symbol();
                    assert_eq!(symbol, "•", "{panel:?} {value} at step {step}, {size:?}");
                }
            }
            let mut labels = 0;
            for row in plot.y..plot.y + plot.height {
                let start = plot.x.saturating_sub(8);
                let text = text_of_row(&buffer, row, start..plot.x - 1);
                let text = text.rsplit('│').next().unwrap_or_default().trim().to_owned();
                if let Ok(value) = text.parse::<f64>() {
                    assert_eq!(row, row_of(value, range, plot), "{panel:?}: {text} at {size:?}");
                    labels += 1;
                }
            }
            assert!(labels >= 2, "{panel:?} has {labels} labels at {size:?}");
        }
        let (plot, range) = plot_of(&state, Panel::Accuracy);
        let row = row_of(0.762, range, plot);
        let style = Theme::new(true).baseline().fg;
        let dotted = (plot.x..plot.x + plot.width).filter(|column| {
            let cell = &buffer[(*column, row)];
            Some(cell.fg) == style && !["│", "┊", " "].contains(&cell.symbol())
        });
        assert!(dotted.count() >= usize::from(plot.width) / 4, "no line of 0.762 at {size:?}");
        let name = lang.tr("tutorial").replace(' ', "");
        let near = (row.saturating_sub(1)..=row + 1).any(|row| {
            let text = text_of_row(&buffer, row, plot.x..plot.x + plot.width).replace(' ', "");
            text.contains(&name)
        });
        assert!(near, "no name at the line of 0.762 at {size:?}");
    }
}

#[test]
fn the_last_evaluation_is_drawn_on_an_axis_of_time() {
    for (axis, size) in
        [XAxis::Relative, XAxis::Wall].into_iter().flat_map(|axis| SIZES.map(|size| (axis, size)))
    {
        let mut state = comparable(Lang::English);
        (state.charts.axis, state.wall_clock) = (axis, Some(1.7e9));
        let buffer = drawn(&mut state, size);
        let (plot, range) = plot_of(&state, Panel::Loss);
        let (_, value, _) = state.history.eval_loss.at(630.0).expect("an evaluation");
        let column = plot.x + plot.width - 1;
        let symbol = buffer[(column, row_of(value, range, plot))].symbol();
        assert_eq!(symbol, "•", "{axis:?} at {size:?}");
    }
}

#[test]
fn every_value_at_the_cursor_can_be_read_at_every_size() {
    let sizes = [(60, 15), (61, 20), (76, 24), (80, 24), (100, 30), (120, 40), (200, 60)];
    for (lang, size) in
        [Lang::English, Lang::Korean].into_iter().flat_map(|lang| sizes.map(|size| (lang, size)))
    {
        for panel in [Panel::Loss, Panel::Accuracy] {
            let mut state = comparable(lang);
            state.panels.focus = panel;
            state.charts.cursor = Some(300.0);
            let buffer = drawn(&mut state, size);
            let area = state.layout.panels.iter().find(|(drawn, _)| *drawn == panel);
            let area = area.expect("the panel is drawn").1;
            let rows = area.y + 1..area.y + area.height - 1;
            let text: String = rows
                .map(|row| text_of_row(&buffer, row, area.x..area.x + area.width))
                .collect::<Vec<_>>()
                .join("\n");
            let history = &state.history;
            let curves = match panel {
                Panel::Loss => vec![&history.loss, &history.eval_loss],
                _ => vec![
                    &history.eval_accuracy,
                    &history.eval_f1,
                    &history.train_accuracy,
                    &history.train_f1,
                ],
            };
            assert!(text.contains("300"), "no step at {size:?}: {text}");
            // The last evaluation before it.
            assert!(size.0 < 100 || text.contains("@252"), "{panel:?} at {size:?}:\n{text}");
            for curve in curves {
                let value = format!("{:.3}", curve.at(300.0).expect("a value").1);
                assert!(text.contains(&value), "{panel:?}: no {value} at {size:?}:\n{text}");
            }
        }
    }
}
