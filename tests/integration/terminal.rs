//! The dashboard in a pseudo-terminal.

use crate::support::TINY;
use crate::support::terminal::{TIMEOUT, Terminal};
use std::process::Command;
use std::time::{Duration, Instant};

/// Flags of a run that trains until it is stopped.
fn endless() -> Vec<&'static str> {
    [&TINY[..4], &TINY[6..], &["--num-train-epochs", "100000"]].concat()
}

#[test]
fn a_finished_run_is_shown_and_predicts_until_quit() {
    let mut terminal = Terminal::start(120, 40, &TINY, &[]);
    let text = terminal.wait_for("finished");
    for panel in ["loss", "accuracy · F1", "result", "files", "log", "true\\pred"] {
        assert!(text.contains(panel), "no {panel} on:\n{text}");
    }
    terminal.press("2");
    terminal.wait_for("type a review");
    terminal.press("정말 재밌따");
    terminal.press("\x7f다 😀");
    terminal.wait_for("> 정말 재밌다 😀");
    // Border, "> ", 5 wide syllables, a wide emoji and two spaces.
    let cursor = terminal.with_screen(vt100::Screen::cursor_position);
    assert_eq!(cursor, (2, 1 + 2 + 14));
    terminal.press("\r");
    // Answers to the beginning of the text may be shown before.
    let text = terminal.wait_for("[UNK]");
    assert!(text.contains("[CLS]") && text.contains("[SEP]"), "{text}");
    assert!(text.contains("margin") && text.matches('%').count() >= 4, "{text}");
    terminal.press("\x1b[A");
    terminal.wait_for("> 정말 재밌다 😀");
    // The Escape key, not the start of an escape sequence.
    terminal.press("\x1b");
    terminal.wait_for("accuracy · F1");
    terminal.press("q");
    let text = terminal.end(0);
    assert!(text.contains("6 steps") && !text.contains("TrainOutput("), "{text}");
    // The program's path may be long enough to wrap.
    let flat = text.replace('\n', "");
    assert!(flat.contains("best      accuracy 0.") && flat.contains("nsmc-tui predict"), "{text}");
    assert!(terminal.is_saved());
}

#[test]
fn quitting_asks_first_then_stops_and_saves() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.wait_for("training · ");
    terminal.press("q");
    terminal.wait_for("Keep training");
    terminal.press("n");
    terminal.wait("no question", |text| !text.contains("Keep training"));
    terminal.press("2");
    terminal.wait_for("predicts with the model at step");
    terminal.press("최고\r");
    terminal.wait_for("[SEP]");
    terminal.press("\x03");
    terminal.wait_for("Keep training");
    terminal.press("y");
    let text = terminal.end(0);
    assert!(text.contains("classify texts:"), "{text}");
    assert!(terminal.is_saved());
}

#[test]
fn a_stopped_run_stays_on_the_screen() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    terminal.press("qs");
    terminal.wait_for("stopped · step");
    assert!(terminal.is_saved());
    terminal.press("q");
    terminal.end(0);
}

#[test]
fn a_run_is_paused_controlled_and_resumed() {
    let mut terminal = Terminal::start(120, 40, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    terminal.press(" ");
    let text = terminal.wait_for("paused · step");
    let step = |text: &str| {
        let after = text.split("paused · step ").nth(1).unwrap_or_default();
        after.split('/').next().unwrap_or_default().to_owned()
    };
    let paused_at = step(&text);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(step(&terminal.text()), paused_at, "it is not paused");
    // Nothing else is logged during the pause, so that the requests stay in view.
    terminal.press("r");
    terminal.wait_for("The next step uses");
    terminal.press("\x1525e-1\r");
    terminal.wait_for("must be above 0");
    terminal.press("\x151e-5\r");
    terminal.wait_for(": learning rate");
    terminal.press("C");
    terminal.wait_for(": checkpoint re");
    let folder = terminal.folder.path().join(format!("outputs/checkpoint-{paused_at}"));
    terminal.wait("the checkpoint", |_| folder.is_dir());
    terminal.press("e");
    // At the end of an epoch, the weights were evaluated already.
    terminal.wait_for(": evaluat");
    terminal.wait_for("paused · step");
    terminal.press(" ");
    terminal.wait("further steps", |text| text.contains("training · step"));
    terminal.press("qy");
    terminal.end(0);
    let journal = terminal.folder.path().join("outputs/events.jsonl");
    let journal = std::fs::read_to_string(journal).expect("a journal");
    let commands = journal.lines().filter(|line| line.contains("\"event\":\"steered\""));
    assert_eq!(commands.count(), 5, "paused, rate, checkpoint, evaluation, resumed");
}

#[test]
fn resizing_redraws_the_whole_page() {
    let mut terminal = Terminal::start(120, 40, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    for (columns, rows) in [(80, 24), (200, 60), (60, 15), (120, 40)] {
        terminal.resize(columns, rows);
        terminal.wait("the page and its footer", |text| {
            let lines: Vec<&str> = text.lines().collect();
            lines.len() == usize::from(rows)
                && lines[0].contains("1 Train")
                && lines[usize::from(rows) - 1].contains("q  quit")
                && text.matches("╭ progress").count() == 1
                && text.matches("╭ loss").count() == 1
        });
    }
    terminal.resize(40, 10);
    terminal.wait("a page without borders", |text| {
        text.contains(" left") && !text.contains('╭') && text.contains("q  quit")
    });
    terminal.resize(25, 5);
    terminal.wait_for("Enlarge the window");
    terminal.resize(80, 24);
    terminal
        .wait("the page alone", |text| text.contains("╭ progress") && !text.contains("Enlarge"));
    terminal.press("\x03\x03");
    terminal.end(0);
}

#[test]
fn a_signal_saves_the_model_and_restores_the_terminal() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut terminal = Terminal::start(80, 24, &endless(), &[]);
        terminal.wait_for(" eval 0.");
        terminal.signal(signal);
        terminal.end(code);
        assert!(terminal.is_saved());
    }
}

#[test]
fn a_closed_terminal_does_not_end_the_run() {
    let mut terminal = Terminal::start(80, 24, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    let run = terminal.hang_up();
    let is_alive = || {
        let probe = Command::new("kill").args(["-0", &run]).output();
        probe.expect("kill runs").status.success()
    };
    std::thread::sleep(Duration::from_secs(3));
    assert!(is_alive(), "the run ended with its terminal");
    assert!(!terminal.is_saved());
    let killed = Command::new("kill").args(["-TERM", &run]).status();
    assert!(killed.expect("kill runs").success());
    let began = Instant::now();
    while is_alive() || !terminal.is_saved() {
        assert!(began.elapsed() < TIMEOUT, "the run was not stopped and saved");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn quitting_warns_of_an_unsaved_model_and_saves_it_again() {
    let mut terminal = Terminal::start(100, 30, &endless(), &[]);
    terminal.wait_for(" eval 0.");
    let file = terminal.folder.path().join("outputs/model.safetensors");
    std::fs::create_dir_all(file.join("not/a/file")).expect("a folder");
    terminal.press("qy");
    terminal.wait_for("is not saved and will be lost");
    std::fs::remove_dir_all(&file).expect("a removed folder");
    terminal.press("w");
    terminal.wait_for("model saved in outputs");
    terminal.press("q");
    terminal.end(0);
    assert!(terminal.is_saved());
}

// Only builds with debug assertions can be made to panic.
#[cfg(debug_assertions)]
#[test]
fn a_panic_of_the_trainer_is_shown_on_the_dashboard() {
    let environment = [("NSMC_TUI_TEST_PANIC", "trainer")];
    let mut terminal = Terminal::start(120, 40, &TINY, &environment);
    let text = terminal.wait_for("the training thread panicked");
    assert!(text.contains("1 Train") && text.contains("╭ progress"), "{text}");
    terminal.press("q");
    let text = terminal.end(1);
    assert!(text.contains("error: the training thread panicked"), "{text}");
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_of_the_dashboard_restores_the_terminal_and_training_continues() {
    let environment = [("NSMC_TUI_TEST_PANIC", "screen")];
    // Tall enough to hold all the lines of the plain run that follows.
    let mut terminal = Terminal::start(120, 100, &TINY, &environment);
    let text = terminal.end(0);
    assert!(text.contains("The dashboard failed; the run continues without it."), "{text}");
    assert!(text.contains("TrainOutput("), "{text}");
    assert!(terminal.is_saved());
}

#[test]
fn errors_before_the_run_are_printed_on_the_normal_screen() {
    let mut terminal = Terminal::start(80, 24, &["--train-file", "missing.tsv"], &[]);
    let text = terminal.end(1);
    assert!(text.contains("error: missing.tsv: No such file"), "{text}");
}

#[cfg(feature = "hub")]
#[test]
fn a_download_is_shown_cancelled_by_a_key_and_kept() {
    use crate::hub_server::{HubServer, Storage};
    let server = HubServer::start().expect("a server");
    let model = "klue/large-bert";
    server.add(model, "config.json", b"{\"model_type\": \"bert\"}", Storage::Git);
    server.add(model, "tokenizer.json", b"{}", Storage::Git);
    server.add(model, "model.safetensors", &vec![7; 3_000_000], Storage::Lfs);
    // The connection hangs after a third.
    server.faults(|faults| faults.stall = Some(1_000_000));
    let cache = tempfile::tempdir().expect("a folder");
    let cache_path = cache.path().display().to_string();
    let endpoint = server.endpoint();
    let environment = [("HF_ENDPOINT", endpoint.as_str()), ("HF_HUB_CACHE", &cache_path)];
    let mut terminal =
        Terminal::start(80, 24, &["train", "--model-name-or-path", model], &environment);
    terminal.wait_for("model.safetensors  1.0 MB of 3.0 MB (33%)");
    let began = Instant::now();
    terminal.press("q");
    let text = terminal.end(0);
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for the hub:\n{text}");
    let blobs = cache.path().join("models--klue--large-bert/blobs");
    let parts = std::fs::read_dir(blobs).expect("a folder").flatten();
    let kept: Vec<u64> = parts
        .filter(|part| part.path().extension().is_some_and(|end| end == "incomplete"))
        .map(|part| part.metadata().expect("a file").len())
        .collect();
    assert_eq!(kept, [1_000_000], "the next run resumes from there");
    assert!(!terminal.is_saved());
}

#[test]
fn a_stopped_run_is_resumed_with_its_charts_and_log() {
    let mut terminal = Terminal::start(120, 40, &endless(), &[]);
    terminal
        .wait("a checkpoint", |_| terminal.folder.path().join("outputs/checkpoint-50").is_dir());
    terminal.press("qy");
    let text = terminal.end(0);
    assert!(text.contains("--resume-from-checkpoint"), "no command to resume:\n{text}");
    let folder = terminal.folder.path().display().to_string();
    let outputs = format!("{folder}/outputs");
    let arguments = ["train", "--resume-from-checkpoint", &outputs];
    let mut again = Terminal::start(120, 40, &arguments, &[]);
    // Charts begin with the steps before the stop. A frame may arrive in parts.
    again.wait("charts of the resumed run", |screen| {
        screen.contains("training · step") && !screen.contains("waiting for the first step")
    });
    // The settings page names the source of each value.
    again.press("3");
    again.wait_for("run.toml");
    again.press("qy");
    again.end(0);
}
