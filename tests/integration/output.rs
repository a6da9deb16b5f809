//! What the program prints: sanitized, safe to paste, and no reason to panic where it cannot be
//! written.

use crate::support::{SMALL_MODEL, TINY, nsmc_tui, program, stderr, stdout};
use assert_cmd::Command;

/// Escape sequences that set the clipboard and clear the screen, and a C1 control.
const HOSTILE: &str = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\u{9b}2J";

/// Runs a line of a shell in a new folder; `$PROGRAM` is the program.
fn shell(line: &str) -> (tempfile::TempDir, assert_cmd::assert::Assert) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder.path()).env("PROGRAM", program());
    command.env(SMALL_MODEL.0, SMALL_MODEL.1);
    let outcome = command.assert();
    (folder, outcome)
}

fn assert_sanitized(text: &str) {
    let is_control = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(is_control), "{text:?}");
}

#[test]
fn escapes_in_flags_and_the_environment_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    for line in [
        vec!["--theme", HOSTILE],
        vec!["--seed", HOSTILE],
        vec!["--learning-rate", HOSTILE],
        vec![HOSTILE],
        vec!["train", "--no-such-flag-ZXZpbA", HOSTILE],
        vec!["completions", HOSTILE],
        vec!["train", "--config", HOSTILE],
        vec!["train", "--train-file", HOSTILE],
        vec!["train", "--model-name-or-path", HOSTILE],
        vec!["train", "--output-dir", HOSTILE, "--resume-from-checkpoint"],
        vec!["replay", HOSTILE],
        vec!["runs", HOSTILE],
        vec!["figures", HOSTILE],
        vec!["predict", "--model-name-or-path", HOSTILE, "x"],
        vec!["data", "--dataset-name", HOSTILE],
    ] {
        let run = nsmc_tui(folder.path()).args(&line).assert();
        assert_sanitized(&stderr(&run));
        assert_sanitized(&stdout(&run));
        assert!(stderr(&run).contains("ZXZpbA"), "{line:?}: {}", stderr(&run));
    }
    for name in ["NSMC_TUI_SEED", "NSMC_TUI_THEME", "NSMC_TUI_CONFIG", "HF_ENDPOINT"] {
        let run = nsmc_tui(folder.path())
            .env(name, HOSTILE)
            .args(["train", "--model-name-or-path", "a/b", "--max-steps", "1"])
            .assert()
            .failure();
        assert_sanitized(&stderr(&run));
    }
    // The arguments of a run are printed too.
    let named = format!("--output-dir={HOSTILE}");
    let printed = nsmc_tui(folder.path()).args(["--print-config", &named]).assert().success();
    assert_sanitized(&stdout(&printed));
}

#[test]
fn the_hint_of_a_hostile_journal_is_one_quoted_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = include_str!("../reference/hint_injection.jsonl");
    std::fs::write(folder.path().join("run.jsonl"), journal).expect("a file");
    let replay =
        nsmc_tui(folder.path()).args(["replay", "--plain", "run.jsonl"]).assert().success();
    let text = stdout(&replay);
    let hint = text.lines().find(|line| line.contains("--resume-from-checkpoint"));
    let words = shlex::split(hint.expect("a hint")).expect("words of a shell");
    assert_eq!(words[1..], ["train", "--resume-from-checkpoint", "$(touch${IFS}PWNED);x"]);
}

#[test]
fn a_closed_standard_output_ends_the_program_quietly() {
    for line in [
        "completions bash",
        "man",
        "--help",
        "train --help",
        "--version",
        "runs --json .",
        "data --ids",
        "tokenize a b c",
    ] {
        let (_folder, run) = shell(&format!("(sleep 0.3; exec \"$PROGRAM\" {line}) | true"));
        assert_eq!(stderr(&run.success()), "", "{line}");
        let (_folder, run) = shell(&format!("\"$PROGRAM\" {line} >&-"));
        assert!(!stderr(&run).contains("panicked"), "{line}: {}", stderr(&run));
    }
    // Nor does a closed standard error change the exit code.
    let (_folder, run) = shell("\"$PROGRAM\" --no-such-flag 2>&-");
    assert_eq!(run.get_output().status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    for line in ["completions bash", "man", "--help", "--version", "data --ids", "tokenize a"] {
        let (_folder, run) = shell(&format!("\"$PROGRAM\" {line} > /dev/full"));
        let text = stderr(&run);
        assert!(
            text.contains("standard output cannot be written: No space left"),
            "{line}: {text}"
        );
        assert!(!text.contains("panicked"), "{line}: {text}");
        assert_eq!(run.get_output().status.code(), Some(1), "{line}");
    }
    // A full standard error hides messages, and nothing else.
    let (_folder, run) = shell("echo 한글 | \"$PROGRAM\" predict 2> /dev/full");
    assert_eq!(run.get_output().status.code(), Some(1));
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_of_the_file() {
    // Blocks of 512 bytes, or of 1024 in some shells.
    let line = format!("ulimit -f 16; exec \"$PROGRAM\" train --plain {}", TINY.join(" "));
    let (_folder, run) = shell(&line);
    let text = stderr(&run);
    assert_eq!(run.get_output().status.code(), Some(1), "{text}");
    assert!(text.contains("File too large") && text.contains("ulimit -f"), "{text}");
}

#[test]
fn an_empty_alias_in_the_environment_is_not_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = nsmc_tui(folder.path())
        .env_remove(SMALL_MODEL.0)
        .env("NSMC_TUI_WARMUP_RATIO", "")
        .env("NSMC_TUI_COLOUR", "")
        .arg("--print-config")
        .assert()
        .success();
    assert!(!stdout(&printed).contains("# environment"), "{}", stdout(&printed));
}
