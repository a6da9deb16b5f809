//! The panels of an evaluation, each alone.

use super::theme::Theme;
use super::{calibration, classes, panel};
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
            classes::draw(frame, area, panel(theme, "classes"), state, theme);
        } else {
            calibration::draw(frame, area, panel(theme, "calibration"), state, theme);
        }
    });
    terminal.backend().clone()
}

fn hold(name: &str, state: &State) {
    for size in SIZES {
        let snapshot = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(snapshot, screen(name, state, size));
    }
}

/// A run that was judged once, with these classes.
fn judged(labels: &[&str], counts: Option<Vec<Vec<u64>>>) -> State {
    let mut state = State::default();
    let mut started = started();
    started.labels = labels.iter().map(|&label| label.to_owned()).collect();
    let mut told = evaluated(63, 1.0, 0.75, 9.0);
    if let Some(counts) = counts {
        told.metrics.eval_confusion = Confusion { counts };
    }
    for event in [TrainEvent::Started(started), TrainEvent::Evaluated(told)] {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    state
}

fn five() -> State {
    let counts = vec![
        vec![30, 4, 3, 2, 1],
        vec![6, 25, 5, 2, 2],
        vec![0, 0, 0, 9, 1],
        vec![1, 2, 3, 151_000, 4],
        vec![0, 0, 0, 0, 0],
    ];
    judged(&["분노", "슬픔", "아주 아주 긴 이름의 감정", HOSTILE, "joy"], Some(counts))
}

#[test]
fn the_scores_of_each_class() {
    hold("classes_none", &State::default());
    hold("classes_two", &judged(&["negative", "positive"], None));
    hold("classes_five", &five());
}

#[test]
fn confidence_against_accuracy() {
    hold("calibration_none", &State::default());
    hold("calibration", &judged(&["negative", "positive"], None));
}

#[test]
fn an_evaluation_without_bins_is_none() {
    let mut state = judged(&["negative", "positive"], None);
    if let Some(evaluated) = &mut state.evaluated {
        evaluated.metrics.eval_calibration.bins.clear();
    }
    let cells = screen("calibration", &state, (40, 12));
    let text: String = cells.buffer().content().iter().map(Cell::symbol).collect();
    assert!(text.contains("after the first evaluation"), "{text}");
}

#[test]
fn no_size_panics_and_nothing_hostile_is_shown() {
    for state in [State::default(), five(), judged(&[], None)] {
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
