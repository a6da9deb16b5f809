//! Comparing runs and drawing figures: as a table, as JSON, and in a pseudo-terminal.

use crate::support::terminal::Terminal;
use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use std::path::Path;

/// Two finished runs that differ in their seed, and one that is unreadable.
fn train(folder: &Path) {
    for seed in ["1", "2"] {
        let name = format!("mine/seed-{seed}");
        let flags = ["train", "--plain", "--seed", seed, "--output-dir", name.as_str()];
        nsmc_tui(folder).args(flags).args(TINY).assert().success();
    }
    let torn = folder.join("mine/torn");
    std::fs::create_dir(&torn).expect("a folder");
    std::fs::write(torn.join("events.jsonl"), "\u{1b}[2J no event\n").expect("a file");
}

#[test]
fn runs_are_listed_as_a_table_and_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path());
    let list = |arguments: &[&str]| nsmc_tui(folder.path()).arg("runs").args(arguments).assert();
    let listed = list(&["--sort", "name"]).success();
    let text = stdout(&listed);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("RUN "), "{text}");
    assert!(lines[1].starts_with("mine/seed-1  finished   6/6"), "{text}");
    assert!(lines[0].ends_with("  seed  data_seed"), "a column for each difference: {text}");
    assert!(lines[1].ends_with("  1     1") && lines[2].ends_with("  2     2"), "{text}");
    let notes = stderr(&listed);
    assert!(notes.starts_with("mine/torn: ./mine/torn/events.jsonl:1: not an event"), "{notes}");
    assert!(!notes.contains('\u{1b}'));

    let reversed = list(&["--sort=name", "--reverse", "--json"]).success();
    let runs = json_lines(&stdout(&reversed));
    let names: Vec<&str> = runs.iter().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(names, ["mine/seed-2", "mine/seed-1"]);
    assert_eq!((&runs[0]["status"], &runs[0]["step"]), (&"finished".into(), &6.into()));
    assert!(runs[0].get("pid").is_none() && runs[0]["tags"].as_array().is_some_and(Vec::is_empty));
    assert!(runs[0]["best"]["eval_accuracy"].is_number());

    let filtered = list(&["mine", "--filter", "FINISHED seed=2"]).success();
    assert_eq!(stdout(&filtered).lines().count(), 2);
    for (query, count) in [
        ("status = finished AND NOT seed >= 2", 1),
        ("(seed=1 OR seed=2) eval_accuracy >= 0", 2),
        ("tag:baseline", 0),
    ] {
        let found = list(&["--json", "--filter", query]).success();
        assert_eq!(stdout(&found).lines().count(), count, "{query}");
    }
    let misspelled = list(&["--filter", "learning_rat > 1e-9"]).success();
    assert!(stderr(&misspelled).contains("no run has a setting or metric named learning_rat"));
    let wrong = list(&["--filter", "(seed = 1"]).code(2);
    assert!(stderr(&wrong).contains("character 10: a closing parenthesis"), "{}", stderr(&wrong));
    let none = list(&["--filter", "seed=3"]).success();
    assert_eq!(stdout(&none), "");
    let missing = list(&["nowhere"]).code(1);
    let error = stderr(&missing);
    assert!(error.starts_with("error: nowhere: cannot be read; pass a folder"), "{error}");
}

#[test]
fn a_curve_is_printed_as_csv() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path());
    let csv = |arguments: &[&str]| {
        nsmc_tui(folder.path()).args(["runs", "--csv"]).args(arguments).assert()
    };
    let losses = stdout(&csv(&["mine/seed-1", "loss"]).success());
    let lines: Vec<&str> = losses.lines().collect();
    assert_eq!((lines[0], lines.len()), ("step,loss", 7));
    let journal = std::fs::read_to_string(folder.path().join("mine/seed-1/events.jsonl"));
    let journal = journal.expect("a journal");
    for (line, step) in lines[1..].iter().zip(1..) {
        let (at, value) = line.split_once(',').expect("two columns");
        assert_eq!(at, step.to_string());
        assert!(journal.contains(&format!("\"loss\":{value}")), "{value} is not rounded");
    }
    let below = ["runs", "mine", "--csv", "seed-1", "eval_loss"];
    let below = nsmc_tui(folder.path()).args(below).assert().success();
    assert_eq!(stdout(&below).lines().count(), 3);
    let unknown = stderr(&csv(&["mine/seed-1", "los"]).code(1));
    assert!(unknown.contains("there is no curve los: expected loss, learning_rate"), "{unknown}");
    assert!(stderr(&csv(&["mine", "loss"]).code(1)).contains("no events.jsonl in it"));
    csv(&["mine/seed-1"]).code(2);
}

#[test]
fn the_lock_distinguishes_a_running_run_from_a_dead_one() {
    let folder = tempfile::tempdir().expect("a folder");
    nsmc_tui(folder.path()).args(["train", "--plain"]).args(TINY).assert().success();
    let outputs = folder.path().join("outputs");
    // The journal of a run in the middle of training.
    let journal = std::fs::read_to_string(outputs.join("events.jsonl")).expect("a journal");
    let training: Vec<&str> =
        journal.lines().take_while(|line| !line.contains("\"step\":4,")).collect();
    std::fs::write(outputs.join("events.jsonl"), training.join("\n") + "\n").expect("a journal");
    let listed = || {
        let listed = nsmc_tui(folder.path()).args(["runs", "--json"]).assert().success();
        let runs = json_lines(&stdout(&listed));
        (runs[0]["status"].clone(), runs[0].get("pid").cloned())
    };
    assert_eq!(listed(), ("dead".into(), None));
    // Another process, such as this one.
    let lock = std::fs::File::options().write(true).open(outputs.join(".nsmc-tui.lock"));
    let mut lock = lock.expect("a lock");
    lock.lock().expect("the lock");
    std::io::Write::write_all(&mut lock, b"4242      \n").expect("an id");
    assert_eq!(listed(), ("running".into(), Some(4242.into())));
    let refused = nsmc_tui(folder.path()).args(["train", "--plain"]).args(TINY).assert().code(1);
    let error = stderr(&refused);
    assert!(error.contains("another run (process 4242) is writing into this folder"), "{error}");
    drop(lock);
    assert_eq!(listed(), ("dead".into(), None));
}

#[test]
fn a_run_is_opened_annotated_renamed_and_deleted_by_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path());
    let mine = folder.path().join("mine").display().to_string();
    let mut terminal = Terminal::start(120, 40, &["runs", &mine, "--sort", "name"], &[]);
    terminal.wait_for("3 runs");
    // Its charts, its log and its model; then back to the list.
    terminal.press("\r");
    terminal.wait_for("seed-1 · finished");
    terminal.press("4");
    terminal.wait_for("level");
    terminal.press("2");
    terminal.wait_for("answers with the saved model");
    terminal.press("재미있다\r");
    let text = terminal.wait("an answer", |text| text.contains("▶ "));
    assert!(text.contains('%'), "{text}");
    terminal.press("\u{1b}");
    terminal.wait_for("learning rate");
    terminal.press("q");
    terminal.wait_for("3 runs");
    terminal.press("n기준 실행\r");
    terminal.wait_for("the note is saved");
    terminal.press("tbaseline v2\r");
    terminal.wait_for("the tags are saved");
    let tagged = "#baseline #v2 기준 실행";
    terminal.wait_for(tagged);
    terminal.press("/tag:v2 OR seed=2\r");
    terminal.wait_for("2 of 3");
    terminal.press("/\u{15}(tag:v2");
    terminal.wait_for("a closing parenthesis is expected here");
    terminal.press(")\r");
    terminal.wait_for("1 of 3");
    terminal.press("r\u{15}first\r");
    terminal.wait_for("renamed to");
    terminal.press("r\u{15}../seed-2\r");
    terminal.wait_for("not changed: a name without slashes is expected");
    let listed = ["runs", "--json", "--filter", "tag:baseline"];
    let listed = json_lines(&stdout(&nsmc_tui(folder.path()).args(listed).assert().success()));
    assert_eq!((listed.len(), &listed[0]["run"]), (1, &"mine/first".into()));
    assert_eq!(listed[0]["note"], "기준 실행");
    terminal.press("D");
    terminal.wait_for("to the trash?");
    terminal.press("n");
    terminal.wait("no dialog", |text| !text.contains("delete?"));
    terminal.press("Dy");
    terminal.wait_for("moved to");
    terminal.wait_for("no matching run");
    let trash = folder.path().join("mine/.trash/first");
    assert!(
        trash.join("model.safetensors").is_file() && !folder.path().join("mine/first").exists()
    );
    terminal.press("q");
    terminal.end(0);
}

#[test]
fn figures_are_drawn_at_the_end_and_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path());
    let pictures =
        ["loss_curves.svg", "loss_curves.png", "confusion_matrix.svg", "confusion_matrix.png"];
    let run = folder.path().join("mine/seed-1");
    let card = std::fs::read_to_string(run.join("README.md")).expect("a card");
    for picture in pictures {
        assert!(run.join(picture).is_file(), "{picture} was not written at the end");
        assert_eq!(card.contains(picture), picture.contains("png"), "{picture} in the card");
    }
    let draw = ["figures", "mine/seed-1", "--to", "report"];
    let drawn = nsmc_tui(folder.path()).args(draw).assert().success();
    assert_eq!(stdout(&drawn).lines().count(), 4);
    for picture in pictures {
        let (first, again) = (run.join(picture), folder.path().join("report").join(picture));
        let read = |file| std::fs::read(file).expect("a picture");
        assert_eq!(read(first), read(again), "{picture} differs the second time");
    }
    let none = nsmc_tui(folder.path()).args(["figures", "mine"]).assert().code(1);
    assert!(stderr(&none).contains("no events.jsonl in it"));
}

#[test]
fn labels_with_characters_that_xml_does_not_have_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |i: usize| format!("a{i}\tL\u{ffff}{}\n", i % 2);
    let rows: Vec<String> = (0..32).map(row).collect();
    let rows = format!("text\tlabel\n{}", rows.concat());
    std::fs::write(folder.path().join("train.tsv"), rows).expect("rows");
    let flags = ["train", "--plain", "--train-file", "train.tsv", "--validation-file", "train.tsv"];
    nsmc_tui(folder.path()).args(flags).args(TINY).assert().success();
    for picture in ["loss_curves.png", "confusion_matrix.svg", "confusion_matrix.png"] {
        assert!(folder.path().join("outputs").join(picture).is_file(), "{picture}");
    }
}

#[test]
fn faults_of_the_recording_are_told_and_made_up_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let outputs = folder.path().join("outputs");
    for name in ["events.jsonl", "run.toml"] {
        std::fs::create_dir_all(outputs.join(name).join("blocks")).expect("a folder");
    }
    let flags = ["train", "--plain"];
    let assert = nsmc_tui(folder.path()).args(flags).args(TINY).assert().success();
    let told = stderr(&assert) + &stdout(&assert);
    for name in ["events.jsonl", "run.toml"] {
        assert!(told.contains(&format!("outputs/{name}: ")), "{told}");
    }
    // The pictures are drawn from memory.
    assert!(outputs.join("confusion_matrix.png").is_file(), "{told}");
    assert_eq!(told.matches("outputs/events.jsonl: ").count(), 1, "{told}");
}

#[test]
fn runs_are_compared_by_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path());
    let mine = folder.path().join("mine").display().to_string();
    let mut terminal = Terminal::start(120, 40, &["runs", &mine, "--sort", "name"], &[]);
    terminal.wait_for("3 runs");
    // The curve of the selected run is drawn at once.
    terminal.wait_for("* seed-1 0.");
    terminal.wait_for("Space keeps it in the chart");
    terminal.press(" ");
    terminal.wait_for("1 seed-1 0.");
    terminal.press("jj");
    terminal.wait_for("not an event of a run");
    terminal.press("k ");
    let text = terminal.wait_for("2 seed-2 0.");
    assert!(text.contains("1 seed-1") && text.contains("train loss"), "{text}");
    terminal.press("mm");
    terminal.wait_for("╭ eval accuracy");
    terminal.press("d");
    terminal.wait_for("data_seed");
    terminal.press("/seed-2\r");
    terminal.wait_for("1 of 3");
    terminal.press("P");
    terminal.wait_for("saved ");
    terminal.press("q");
    terminal.end(0);
}

#[test]
fn a_korean_screen_is_saved_as_svg() {
    let flags = [&["--lang", "ko"][..], &TINY].concat();
    let mut terminal = Terminal::start(120, 40, &flags, &[]);
    terminal.wait_for("완료 · ");
    terminal.press("S");
    terminal.wait_for("그림 저장: outputs/screen-");
    let outputs = std::fs::read_dir(terminal.outputs()).expect("a folder");
    let is_screen = |name: &str| name.starts_with("screen-");
    let mut screens =
        outputs.flatten().filter(|entry| is_screen(&entry.file_name().to_string_lossy()));
    let screen = screens.next().expect("a picture").path();
    let svg = std::fs::read_to_string(screen).expect("text");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    // Wide characters are placed one by one.
    assert!(["손", "실", "정", "확", "도"].iter().all(|letter| svg.contains(letter)), "{svg}");
    terminal.press("q");
    let text = terminal.end(0);
    assert!(text.contains("모델: outputs"), "{text}");
}
