//! A run played back: in lines, as JSON, and in a pseudo-terminal.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on should stop with a word")]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use support::{TINY, nsmc_tui, out};
use terminal::Terminal;

/// A folder with a finished run in `outputs`, and what the run said.
fn finished() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = [&["train", "--plain", "--logging-steps", "1"][..], &TINY].concat();
    let said = out(&nsmc_tui(folder.path(), &flags));
    assert!(said.contains("TrainOutput(global_step=6"), "{said}");
    (folder, said)
}

#[test]
fn a_replay_says_what_the_run_said() {
    let (folder, said) = finished();
    let replay = ["replay", "--speed", "max", "--plain"];
    assert_eq!(out(&nsmc_tui(folder.path(), &replay)), said);

    let json = out(&nsmc_tui(folder.path(), &["replay", "--speed", "max", "--json"]));
    let journal = folder.path().join("outputs/events.jsonl");
    let written = std::fs::read_to_string(&journal).expect("a journal");
    assert_eq!(json, written);

    // What was printed is a journal too, and one that broke off in the middle of a line.
    let kept: usize = written.lines().take(4).map(|line| line.len() + 1).sum();
    std::fs::write(folder.path().join("run.jsonl"), &written[..kept + 9]).expect("room");
    let cut = nsmc_tui(folder.path(), &["replay", "run.jsonl", "--speed", "max", "--plain"]);
    let lines = out(&cut);
    assert!(said.starts_with(&lines) && lines.contains("step 3/6"), "{lines}");
    let talk = String::from_utf8_lossy(&cut.stderr).into_owned();
    assert!(talk.contains("the run was interrupted, or is still running"), "{talk}");
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.txt"), "just a text\n").expect("room");
    for (run, words) in [
        ("outputs", "error: outputs: no such file or folder. Name the folder of a run"),
        (".", "error: .: no events.jsonl in it. Name the folder of a run"),
        (
            "notes.txt",
            "error: notes.txt:1: not an event of a run (expected value). Name the folder",
        ),
    ] {
        let output = nsmc_tui(folder.path(), &["replay", run]);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(talk.starts_with(words), "{talk}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = nsmc_tui(folder.path(), &["replay", "--speed", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_replay_is_watched_and_left() {
    let (folder, _) = finished();
    let outputs = folder.path().join("outputs").display().to_string();
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "max"], &[]);
    let text = terminal.wait_for("replay · finished");
    assert!(text.contains("╭ loss") && text.contains("step 6  loss"), "{text}");
    // The curve of the loss is drawn in braille.
    assert!(text.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{text}");
    assert!(text.contains("no system metrics in a replay"), "{text}");
    terminal.press("2");
    terminal.wait_for("a replay has no model");
    terminal.press("최고\r");
    terminal.wait("an answer", |text| text.matches("a replay has no model").count() > 1);
    terminal.press("\x1b");
    terminal.wait_for("accuracy · F1");
    terminal.press("q");
    let text = terminal.end(0);
    assert!(!text.contains("TrainOutput") && !text.contains("saved"), "{text}");

    // In the middle of it, too, nothing is asked and nothing is lost.
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "0.001"], &[]);
    terminal.wait_for("replay ×0.001 · step 0/6");
    terminal.press("q");
    terminal.end(0);
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "0.001"], &[]);
    terminal.wait_for("replay ×0.001 · step 0/6");
    terminal.signal("-TERM");
    terminal.end(143);

    // The journal of a run that was killed.
    let journal = format!("{outputs}/events.jsonl");
    let written = std::fs::read_to_string(&journal).expect("a journal");
    let kept: String = written.split_inclusive('\n').take(3).collect();
    std::fs::write(&journal, kept).expect("room");
    let mut terminal = Terminal::start(120, 40, &["replay", &journal, "--speed", "max"], &[]);
    terminal.wait_for("replay · cut off · step 2/6");
    terminal.press("q");
    terminal.end(0);
}
