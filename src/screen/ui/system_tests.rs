//! The panel of the machine, held as snapshots.

use super::*;
use crate::screen::app::replay::Replay;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const GIB: u64 = 1 << 30;

/// A machine with so many cards, seen for so many samples.
fn seen(cards: u32, samples: u32) -> State {
    let mut state = State::default();
    for i in 0..samples {
        let wave = 0.5 + 0.45 * (f64::from(i) * 0.4).sin();
        let gpu = |index: u32| GpuSample {
            index,
            name: "NVIDIA H200 141GB HBM3e".to_owned(),
            load: (index != 3).then_some(wave),
            memory_used: u64::from(i % 100) * GIB,
            memory_total: 140 * GIB,
            temperature_celsius: (index != 3).then_some(40.0 + 30.0 * wave),
            power_watts: Some(100.0 + 500.0 * wave),
            power_limit_watts: (index != 2).then_some(700.0),
        };
        state.system.push(SystemSample {
            cpu: wave,
            process_cpu: 16.0 * wave,
            memory_used: 3 * GIB + u64::from(i) * GIB / 4,
            memory_total: 24 * GIB,
            process_memory: 2 * GIB,
            gpus: (0..cards).map(gpu).collect(),
            elapsed: f64::from(i) * 2.0,
        });
    }
    state
}

fn drawn(state: &State, columns: u16, rows: u16) -> TestBackend {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| draw(frame, frame.area(), state, Theme::new(true)));
    terminal.backend().clone()
}

#[test]
fn the_machine_at_every_size() {
    for (name, cards) in [
        ("unmeasured", None),
        ("no_card", Some(0)),
        ("one_card", Some(1)),
        ("eight_cards", Some(8)),
    ] {
        let state = cards.map_or_else(State::default, |cards| seen(cards, 50));
        for (columns, rows) in [(26, 6), (60, 8), (100, 12)] {
            let name = format!("system_{name}_{columns}x{rows}");
            insta::assert_snapshot!(name, drawn(&state, columns, rows));
        }
    }
}

#[test]
fn no_size_of_the_machine_panics() {
    for cards in [0, 1, 3, 8] {
        for samples in [0, 1, 200] {
            let state = seen(cards, samples);
            for columns in (0..70).chain([120, 300]) {
                for rows in (0..14).chain([40]) {
                    drawn(&state, columns, rows);
                }
            }
        }
    }
}

#[test]
fn the_smallest_panel_holds_the_machine_and_a_card() {
    let text = drawn(&seen(1, 3), 24, 3).to_string();
    for figure in ["CPU", "RAM", "GPU0", "4/24 GiB", "82 %"] {
        assert!(text.contains(figure), "{figure} is missing in\n{text}");
    }
}

#[test]
fn a_replay_says_that_it_measures_nothing() {
    let state = State { replay: Some(Replay::new(20.0)), ..State::default() };
    let text = drawn(&state, 40, 3).to_string();
    assert!(text.contains("a replay measures no machine"), "{text}");
}
