//! Snapshots of the panels of evaluation metrics, each drawn alone.

use super::theme::Theme;
use super::widgets::titled_block;
use super::{calibration, classes};
use crate::core::train::TrainEvent;
use crate::core::train::fixtures::{evaluated, started};
use crate::core::train::metrics::Confusion;
use crate::run::protocol::RunReport;
use crate::screen::app::{Message, State, update};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;

const SIZES: [(u16, u16); 3] = [(28, 6), (40, 12), (60, 16)];

const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}";

fn screen(name: &str, state: &State, (columns, rows): (u16, u16)) -> TestBackend {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let theme = Theme::new(true);
    let Ok(_) = terminal.draw(|frame| {
        let area = frame.area();
        if name.starts_with("classes") {
            classes::draw(frame, area, titled_block(theme, "classes"), state, theme);
        } else {
            calibration::draw(frame, area, titled_block(theme, "calibration"), state, theme);
        }
    });
    terminal.backend().clone()
}

fn assert_snapshots(name: &str, state: &State) {
    for size in SIZES {
        let snapshot = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(snapshot, screen(name, state, size));
    }
}

/// A run with these classes after one evaluation.
fn evaluated_once(labels: &[&str], counts: Option<Vec<Vec<u64>>>) -> State {
    let mut state = State::default();
    let mut started = started();
    started.labels = labels.iter().map(|&label| label.to_owned()).collect();
    let mut evaluation = evaluated(63, 1.0, 0.75, 9.0);
    if let Some(counts) = counts {
        evaluation.metrics.eval_confusion = Confusion { counts };
    }
    for event in [TrainEvent::Started(started), TrainEvent::Evaluated(evaluation)] {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    state
}

fn five_classes() -> State {
    let counts = vec![
        vec![30, 4, 3, 2, 1],
        vec![6, 25, 5, 2, 2],
        vec![0, 0, 0, 9, 1],
        vec![1, 2, 3, 151_000, 4],
        vec![0, 0, 0, 0, 0],
    ];
    evaluated_once(&["분노", "슬픔", "아주 아주 긴 이름의 감정", HOSTILE, "joy"], Some(counts))
}

#[test]
fn scores_of_each_class() {
    assert_snapshots("classes_none", &State::default());
    assert_snapshots("classes_two", &evaluated_once(&["negative", "positive"], None));
    assert_snapshots("classes_five", &five_classes());
}

#[test]
fn confidence_against_accuracy() {
    assert_snapshots("calibration_none", &State::default());
    assert_snapshots("calibration", &evaluated_once(&["negative", "positive"], None));
}

#[test]
fn an_evaluation_without_bins_shows_the_hint() {
    let mut state = evaluated_once(&["negative", "positive"], None);
    if let Some(evaluated) = &mut state.evaluated {
        evaluated.metrics.eval_calibration.bins.clear();
    }
    let cells = screen("calibration", &state, (40, 12));
    let text: String = cells.buffer().content().iter().map(Cell::symbol).collect();
    assert!(text.contains("after the first evaluation"), "{text}");
}

#[test]
fn no_size_panics_and_control_characters_are_replaced() {
    for state in [Box::default(), Box::new(five_classes()), Box::new(evaluated_once(&[], None))] {
        for name in ["classes", "calibration"] {
            for columns in [1, 2, 3, 10, 27, 28, 29, 36, 52, 53, 300] {
                for rows in [1, 2, 3, 5, 6, 100] {
                    let backend = screen(name, &state, (columns, rows));
                    let cells = backend.buffer().content().iter();
                    let text: String = cells.map(Cell::symbol).collect();
                    assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{name}");
                }
            }
        }
    }
}
