//! What the dashboard sends to its terminal, how soon it answers, and what becomes of it when
//! nobody reads.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on should stop with a word")]

mod support;
#[path = "support/wire.rs"]
mod wire;

use std::time::{Duration, Instant};
use wire::{PATIENCE, Wire};

/// A run of a tiny model that goes on until it is stopped: more than a thousand steps a second where
/// it has two cores to itself, and hundreds beside the other tests.
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

/// Steps a second at the least, for the traffic to mean something.
const PACE: f64 = 200.0;

/// How long bytes are counted.
const SPAN: Duration = Duration::from_secs(16);

/// The figure before a word on the screen.
fn figure(text: &str, unit: &str) -> Option<f64> {
    text.split(unit).next()?.split_whitespace().last()?.parse().ok()
}

/// Bytes a second while training at least at [`PACE`], and in all of a span after its end.
fn measure(more: &[&str]) -> (f64, u64) {
    let mut wire = Wire::to_program(&[&RUN[..], more].concat());
    wire.wait_for("steps/s");
    // The charts have something to show by then.
    let began = Instant::now();
    while wire.events() < 500 {
        assert!(began.elapsed() < PATIENCE, "the run does not get on:\n{}", wire.text());
        std::thread::sleep(Duration::from_millis(50));
    }
    let while_training = wire.traffic(SPAN);
    let steps = figure(&wire.text(), " steps/s");
    wire.press("q");
    wire.wait_for("Keep training");
    wire.press("s");
    wire.wait_for("model saved in");
    wire.wait_for("stopped · step");
    std::thread::sleep(Duration::from_secs(2));
    let before = wire.bytes();
    std::thread::sleep(Duration::from_secs(5));
    let idle = wire.bytes() - before;
    let words = if more.is_empty() { "as usual" } else { "with little bandwidth" };
    assert!(steps.is_some_and(|steps| steps >= PACE), "only {steps:?} steps/s");
    println!("{words}: {while_training:.0} bytes/s at {steps:?} steps/s, {idle} bytes when idle");
    wire.press("q");
    assert_eq!(wire.end(), 0);
    (while_training, idle)
}

#[test]
fn training_sends_little_and_an_idle_dashboard_nothing() {
    let (while_training, idle) = measure(&[]);
    assert!(while_training < 10_000.0, "{while_training} bytes/s");
    assert_eq!(idle, 0);
}

#[test]
fn with_little_bandwidth_it_is_a_quarter() {
    let (while_training, idle) = measure(&["--low-bandwidth"]);
    assert!(while_training < 2_500.0, "{while_training} bytes/s");
    assert_eq!(idle, 0);
}

/// A press in a release build has to be answered within what feels immediate. Builds with debug
/// assertions run on busy machines, beside compilers and other tests: there the bound only tells
/// an answer at once from one that waits for the next frame or for training.
const ANSWERED: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 50 });

#[test]
fn keys_are_answered_at_once_while_training_uses_all_cores() {
    let endless = ["--max-steps", "1000000", "--eval-strategy", "no", "--save-strategy", "no"];
    let mut wire = Wire::to_program(&[&endless[..], &["--report-to", "none"]].concat());
    wire.wait_for("steps/s");
    let mut took: Vec<Duration> = (0..100)
        .map(|press| {
            let (key, page) =
                if press % 2 == 0 { ("3", "╭ settings ") } else { ("4", "╭ log ") };
            // At all moments between two frames.
            std::thread::sleep(Duration::from_millis(30 + press * 37 % 100));
            wire.press(key);
            let is_there = |screen: &vt100::Screen| {
                screen.rows(0, 20).nth(1).is_some_and(|row| row.starts_with(page))
            };
            wire.wait(page, is_there)
        })
        .collect();
    took.sort();
    let (median, worst) = (took[50], took[98]);
    println!("from a key to its page: {median:?} (median), {worst:?} (99 of 100)");
    assert!(worst < ANSWERED, "{worst:?}");
    wire.press("1qy");
    assert_eq!(wire.end(), 0);
}

/// The memory a process holds, in bytes, where the system tells.
fn memory(process: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

#[test]
fn a_link_that_does_not_read_holds_up_nothing_but_drawing() {
    let mut wire = Wire::to_program(&RUN);
    wire.wait_for("steps/s");
    wire.hold(true);
    // Enough for what the system itself keeps of a terminal to be full.
    for _ in 0..8 {
        wire.press("343");
        std::thread::sleep(Duration::from_millis(400));
    }
    let process = wire.child.process_id().expect("a process");
    let (events, held) = (wire.events(), memory(process));
    std::thread::sleep(Duration::from_secs(5));
    let went_on = wire.events() - events;
    assert!(went_on > 100, "training waits for the screen: {went_on} events");
    if let (Some(before), Some(after)) = (held, memory(process)) {
        assert!(after < before + (64 << 20), "memory grew from {before} to {after}");
    }
    wire.press("1");
    wire.hold(false);
    // The screen is up to date at once, with no frame of what it missed.
    let late = wire.wait("the page", |screen| {
        let step = figure(screen.contents().split(" · step ").nth(1).unwrap_or(""), "/");
        screen.contents().contains("╭ progress") && step.is_some_and(|step| step > events as f64)
    });
    println!("up to date {late:?} after the link reads again, {went_on} events later");
    wire.press("q");
    wire.wait_for("Keep training");
    wire.press("y");
    assert_eq!(wire.end(), 0);
    wire.wait_for("TrainOutput(");
    wire.assert_given_back();
}

#[test]
fn a_signal_ends_the_run_though_nobody_reads() {
    let mut wire = Wire::to_program(&RUN);
    wire.wait_for("steps/s");
    wire.hold(true);
    for _ in 0..8 {
        wire.press("343");
        std::thread::sleep(Duration::from_millis(400));
    }
    let process = wire.child.process_id().expect("a process").to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &process]).status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(wire.end(), 143);
    assert!(wire.outputs().join("model.safetensors").is_file());
    wire.hold(false);
    wire.wait_for("TrainOutput(");
    wire.assert_given_back();
}
