//! Measures how many bytes the dashboard writes to its terminal and how fast it responds to keys,
//! and tests what happens if its output is not read.
//!
//! This is a separate test binary: Cargo runs test binaries one after another, so that no other
//! test affects the measurements.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a failed test stops with a message")]

#[expect(dead_code, reason = "most of it is for tests/integration")]
mod support;

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::terminal::Terminal;

/// A run of a tiny model that trains until it is stopped: hundreds of steps per second on two cores.
const RUN: [&str; 14] = [
    "--max-steps",
    "1000000",
    "--eval-strategy",
    "no",
    "--save-strategy",
    "no",
    "--report-to",
    "none",
    "--max-eval-samples",
    "32",
    "--per-device-train-batch-size",
    "4",
    "--config-overrides",
    "hidden_size=48,intermediate_size=96,num_hidden_layers=1",
];

/// The measurement is invalid below this many steps per second: every frame then has new steps, so
/// that more of them do not change what is written.
const MIN_STEPS_PER_SECOND: f64 = 60.0;

/// Held by tests that need most of the computer, so that they do not run at the same time.
static COMPUTER: Mutex<()> = Mutex::new(());

/// The duration of the measurement of bytes.
const SPAN: Duration = Duration::from_secs(16);

/// The number before a unit on the screen.
fn number_before(text: &str, unit: &str) -> Option<f64> {
    text.split(unit).next()?.split_whitespace().last()?.parse().ok()
}

/// The bytes per second while training, and the bytes during five seconds after its end.
fn measure(flags: &[&str]) -> (f64, u64) {
    let _computer = COMPUTER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut terminal = Terminal::start_program(&[&RUN[..], flags].concat());
    terminal.wait_for("steps/s");
    // After this many events, the charts are full.
    terminal.wait_for_events(500);
    let while_training = terminal.bytes_per_second(SPAN);
    let steps = number_before(&terminal.text(), " steps/s");
    terminal.press("q");
    terminal.wait_for("Keep training");
    terminal.press("s");
    terminal.wait_for("model saved in");
    terminal.wait_for("stopped · step");
    std::thread::sleep(Duration::from_secs(2));
    let before = terminal.bytes();
    std::thread::sleep(Duration::from_secs(5));
    let idle = terminal.bytes() - before;
    assert!(steps.is_some_and(|steps| steps >= MIN_STEPS_PER_SECOND), "only {steps:?} steps/s");
    println!("{flags:?}: {while_training:.0} bytes/s at {steps:?} steps/s, {idle} bytes when idle");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    (while_training, idle)
}

#[test]
fn training_sends_under_10_kb_a_second_and_an_idle_dashboard_nothing() {
    let (while_training, idle) = measure(&[]);
    assert!(while_training < 10_000.0, "{while_training} bytes/s");
    assert_eq!(idle, 0);
}

#[test]
fn low_bandwidth_sends_under_2500_bytes_a_second() {
    let (while_training, idle) = measure(&["--low-bandwidth"]);
    assert!(while_training < 2_500.0, "{while_training} bytes/s");
    assert_eq!(idle, 0);
}

/// The maximum time from a key to the page that it opens. Builds with debug assertions are tested
/// while compilers and other tests run: for them, the limit only distinguishes an immediate
/// response from one that waits for the next frame or for training.
const MAX_LATENCY: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 50 });

#[test]
fn keys_are_answered_at_once_while_training_uses_all_cores() {
    let _computer = COMPUTER.lock().unwrap_or_else(PoisonError::into_inner);
    let endless = ["--max-steps", "1000000", "--eval-strategy", "no", "--save-strategy", "no"];
    let mut terminal = Terminal::start_program(&[&endless[..], &["--report-to", "none"]].concat());
    terminal.wait_for("steps/s");
    let mut latencies: Vec<Duration> = (0..100)
        .map(|press| {
            let (key, page) =
                if press % 2 == 0 { ("3", "╭ settings ") } else { ("4", "╭ log ") };
            // Keys are pressed at different times between two frames.
            std::thread::sleep(Duration::from_millis(30 + press * 37 % 100));
            terminal.press(key);
            terminal.wait_screen(page, |screen| {
                screen.rows(0, 20).nth(1).is_some_and(|row| row.starts_with(page))
            })
        })
        .collect();
    latencies.sort();
    let (median, worst) = (latencies[50], latencies[98]);
    println!("from a key to its page: {median:?} (median), {worst:?} (99th percentile)");
    assert!(worst < MAX_LATENCY, "{worst:?}");
    terminal.press("1qy");
    assert_eq!(terminal.exit_code(), 0);
}

/// The maximum time from a key to the answer of a model that is being trained: less than a step takes,
/// between whose layers it is answered. In builds with debug assertions a step takes seconds beside
/// other tests.
const MAX_ANSWER: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3000 } else { 60 });

/// The predict page of a run that uses all cores.
fn predict_page() -> Terminal {
    let endless = ["--max-steps", "1000000", "--eval-strategy", "no", "--save-strategy", "no"];
    let mut terminal = Terminal::start_program(&[&endless[..], &["--report-to", "none"]].concat());
    terminal.wait_for("steps/s");
    terminal.press("2");
    terminal.wait_for("type a review");
    terminal
}

/// Whether the text has an answer, which shows it below the field.
fn is_answered(screen: &vt100::Screen, text: &str) -> bool {
    screen.rows(0, 40).any(|row| row.starts_with(&format!("│{text}")))
}

/// The median and the 99th percentile of a hundred times.
fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[50], times[98])
}

#[test]
fn questions_are_answered_at_once_while_training_uses_all_cores() {
    let _computer = COMPUTER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut terminal = predict_page();
    let latencies: Vec<Duration> = (0..100u64)
        .map(|question| {
            let text = format!("question {question} .");
            // Questions are asked at different times within a step. The text is not answered before
            // Enter, which asks about it.
            std::thread::sleep(Duration::from_millis(question * 37 % 100));
            terminal.press(&format!("{text}\r"));
            terminal.wait_screen(&text, |screen| {
                let is_empty = screen.contents().contains("type a review");
                is_empty && is_answered(screen, &text)
            })
        })
        .collect();
    let (median, worst) = percentiles(latencies);
    println!("from Enter to the answer: {median:?} (median), {worst:?} (99th percentile)");
    assert!(worst < MAX_ANSWER, "{worst:?}");
    terminal.press("\tqy");
    assert_eq!(terminal.exit_code(), 0);
}

/// The time between two keys of a fast typist: eight a second.
const BETWEEN_KEYS: Duration = Duration::from_millis(125);

#[test]
fn the_last_typed_key_is_answered_at_once_while_training_uses_all_cores() {
    let _computer = COMPUTER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut terminal = predict_page();
    let latencies: Vec<Duration> = (0..100u64)
        .map(|number| {
            // The field is cleared, and the last answer with it.
            terminal.press("\x15");
            terminal.wait_for("type a review");
            let text = format!("text {number:02}");
            let (first, last) = text.split_at(text.len() - 1);
            for key in first.chars() {
                terminal.press(&key.to_string());
                std::thread::sleep(BETWEEN_KEYS);
            }
            // Keys are pressed at different times within a step.
            std::thread::sleep(Duration::from_millis(number * 37 % 100));
            terminal.press(last);
            terminal.wait_screen(&text, |screen| is_answered(screen, &text))
        })
        .collect();
    let (median, worst) = percentiles(latencies);
    println!(
        "from the last typed key to the answer, nothing left out: {median:?} (median), {worst:?} \
         (99th percentile)"
    );
    assert!(worst < MAX_ANSWER, "{worst:?}");
    terminal.press("\tqy");
    assert_eq!(terminal.exit_code(), 0);
}

/// The least rate of steps while one types, as a share of that before and after. Other processes of the
/// computer disturb the measurement, most of all in builds with debug assertions, where a step is long.
const LEAST_RATE: f64 = if cfg!(debug_assertions) { 0.3 } else { 0.6 };

/// How long the rate of steps is measured.
const RATE_SPAN: Duration = Duration::from_secs(12);

/// The steps per second in the following seconds, in which `during` is called again and again.
fn steps_per_second(terminal: &mut Terminal, mut during: impl FnMut(&mut Terminal)) -> f64 {
    let (events, began) = (terminal.events(), Instant::now());
    while began.elapsed() < RATE_SPAN {
        during(terminal);
    }
    (terminal.events() - events) as f64 / began.elapsed().as_secs_f64()
}

#[test]
fn training_is_hardly_slower_while_one_types() {
    let _computer = COMPUTER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut terminal = predict_page();
    let mut idle = steps_per_second(&mut terminal, |_| std::thread::sleep(BETWEEN_KEYS));
    // Sentences of 40 characters, after each of which its words are explained.
    let mut keys =
        "정말 재미있는 영화였는데 결말이 조금 아쉬웠지만 배우들의 연기가 좋았다 ".chars().cycle();
    let mut typed = 0;
    let typing = steps_per_second(&mut terminal, |terminal| {
        typed += 1;
        let key = keys.next().unwrap_or(' ');
        terminal.press(&if typed % 40 == 0 { "\x15".to_owned() } else { key.to_string() });
        std::thread::sleep(if typed % 40 == 39 { 8 * BETWEEN_KEYS } else { BETWEEN_KEYS });
    });
    idle =
        f64::midpoint(idle, steps_per_second(&mut terminal, |_| std::thread::sleep(BETWEEN_KEYS)));
    let slower = 100.0 * (1.0 - typing / idle);
    println!(
        "{idle:.2} steps/s, {typing:.2} while one types eight keys a second: {slower:.1} % less"
    );
    assert!(typing > LEAST_RATE * idle, "{typing} steps/s instead of {idle}");
    terminal.press("\tqy");
    assert_eq!(terminal.exit_code(), 0);
}

/// The resident memory of a process in bytes, on systems with `/proc`.
fn memory(process: &str) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

/// Stops reading, and makes the program draw until the terminal's buffers are full.
fn stop_reading(terminal: &mut Terminal) {
    terminal.pause_reading(true);
    for _ in 0..8 {
        terminal.press("343");
        std::thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn training_does_not_wait_for_a_terminal_that_is_not_read() {
    let mut terminal = Terminal::start_program(&RUN);
    terminal.wait_for("steps/s");
    stop_reading(&mut terminal);
    let (events, before) = (terminal.events(), memory(&terminal.process()));
    std::thread::sleep(Duration::from_secs(5));
    let added = terminal.events() - events;
    assert!(added > 100, "training waits for the screen: {added} events");
    if let (Some(before), Some(after)) = (before, memory(&terminal.process())) {
        assert!(after < before + (64 << 20), "memory grew from {before} to {after}");
    }
    terminal.press("1");
    terminal.pause_reading(false);
    // The screen is up to date at once: frames that were not read are skipped.
    let delay = terminal.wait_screen("the current page", |screen| {
        let text = screen.contents();
        let step = number_before(text.split(" · step ").nth(1).unwrap_or(""), "/");
        text.contains("╭ progress") && step.is_some_and(|step| step > events as f64)
    });
    println!("up to date {delay:?} after reading resumes, {added} events later");
    terminal.press("q");
    terminal.wait_for("Keep training");
    terminal.press("y");
    assert_eq!(terminal.exit_code(), 0);
    terminal.wait_for("classify texts:");
    terminal.assert_restored();
}

#[test]
fn a_signal_ends_the_run_while_the_terminal_is_not_read() {
    let mut terminal = Terminal::start_program(&RUN);
    terminal.wait_for("steps/s");
    stop_reading(&mut terminal);
    let killed = Command::new("kill").args(["-TERM", &terminal.process()]).status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(terminal.exit_code(), 143);
    assert!(terminal.is_saved());
    terminal.pause_reading(false);
    terminal.wait_for("classify texts:");
    terminal.assert_restored();
}
