//! The terminal after a sudden end of the dashboard, and terminals with wide characters.

use crate::support::TINY;
use crate::support::program;
use crate::support::terminal::{TIMEOUT, Terminal};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Prints the exit code and the terminal's modes some time after the end of the program.
const REPORT_LATER: &str = "\"$@\"; code=$?; sleep 2; echo \"CODE=$code\"; \
                            stty -a | tr '\\n' ' '; echo; echo END";

fn endless() -> Vec<&'static str> {
    [&TINY[..4], &TINY[6..], &["--num-train-epochs", "100000"]].concat()
}

fn children(process: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-P", process]).output().expect("pgrep runs");
    let found = String::from_utf8(found.stdout).expect("numbers");
    found.lines().map(str::to_owned).collect()
}

/// The guardian of the program under a shell.
fn guardian(terminal: &Terminal) -> String {
    let waiting = children(&terminal.process()).pop().expect("the program");
    let program = children(&waiting).pop().expect("the process that trains");
    children(&program).pop().expect("a guardian")
}

fn wait_for_end(process: &str) {
    let began = Instant::now();
    while Path::new("/proc").join(process).exists() {
        assert!(began.elapsed() < TIMEOUT, "the guardian does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_or_aborted_dashboard_leaves_the_terminal_restored() {
    for (signal, code) in [("-KILL", 137), ("-ABRT", 134)] {
        let program = program().display().to_string();
        let shell = ["sh", "-c", REPORT_LATER, "sh", &program];
        let terminal = Terminal::start_command(&[&shell[..], &endless()].concat());
        terminal.wait_for(" eval 0.");
        let guardian = guardian(&terminal);
        terminal.signal(signal);
        let text = terminal.wait_for("END");
        assert!(text.contains(&format!("CODE={code}")), "{text}");
        assert!(text.contains("the terminal is restored"), "{text}");
        terminal.assert_cooked();
        terminal.assert_restored();
        wait_for_end(&guardian);
    }
}

#[test]
fn the_guardian_ends_with_the_dashboard_and_writes_nothing() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    let guardian = guardian(&terminal);
    // Signals for both do not end it first.
    for signal in ["-TERM", "-INT", "-HUP"] {
        let sent = Command::new("kill").args([signal, &guardian]).status();
        assert!(sent.expect("kill runs").success());
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(Path::new("/proc").join(&guardian).exists());
    terminal.press("qy");
    let text = terminal.end(0);
    assert!(!text.contains("is restored"), "{text}");
    wait_for_end(&guardian);
}

#[test]
fn a_dashboard_outlives_its_guardian() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    let killed = Command::new("kill").args(["-KILL", &guardian(&terminal)]).status();
    assert!(killed.expect("kill runs").success());
    terminal.press("qy");
    terminal.end(0);
}

#[test]
fn a_terminal_that_draws_frames_two_cells_wide_gets_ascii() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    // The answer to the question for the cursor's position.
    terminal.press("\x1b[2;17R");
    let text = terminal.wait_for(" eval 0.");
    assert!(text.contains("+ progress -") && !text.contains('╭'), "{text}");
    terminal.press("qy");
    terminal.end(0);

    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.press("\x1b[2;9R");
    let text = terminal.wait_for(" eval 0.");
    assert!(text.contains("╭ progress"), "{text}");
    terminal.press("qy");
    terminal.end(0);

    // The flag decides without a question.
    let flags = [&endless()[..], &["--glyphs", "utf8"]].concat();
    let mut terminal = Terminal::start(80, 24, &flags, &[]);
    terminal.press("\x1b[2;17R");
    let text = terminal.wait_for(" eval 0.");
    assert!(text.contains("╭ progress"), "{text}");
    terminal.press("qy");
    terminal.end(0);
}
