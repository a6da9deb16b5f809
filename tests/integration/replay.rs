//! Replaying a run: as lines, as JSON, and in a pseudo-terminal.

use crate::support::terminal::Terminal;
use crate::support::{TINY, nsmc_tui, stderr, stdout};

/// A folder with a finished run in `outputs`, and what the run printed.
fn finished() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["train", "--plain", "--logging-steps", "1"];
    let printed = stdout(&nsmc_tui(folder.path()).args(flags).args(TINY).assert().success());
    assert!(printed.contains("TrainOutput(global_step=6"), "{printed}");
    (folder, printed)
}

#[test]
fn a_replay_prints_what_the_run_printed() {
    let (folder, printed) = finished();
    let replay = |arguments: &[&str]| {
        nsmc_tui(folder.path()).args(["replay", "--speed", "max"]).args(arguments).assert()
    };
    assert_eq!(stdout(&replay(&["--plain"]).success()), printed);

    let json = stdout(&replay(&["--json"]).success());
    let journal = folder.path().join("outputs/events.jsonl");
    let written = std::fs::read_to_string(&journal).expect("a journal");
    assert_eq!(json, written);

    // A journal may have any name and end in the middle of a line.
    let until = written.find("\"event\":\"step\",\"step\":3,").expect("a step");
    let kept = until + written[until..].find('\n').expect("an end") + 1;
    std::fs::write(folder.path().join("run.jsonl"), &written[..kept + 9]).expect("a file");
    let cut = replay(&["run.jsonl", "--plain"]).success();
    let lines = stdout(&cut);
    assert!(printed.starts_with(&lines) && lines.contains("step 3/6"), "{lines}");
    let notes = stderr(&cut);
    assert!(notes.contains("the run was interrupted, or is still running"), "{notes}");
}

#[test]
fn long_lines_and_numbers_that_are_not_finite_are_replayed() {
    let (folder, printed) = finished();
    let journal = folder.path().join("outputs/events.jsonl");
    let written = std::fs::read_to_string(&journal).expect("a journal");
    // A dense matrix of the most classes, and a rate as earlier versions wrote it.
    let matrix = vec![vec![0; 1000]; 1000];
    let changed = written.lines().map(|line| {
        let mut event: serde_json::Value = serde_json::from_str(line).expect("an event");
        if event["event"] == "evaluated" {
            event["eval_confusion"] = matrix.clone().into();
            event["eval_samples_per_second"] = serde_json::Value::Null;
        }
        event.to_string() + "\n"
    });
    let changed: String = changed.collect();
    assert!(changed.len() > 2 << 20);
    std::fs::write(&journal, &changed).expect("a file");
    let replay = ["replay", "--speed", "max"];
    let again = nsmc_tui(folder.path()).args(replay).arg("--plain").assert().success();
    assert_eq!(stdout(&again).lines().count(), printed.lines().count());
    let json = stdout(&nsmc_tui(folder.path()).args(replay).arg("--json").assert().success());
    assert!(json.len() < 1 << 20, "the matrix is written as its cells");
    let evaluated = r#""eval_confusion":{"classes":1000,"cells":[]}"#;
    assert!(json.contains(evaluated) && json.contains(r#""eval_samples_per_second":"NaN""#));
    let runs = stdout(&nsmc_tui(folder.path()).arg("runs").assert().success());
    assert!(runs.contains("finished   6/6"), "{runs}");
}

#[test]
fn errors_name_what_cannot_be_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.txt"), "just a text\n").expect("a file");
    for (run, expected) in [
        ("outputs", "error: outputs: no such file or folder. Name the folder of a run"),
        (".", "error: .: no events.jsonl in it. Name the folder of a run"),
        (
            "notes.txt",
            "error: notes.txt:1: not an event of a run (expected value). Name the folder",
        ),
    ] {
        let error = stderr(&nsmc_tui(folder.path()).args(["replay", run]).assert().code(1));
        assert!(error.starts_with(expected), "{error}");
    }
    nsmc_tui(folder.path()).args(["replay", "--speed", "0"]).assert().code(2);
}

/// Waits for the load of the computer, which a run of less than half a second does not record.
fn wait_for_load(terminal: &mut Terminal) {
    let is_shown = |text: &str| text.contains("CPU") || text.contains("no system metrics so far");
    terminal.wait("the system panel", is_shown);
}

#[test]
fn a_replay_on_the_dashboard() {
    let (folder, _) = finished();
    let outputs = folder.path().join("outputs").display().to_string();
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "max"], &[]);
    let text = terminal.wait_for("replay · finished");
    assert!(text.contains("╭ loss") && text.contains("step 6  loss"), "{text}");
    // The loss curve is drawn in braille.
    assert!(text.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{text}");
    // The next page of panels.
    terminal.press("\x04");
    wait_for_load(&mut terminal);
    terminal.press("2");
    terminal.wait_for("answers with the saved model");
    terminal.press("최고\r");
    terminal.wait("an answer", |text| text.contains("▶ ") && text.contains('%'));
    terminal.press("\x1b");
    terminal.wait_for("╭ result");
    terminal.press("q");
    let text = terminal.end(0);
    assert!(!text.contains("TrainOutput") && !text.contains("saved"), "{text}");
    // The result is printed as at the end of the run itself.
    assert!(text.contains("best      accuracy 0."), "{text}");
    assert!(text.contains("6 steps") && text.contains("--model-name-or-path"), "{text}");

    // Quitting during a replay needs no confirmation.
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "0.001"], &[]);
    terminal.wait_for("replay ×0.001 · step 0/6");
    terminal.press("2");
    terminal.wait_for("the saved model answers at the end of the replay");
    terminal.press("\x1b");
    terminal.wait_for("╭ progress");
    terminal.press("q");
    let text = terminal.end(0).replace('\n', "");
    assert!(
        text.contains("outputs: the replay was left at step 0. The result of the run:"),
        "{text}"
    );
    assert!(text.contains("best      accuracy 0."), "{text}");
    let mut terminal = Terminal::start(120, 40, &["replay", &outputs, "--speed", "0.001"], &[]);
    terminal.wait_for("replay ×0.001 · step 0/6");
    terminal.signal("-TERM");
    terminal.end(143);

    // The journal of a run that was killed.
    let journal = format!("{outputs}/events.jsonl");
    let written = std::fs::read_to_string(&journal).expect("a journal");
    let kept: String = written.split_inclusive('\n').take(3).collect();
    std::fs::write(&journal, kept).expect("a file");
    let mut terminal = Terminal::start(120, 40, &["replay", &journal, "--speed", "max"], &[]);
    terminal.wait_for("replay · cut off · step 2/6");
    terminal.press("q");
    let text = terminal.end(0).replace('\n', "");
    assert!(text.contains("the run was killed after step 2 of 6; resume it: "), "{text}");
    // A recording that is not in the folder of a run.
    let file = folder.path().join("run.jsonl").display().to_string();
    std::fs::copy(&journal, &file).expect("a file");
    let arguments = ["replay", &file, "--speed", "max", "--lang", "ko"];
    let mut terminal = Terminal::start(120, 40, &arguments, &[]);
    terminal.wait_for("2/6");
    terminal.press("q");
    let text = terminal.end(0);
    assert!(text.contains("run.jsonl: 스텝 2에서 재생을 멈췄습니다. 다시 재생하려면:"), "{text}");
}
