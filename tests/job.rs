//! The dashboard as a job of a shell: stopped, continued, and left to run in the background.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on should stop with a word")]

mod support;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;
use support::{TINY, program};
use wire::Wire;

/// A run under a shell with job control. Whenever the job has stopped, the shell tells how the
/// terminal is and takes a line: what to do next.
fn under_a_shell() -> Wire {
    let script = r#"
        set -m
        stops=0
        "$@"
        code=$?
        while [ "$code" -gt 128 ] && [ "$code" -ne 143 ]; do
            stops=$((stops + 1))
            stty -a | tr '\n' ' '
            echo "STOPPED $stops"
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
    let run = [&TINY[..4], &TINY[6..], &["--num-train-epochs", "100000"]].concat();
    let wire = Wire::start(&[&["sh", "-c", script, "sh", program.as_str()], &run[..]].concat());
    wire.wait_for("steps/s");
    wire
}

/// Waits for the shell's word and checks that the terminal is as it was.
fn stopped(wire: &Wire, word: &str) {
    wire.wait_for(word);
    wire.assert_given_back();
    let text = wire.text().replace('\n', "");
    assert!(text.contains(" icanon") && text.contains(" echo "), "still raw:\n{text}");
}

fn is_drawn(wire: &Wire) {
    wire.wait("the whole page", |screen| {
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
        wire.ask(vt100::Screen::mouse_protocol_mode),
        vt100::MouseProtocolMode::None,
        "the mouse was not taken again"
    );
}

fn leave(wire: &mut Wire) {
    wire.press("q");
    wire.wait_for("Keep training");
    wire.press("y");
    stopped(wire, "CODE=0 END");
}

#[test]
fn a_key_gives_the_terminal_to_the_shell_and_fg_brings_the_page_back() {
    let mut wire = under_a_shell();
    for word in ["STOPPED 1", "STOPPED 2"] {
        wire.press("\x1a");
        stopped(&wire, word);
        let events = wire.events();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(wire.events(), events, "it was not stopped");
        wire.press("fg\n");
        is_drawn(&wire);
    }
    leave(&mut wire);
}

#[test]
fn a_signal_from_elsewhere_does_the_same() {
    let mut wire = under_a_shell();
    let shell = wire.child.process_id().expect("a process").to_string();
    let sent = std::process::Command::new("pkill").args(["-TSTP", "-P", &shell]).status();
    assert!(sent.expect("pkill runs").success());
    stopped(&wire, "STOPPED 1");
    wire.press("fg\n");
    is_drawn(&wire);
    leave(&mut wire);
}

#[test]
fn in_the_background_the_run_goes_on_without_a_screen() {
    let mut wire = under_a_shell();
    wire.press("\x1a");
    stopped(&wire, "STOPPED 1");
    let events = wire.events();
    wire.press("bg\n");
    let began = std::time::Instant::now();
    while wire.events() < events + 100 {
        assert!(began.elapsed() < wire::PATIENCE, "the run does not go on:\n{}", wire.text());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Nothing is drawn over the shell, and what is typed is the shell's.
    let bytes = wire.bytes();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(wire.bytes(), bytes);
    wire.press("q\n");
    is_drawn(&wire);
    assert!(!wire.text().contains("Keep training"));
    leave(&mut wire);
}

#[test]
fn without_a_shell_to_continue_it_the_key_does_nothing() {
    let run = [&TINY[..4], &TINY[6..], &["--num-train-epochs", "100000"]].concat();
    let mut wire = Wire::to_program(&run);
    wire.wait_for("steps/s");
    wire.press("\x1a");
    let events = wire.events();
    std::thread::sleep(Duration::from_secs(1));
    assert!(wire.events() > events, "it was stopped");
    wire.press("qy");
    assert_eq!(wire.end(), 0);
}
