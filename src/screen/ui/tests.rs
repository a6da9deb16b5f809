//! Snapshots of whole screens.

use super::*;
use crate::core::predict::{PAIR_SEPARATOR, Prediction};
use crate::core::train::TrainEvent;
use crate::core::train::event::{PAIR_SETTING, Setting, Started};
use crate::core::train::fixtures::{ending, run, started, step, with_log_entries};
use crate::run::protocol::{Activity, Answer, Download, HistoryChunk, RunReport};
use crate::screen::app::replay::Replay;
use crate::screen::app::{Action, Message, Overlay, update};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

pub(super) const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn state_after(events: Vec<TrainEvent>, activity: Activity) -> State {
    let mut state = State::default();
    let mut now = 0.0;
    for event in with_log_entries(events) {
        match &event {
            TrainEvent::Step(step) => now = step.elapsed,
            TrainEvent::Evaluated(evaluated) => now = evaluated.elapsed,
            _ => {}
        }
        update(&mut state, Message::Tick(now));
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(activity)));
    state
}

/// Draws the state on a screen of this size.
pub(super) fn screen(state: &mut State, (columns, rows): (u16, u16)) -> TestBackend {
    let mut layout = FrameLayout::default();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| layout = draw(frame, state, Theme::new(true)));
    update(state, Message::Drawn(layout));
    terminal.backend().clone()
}

fn assert_snapshots(name: &str, state: &mut State) {
    for size in SIZES {
        let name = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, screen(state, size));
    }
}

fn answer(text: &str, positive: f64, tokens: &[&str]) -> Answer {
    let label = if positive > 0.5 { "positive" } else { "negative" };
    Answer {
        text: text.to_owned(),
        step: None,
        outcome: Ok(Prediction {
            text_pair: None,
            text: text.to_owned(),
            label: label.to_owned(),
            score: positive.max(1.0 - positive),
            probabilities: vec![1.0 - positive, positive],
            calibrated_probabilities: None,
            compared: None,
            logits: vec![0.0, 1.0],
            tokens: tokens.iter().map(|&token| token.to_owned()).collect(),
            unknown: 0,
            truncated: false,
        }),
    }
}

/// Two texts were classified, and another one is being typed.
fn with_predictions() -> State {
    let mut state = state_after([run(630), ending()].concat(), Activity::Idle);
    update(&mut state, Message::Action(Action::ShowPage(Page::Predict)));
    for answer in [
        answer("지루하고 뻔한 이야기", 0.08, &["[CLS]", "지루하고", "뻔한", "이야기", "[SEP]"]),
        answer(
            "정말 재미있는 영화 뷁",
            0.93,
            &["[CLS]", "정말", "재미있는", "영화", "[UNK]", "[SEP]"],
        ),
    ] {
        update(&mut state, Message::Report(RunReport::Answer(answer)));
    }
    update(&mut state, Message::Paste("다시 보고 싶은".to_owned()));
    state
}

#[test]
fn a_download_shows_its_progress() {
    let download = Download {
        file: "model.safetensors".to_owned(),
        done: 123_400_000,
        total: 714_290_000,
        rate: Some(11_800_000.0),
    };
    assert_snapshots("downloading", &mut state_after(Vec::new(), Activity::Downloading(download)));
}

#[test]
fn a_resumed_run_shows_its_history() {
    let mut events = run(200);
    let mut state = State::default();
    if let TrainEvent::Started(mut started) = events.remove(0) {
        started.resumed_at = 200;
        started.resumed_elapsed = 40.0;
        update(&mut state, Message::Report(RunReport::Event(TrainEvent::Started(started))));
    }
    update(&mut state, Message::Report(RunReport::History(HistoryChunk { events, is_last: true })));
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    update(&mut state, Message::Tick(1.0));
    assert_snapshots("resumed", &mut state);
}

#[test]
fn a_replay_is_labelled() {
    let replay = Replay::new(20.0);
    let mut state = State { replay: Some(replay), ..state_after(run(300), Activity::Training) };
    let header = |state: &mut State, columns| {
        let buffer = screen(state, (columns, 24)).buffer().clone();
        let cells = (0..columns).map(|column| buffer[(column, 0)].symbol().to_owned());
        cells.collect::<String>()
    };
    assert!(header(&mut state, 120).contains("replay ×20 · step 300/630 · "));
    assert!(header(&mut state, 60).contains("replay ×20 · step 300/630"));
    state.activity = Activity::Idle;
    assert!(header(&mut state, 120).contains("replay ×20 · cut off · step 300/630"));
    assert!(screen(&mut state, (25, 5)).to_string().contains("Enlarge the window"));
}

#[test]
fn in_the_middle_of_a_run() {
    assert_snapshots("training", &mut state_after(run(300), Activity::Training));
    assert_snapshots(
        "evaluating",
        &mut state_after(run(63)[..65].to_vec(), Activity::Evaluating { done: 640, total: 2000 }),
    );
}

#[test]
fn after_the_run() {
    assert_snapshots("finished", &mut state_after([run(630), ending()].concat(), Activity::Idle));
}

#[test]
fn the_predict_page() {
    assert_snapshots("predict", &mut with_predictions());
}

#[test]
fn a_model_of_pairs_asks_for_two_texts() {
    let mut started = started();
    let pages = |started: Started| {
        let mut state = state_after(vec![TrainEvent::Started(started)], Activity::Training);
        update(&mut state, Message::Action(Action::ShowPage(Page::Predict)));
        screen(&mut state, (80, 24)).to_string()
    };
    assert!(pages(started.clone()).contains("type a review"));
    started.settings.push(Setting {
        name: PAIR_SETTING.to_owned(),
        value: "hypothesis".to_owned(),
        reason: "found".to_owned(),
    });
    let hint = format!("type two texts with {PAIR_SEPARATOR} between them");
    assert!(pages(started).contains(&hint));
}

#[test]
fn settings_and_log() {
    let mut state = state_after(run(300), Activity::Training);
    state.page = Page::Settings;
    assert_snapshots("settings", &mut state);
    state.page = Page::Log;
    assert_snapshots("log", &mut state);
}

#[test]
fn help_and_confirmations() {
    let mut state = state_after(run(300), Activity::Training);
    for (name, overlay) in [
        ("help", Overlay::Help),
        ("confirm_quit", Overlay::ConfirmQuit),
        ("confirm_unsaved", Overlay::ConfirmUnsaved),
    ] {
        state.overlay = Some(overlay);
        assert_snapshots(name, &mut state);
    }
}

#[test]
fn the_smallest_screen_and_one_that_is_too_small() {
    let mut state = state_after(run(300), Activity::Training);
    insta::assert_snapshot!("smallest", screen(&mut state, (60, 15)));
    let mut asked = state.clone();
    asked.overlay = Some(Overlay::ConfirmQuit);
    insta::assert_snapshot!("smallest_confirm_quit", screen(&mut asked, (60, 15)));
    insta::assert_snapshot!("too_small", screen(&mut state, (59, 15)));
}

#[test]
fn no_size_panics() {
    let mut states =
        vec![State::default(), with_predictions(), state_after(run(300), Activity::Training)];
    let mut help = state_after(run(300), Activity::Evaluating { done: 1, total: 2 });
    help.overlay = Some(Overlay::Help);
    states.push(help);
    for state in &mut states {
        for page in Page::ALL {
            state.page = page;
            for columns in [1, 2, 10, 59, 60, 61, 99, 100, 101, 300] {
                for rows in [1, 2, 14, 15, 16, 29, 30, 100] {
                    screen(state, (columns, rows));
                }
            }
        }
    }
}

#[test]
fn without_color_no_cell_has_a_color() {
    let mut state = with_predictions();
    for page in Page::ALL {
        state.page = page;
        let Ok(mut terminal) = Terminal::new(TestBackend::new(120, 40));
        let Ok(_) = terminal.draw(|frame| {
            draw(frame, &state, Theme::new(false));
        });
        let cells = terminal.backend().buffer().content().iter();
        assert!(cells.clone().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        assert!(cells.clone().any(|cell| !cell.modifier.is_empty()));
    }
}

#[test]
fn the_cursor_is_after_the_typed_text() {
    let mut backend = screen(&mut with_predictions(), (80, 24));
    // Border, "> ", and six wide syllables with two spaces.
    let position = (1 + 2 + 14, 2);
    ratatui::backend::Backend::get_cursor_position(&mut backend)
        .map(|cursor| assert_eq!((cursor.x, cursor.y), position))
        .unwrap_or_default();
}

#[test]
fn tokens_never_overwrite_the_border() {
    for columns in [60, 61, 80, 81, 120] {
        let mut state = with_predictions();
        let tokens: Vec<&str> = ["가", "##나", "별로다", "a", "##bc"].repeat(12);
        let long = answer("길다", 0.9, &tokens);
        update(&mut state, Message::Report(RunReport::Answer(long)));
        let backend = screen(&mut state, (columns, 24));
        for row in 5..12 {
            assert_eq!(backend.buffer()[(columns - 1, row)].symbol(), "│", "{columns}, {row}");
        }
    }
}

#[test]
fn control_characters_never_reach_the_screen() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}";
    let mut state = with_predictions();
    let hostile_answer = answer(hostile, 0.9, &[hostile]);
    update(&mut state, Message::Report(RunReport::Answer(hostile_answer)));
    if let Some(started) = &mut state.started {
        started.model = hostile.to_owned();
        started.labels = vec![hostile.to_owned(), hostile.to_owned()];
        started.settings[0].value = hostile.to_owned();
    }
    for page in Page::ALL {
        state.page = page;
        let backend = screen(&mut state, (120, 40));
        let cells = backend.buffer().content().iter();
        let text: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{page:?}");
    }
}

/// The milliseconds that a frame of 200 x 60 cells takes after this many steps.
fn frame_time(steps: u64) -> f64 {
    let mut state = State::default();
    let first = run(1)[..1].to_vec();
    for event in first {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    for i in 1..=steps {
        let loss = if i == 31_000 { 9.0 } else { 0.5 };
        let step = TrainEvent::Step(step(i, loss, i as f64 / 10.0));
        update(&mut state, Message::Report(RunReport::Event(step)));
    }
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let began = std::time::Instant::now();
            screen(&mut state, (200, 60));
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("a frame of 200 x 60 after {steps} steps: {:.2} ms (median of 21)", times[10]);
    times[10]
}

#[test]
fn drawing_time_does_not_grow_with_the_run() {
    let (early, late) = (frame_time(50_000), frame_time(1_000_000));
    assert!(early < 50.0 && late < 50.0, "{early} and {late} ms");
}

/// Whether a symbol is from a text of the user or of the data.
fn is_user_text(symbol: &str) -> bool {
    symbol.chars().all(|c| ('가'..='힣').contains(&c))
}

#[test]
fn in_ascii_mode_only_user_text_is_not_ascii() {
    use crate::screen::display::{DisplayOptions, GlyphChoice};
    let flags = DisplayOptions { glyphs: GlyphChoice::Ascii, ..DisplayOptions::default() };
    let theme = Theme::detect(&flags, |_| None);
    let mut states =
        vec![State::default(), with_predictions(), state_after(run(300), Activity::Training)];
    states
        .push(state_after(run(63)[..65].to_vec(), Activity::Evaluating { done: 640, total: 2000 }));
    for overlay in [Overlay::Help, Overlay::ConfirmQuit, Overlay::ConfirmUnsaved] {
        states.push(State { overlay: Some(overlay), ..state_after(run(300), Activity::Training) });
    }
    for state in &mut states {
        for (page, size) in Page::ALL.into_iter().flat_map(|page| SIZES.map(|size| (page, size))) {
            state.page = page;
            let Ok(mut terminal) = Terminal::new(TestBackend::new(size.0, size.1));
            let Ok(_) = terminal.draw(|frame| {
                draw(frame, state, theme);
            });
            for cell in terminal.backend().buffer().content() {
                let symbol = cell.symbol();
                assert!(symbol.is_ascii() || is_user_text(symbol), "{symbol:?} on {page:?}");
            }
        }
    }
    let state = state_after(run(300), Activity::Training);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(120, 40));
    let Ok(_) = terminal.draw(|frame| {
        draw(frame, &state, theme);
    });
    insta::assert_snapshot!("ascii_training_120x40", terminal.backend());
}
