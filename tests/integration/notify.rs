//! Notifications of runs: the bytes that a terminal receives, and a command.

use crate::support::terminal::Terminal;
use crate::support::{TINY, nsmc_tui, program, stderr, stdout};

/// OSC 9 in tmux's envelope, up to the description of the end.
const IN_TMUX: &str = "\x1bPtmux;\x1b\x1b]9;nsmc-tui finished: outputs: step 6 in ";

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TINY[..], more].concat()
}

#[test]
fn the_dashboard_rings_and_notifies_through_tmux() {
    let environment = [("TMUX", "/tmp/tmux-0/default,1,0")];
    let mut terminal = Terminal::start(120, 40, &flags(&["--notify", "both"]), &environment);
    terminal.wait_for("finished");
    terminal.wait_written(IN_TMUX);
    // The bell follows the end of the envelope.
    terminal.wait_written("\x07\x1b\\\x07");
    terminal.press("q");
    terminal.end(0);
}

#[test]
fn lines_in_a_terminal_ring_too_and_short_runs_do_not_by_default() {
    let program = program().display().to_string();
    let with = |more: &[&str]| {
        let line = [&[program.as_str(), "train", "--plain"], &flags(more)[..]].concat();
        let mut terminal = Terminal::start_command(&line);
        assert_eq!(terminal.exit_code(), 0, "{}", terminal.text());
        terminal
    };
    let terminal = with(&["--notify", "osc"]);
    assert!(terminal.has_written("\x1b]9;nsmc-tui finished: outputs: step 6 in "));
    let terminal = with(&[]);
    assert!(!terminal.has_written("\x1b]9;") && !terminal.has_written("\x07"));
}

#[test]
fn pipes_receive_no_bells() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = nsmc_tui(folder.path())
        .args(["train", "--plain", "--notify", "both"])
        .args(TINY)
        .assert()
        .success();
    assert!(!(stdout(&run) + &stderr(&run)).contains(['\x07', '\x1b']));
}

#[test]
fn a_command_is_executed_at_the_end_and_a_failing_one_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    // The command may call the program again.
    let line =
        "sleep 0.5; cat > \"$NSMC_TUI_EVENT.json\"; \"$PROGRAM\" train --print-config > config";
    let run = |line: &str, more: &[&str]| {
        nsmc_tui(folder.path())
            .env("PROGRAM", program())
            .args(["train", "--plain", "--on-event", line, "--notify-on", "finished,failed"])
            .args(flags(more))
            .assert()
    };
    let ended = run(line, &[]).success();
    assert!(!stderr(&ended).contains("warning"), "{}", stderr(&ended));
    let object = std::fs::read_to_string(folder.path().join("finished.json")).expect("a file");
    let object: serde_json::Value = serde_json::from_str(&object).expect("JSON");
    assert_eq!((&object["event"], &object["run"]), (&"finished".into(), &"outputs".into()));
    assert_eq!((&object["step"], &object["max_steps"]), (&6.into(), &6.into()));
    assert!(object["eval_accuracy"].is_number() && object["loss"].is_number());
    let config = std::fs::read_to_string(folder.path().join("config")).expect("a file");
    assert!(config.contains("learning_rate") && !config.contains("on_event"), "{config}");
    let toml = std::fs::read_to_string(folder.path().join("outputs/run.toml")).expect("a file");
    assert!(!toml.contains("on_event") && !toml.contains("notify"), "{toml}");

    let failing = run("echo 'no mail today' >&2; exit 1", &[]).success();
    let expected = "warning: the command of --on-event failed: exit status: 1: no mail today";
    assert_eq!(stderr(&failing).matches(expected).count(), 1, "{}", stderr(&failing));

    // A run that fails before it begins.
    run(line, &["--train-file", "missing.csv"]).failure();
    let object = std::fs::read_to_string(folder.path().join("failed.json")).expect("a file");
    assert!(object.contains("missing.csv"), "{object}");
}

#[test]
fn a_wrong_option_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for (flag, value, expected) in [
        ("--notify-url", "ntfy.sh/x", "expected an address"),
        ("--notify-on", "end", "expected finished, failed"),
        ("--stall-minutes", "-1", "at least 0"),
        ("--notify", "loud", "possible values"),
    ] {
        let run = nsmc_tui(folder.path()).args(["train", flag, value]).assert().code(2);
        assert!(stderr(&run).contains(expected), "{flag}: {}", stderr(&run));
    }
}
