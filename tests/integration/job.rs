//! Job control: the dashboard is stopped and continued by a shell, and runs in the background.

use crate::support::terminal::Terminal;
use crate::support::{TINY, program};
use std::time::Duration;

/// Flags of a run that trains until it is stopped.
fn endless() -> Vec<&'static str> {
    [&TINY[..4], &TINY[6..], &["--num-train-epochs", "100000"]].concat()
}

/// A run under a shell with job control. Each time the job stops, the shell prints the terminal's
/// modes and reads a line with the next command.
fn under_a_shell() -> Terminal {
    let script = r#"
        set -m
        stops=0
        "$@"
        code=$?
        while [ "$code" -gt 128 ] && [ "$code" -ne 143 ]; do
            stops=$((stops + 1))
            stty -a | tr '\n' ' '
            echo "STOPPED $stops (code $code)"
            read -r next
            if [ "$next" = bg ]; then
                bg
                read -r next
            fi
            fg
            code=$?
        done
        stty -a | tr '\n' ' '
        echo "CODE=$code END"
    "#;
    let program = program().display().to_string();
    let shell = ["sh", "-c", script, "sh", &program];
    let terminal = Terminal::start_command(&[&shell, &endless()[..]].concat());
    terminal.wait_for("steps/s");
    terminal
}

/// Waits for the shell's message and checks that the terminal is restored.
fn assert_stopped(terminal: &Terminal, message: &str) {
    terminal.wait_for(message);
    terminal.assert_restored();
    terminal.assert_cooked();
}

fn assert_drawn(terminal: &Terminal) {
    terminal.wait_screen("the whole page", |screen| {
        let text = screen.contents();
        let lines: Vec<&str> = text.lines().collect();
        screen.alternate_screen()
            && lines.len() == 40
            && lines[0].contains("1 Train")
            && lines[39].contains("q  quit")
            && text.contains("╭ progress")
            && !text.contains("STOPPED")
    });
    assert_ne!(
        terminal.with_screen(vt100::Screen::mouse_protocol_mode),
        vt100::MouseProtocolMode::None,
        "the mouse is not captured again"
    );
}

fn quit(terminal: &mut Terminal) {
    terminal.press("q");
    terminal.wait_for("Keep training");
    terminal.press("y");
    assert_stopped(terminal, "CODE=0 END");
}

#[test]
fn ctrl_z_stops_the_job_and_fg_draws_the_page_again() {
    let mut terminal = under_a_shell();
    for message in ["STOPPED 1", "STOPPED 2"] {
        terminal.press("\x1a");
        assert_stopped(&terminal, message);
        let events = terminal.events();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(terminal.events(), events, "the run was not stopped");
        terminal.press("fg\n");
        assert_drawn(&terminal);
    }
    quit(&mut terminal);
}

#[test]
fn sigtstp_stops_the_job_too() {
    let mut terminal = under_a_shell();
    terminal.signal("-TSTP");
    assert_stopped(&terminal, "STOPPED 1");
    terminal.press("fg\n");
    assert_drawn(&terminal);
    quit(&mut terminal);
}

#[test]
fn in_the_background_the_run_continues_without_a_screen() {
    let mut terminal = under_a_shell();
    terminal.press("\x1a");
    assert_stopped(&terminal, "STOPPED 1");
    let events = terminal.events();
    terminal.press("bg\n");
    terminal.wait_for_events(events + 100);
    // Nothing is drawn over the shell, and the shell receives the keys.
    let bytes = terminal.bytes();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(terminal.bytes(), bytes);
    terminal.press("q\n");
    assert_drawn(&terminal);
    assert!(!terminal.text().contains("Keep training"));
    quit(&mut terminal);
}

#[test]
fn without_job_control_ctrl_z_does_nothing() {
    let mut terminal = Terminal::start_program(&endless());
    terminal.wait_for("steps/s");
    terminal.press("\x1a");
    let events = terminal.events();
    std::thread::sleep(Duration::from_secs(1));
    assert!(terminal.events() > events, "the run was stopped");
    terminal.press("qy");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_process_of_a_run_can_be_stopped_and_continued_by_its_number() {
    let mut terminal = under_a_shell();
    let lock = std::fs::read_to_string(terminal.outputs().join(".nsmc-tui.lock")).expect("a lock");
    let id = lock.split_whitespace().next().expect("the process");
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, id]).status();
        assert!(sent.expect("kill runs").success());
    };
    signal("-STOP");
    terminal.wait_for("STOPPED 1");
    let events = terminal.events();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(terminal.events(), events, "it is not stopped");
    signal("-CONT");
    terminal.wait_for_events(events + 100);
    terminal.press("fg\n");
    assert_drawn(&terminal);
    quit(&mut terminal);
}
