//! Enlarged panels: their charts over the epochs, as snapshots and read back from the drawn cells.

use super::matrix_tests::{LANGUAGES, all_colors, mono_ascii, screen, state_after, text};
use super::tests::SIZES;
use super::*;
use crate::core::train::fixtures::{ending, run};
use crate::run::protocol::Activity;
use crate::screen::app::panels::Panel;
use crate::screen::lang::Lang;
use epoch_charts::{EpochChart, EpochCurve, Plot, draw_beside};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// The panels with numbers of epochs.
const PANELS: [Panel; 3] = [Panel::Epochs, Panel::Classes, Panel::Calibration];

/// A run of 63 steps an epoch, with a panel enlarged.
fn enlarged(lang: Lang, panel: Panel, epochs: u64) -> State {
    let mut state = state_after(lang, &run(63 * epochs), Activity::Training);
    (state.panels.focus, state.panels.maximized) = (panel, true);
    state
}

#[test]
fn enlarged_panels() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut shown = String::new();
            for panel in PANELS {
                let mut state = enlarged(lang, panel, 3);
                shown.push_str(&text(&screen(&mut state, size, all_colors())));
            }
            let mut state = enlarged(lang, Panel::Epochs, 10);
            shown.push_str(&text(&screen(&mut state, size, mono_ascii())));
            insta::assert_snapshot!(format!("enlarged_{code}_{}x{}", size.0, size.1), shown);
        }
    }
}

#[test]
fn no_enlarged_panel_is_mostly_blank_after_two_epochs() {
    for size in SIZES {
        for panel in PANELS.into_iter().chain([Panel::Loss, Panel::Accuracy, Panel::System]) {
            let mut state = enlarged(Lang::English, panel, 2);
            let buffer = screen(&mut state, size, all_colors());
            let areas = &state.layout.panels;
            let area = areas.iter().find(|(drawn, _)| *drawn == panel).expect("it is drawn").1;
            let rows = area.y + 1..area.y + area.height - 1;
            let is_blank = |row: &u16| {
                let mut cells = area.x + 1..area.x + area.width - 1;
                cells.all(|column| [" ", "│"].contains(&buffer[(column, *row)].symbol()))
            };
            let (blank, all) = (rows.clone().filter(is_blank).count(), rows.len());
            assert!(3 * blank <= all, "{panel:?} at {size:?}: {blank} of {all} rows are blank");
        }
    }
}

/// A chart of evaluations alone, drawn into an area beside a table.
fn drawn(state: &State, (columns, rows): (u16, u16), table: (u16, u16)) -> (Buffer, Vec<Plot>) {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let style = (Theme::new(true).eval(), 'o');
    let chart = |title, value: fn(&_) -> Option<f64>| EpochChart {
        title,
        curves: vec![EpochCurve::new("eval", style, state, value)],
    };
    let charts = [
        chart("loss by epoch", |row| Some(row.eval.as_ref()?.metrics.eval_loss)),
        chart("accuracy by epoch", |row| Some(row.eval.as_ref()?.metrics.eval_accuracy)),
        chart("perplexity by epoch", |row| row.eval.as_ref()?.metrics.perplexity),
    ];
    let mut plots = Vec::new();
    let Ok(_) = terminal.draw(|frame| {
        plots = draw_beside(frame, frame.area(), table, &charts, state, Theme::new(true));
    });
    (terminal.backend().buffer().clone(), plots)
}

#[test]
fn every_epoch_is_in_the_row_and_column_of_its_value() {
    let training = state_after(Lang::English, &run(63 * 4), Activity::Training);
    let ended = state_after(Lang::English, &[run(630), ending()].concat(), Activity::Idle);
    for (state, last) in [(&training, 10.0), (&ended, 10.0)] {
        // Below a table, to its right, and one below the other.
        for (size, table) in [((118, 30), (50, 5)), ((118, 30), (50, 29)), ((40, 44), (40, 5))] {
            let (buffer, plots) = drawn(state, size, table);
            assert_eq!(plots.len(), 2, "a chart without values is left out");
            for (number, (plot, [low, high])) in plots.into_iter().enumerate() {
                for row in &state.epochs {
                    let metrics = &row.eval.as_ref().expect("it was evaluated").metrics;
                    let value = [metrics.eval_loss, metrics.eval_accuracy][number];
                    let dots = f64::from(plot.height) * 4.0 - 1.0;
                    let down = ((high - value) / (high - low) * dots).round() / 4.0;
                    let dots = f64::from(plot.width) * 2.0 - 1.0;
                    let across = ((row.number as f64 - 1.0) / (last - 1.0) * dots).round() / 2.0;
                    let cell = &buffer[(plot.x + across as u16, plot.y + down as u16)];
                    assert_eq!(cell.symbol(), "•", "epoch {}: {value} at {size:?}", row.number);
                }
            }
        }
    }
}

#[test]
fn without_room_there_is_no_chart() {
    let state = state_after(Lang::English, &run(630), Activity::Training);
    for size in [(1, 1), (35, 40), (118, 6), (118, 12)] {
        let (_, plots) = drawn(&state, size, (118, 11));
        assert!(plots.is_empty() || size.1 > 12, "{size:?}");
    }
    assert!(drawn(&State::default(), (118, 40), (0, 0)).1.is_empty());
}
