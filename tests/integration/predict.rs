//! `predict`: files, calibrated probabilities, two models, and the page of a saved model.

use crate::support::terminal::Terminal;
use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use serde_json::Value;
use std::path::Path;

/// A folder with a model in `outputs`, whose temperature is 2.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    nsmc_tui(folder.path()).args(["train", "--plain"]).args(TINY).assert().success();
    write(folder.path(), "outputs/calibration.json", "{\"temperature\": 2.0, \"step\": 6}\n");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// The probabilities of logits that are divided by a temperature.
fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let exponentials: Vec<f64> = logits.iter().map(|logit| (logit / temperature).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|one| one / sum).collect()
}

#[test]
fn files_are_classified_and_written_in_three_formats() {
    let folder = trained();
    let predict =
        |arguments: &[&str]| nsmc_tui(folder.path()).arg("predict").args(arguments).assert();
    let rows = "id,comment\n7,\"최고, \"\"정말\"\"\n두 줄\"\n8,별로\n";
    write(folder.path(), "in.csv", rows);
    let input = ["--input-file", "in.csv", "--text-column-name", "comment"];
    let json = json_lines(&stdout(&predict(&[&input[..], &["--json"]].concat()).success()));
    assert_eq!(json.len(), 2);
    assert_eq!(json[0]["text"], "최고, \"정말\"\n두 줄");
    for line in &json {
        let calibrated = numbers(&line["calibrated_probabilities"]);
        let expected = softmax(&numbers(&line["logits"]), 2.0);
        assert_eq!(calibrated.len(), 2);
        for (calibrated, expected) in calibrated.iter().zip(expected) {
            assert!((calibrated - expected).abs() < 1e-6, "{line}");
        }
    }
    let output = |name: &str| {
        let run = predict(&[&input[..], &["--output-file", name]].concat()).success();
        assert_eq!(stdout(&run), "", "nothing is printed");
        std::fs::read_to_string(folder.path().join(name)).expect("a file")
    };
    let mut expected = json.clone();
    for (line, id) in expected.iter_mut().zip(["7", "8"]) {
        let fields = line.as_object_mut().expect("an object");
        let text = fields.remove("text").expect("a text");
        fields.extend([("id".to_owned(), id.into()), ("comment".to_owned(), text)]);
    }
    assert_eq!(json_lines(&output("out.jsonl")), expected);
    for (name, separator) in [("out.csv", b','), ("out.tsv", b'\t')] {
        let text = output(name);
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers().expect("a header").iter().map(str::to_owned).collect();
        assert_eq!(
            header,
            [
                "id",
                "comment",
                "label",
                "score",
                "probability_negative",
                "probability_positive",
                "calibrated_negative",
                "calibrated_positive"
            ]
        );
        let records: Vec<csv::StringRecord> =
            reader.records().map(|record| record.expect("a record")).collect();
        assert_eq!((&records[0][0], &records[1][0]), ("7", "8"));
        for (record, line) in records.iter().zip(&json) {
            assert_eq!(record[1], *line["text"].as_str().expect("a text"));
            assert_eq!(record[2], *line["label"].as_str().expect("a label"));
            assert_eq!(record[3].parse::<f64>().ok(), line["score"].as_f64());
        }
    }
    // What the program wrote, it reads.
    let again = ["--input-file", "out.tsv", "--json"];
    let again = json_lines(&stdout(&predict(&again).success()));
    assert_eq!(again[1]["probabilities"], json[1]["probabilities"]);

    let refused = stderr(&predict(&[&input[..], &["--output-file", "out.txt"]].concat()).failure());
    assert!(refused.contains("out.txt: unknown file extension"), "{refused}");
    let missing = stderr(&predict(&["x", "--output-file", "no/where.tsv"]).failure());
    let expected = "no/where.tsv: there is no folder no. Create the folder";
    assert!(missing.contains(expected), "{missing}");
    write(folder.path(), "outputs/calibration.json", "{\"temperature\": -1}");
    let damaged = stderr(&predict(&["x"]).failure());
    assert!(damaged.contains("outputs/calibration.json: no temperature"), "{damaged}");
}

#[test]
fn the_columns_of_the_input_come_before_those_of_the_predictions() {
    let folder = trained();
    let predict = |input: &str, output: &str| {
        let files = ["--input-file", input, "--output-file", output];
        let run = nsmc_tui(folder.path()).arg("predict").args(files).assert().success();
        (std::fs::read_to_string(folder.path().join(output)).expect("a file"), stderr(&run))
    };
    let rows = "date\tdocument\tlabel\tid\n2015-03-01\t최고\tpositive\t07\n\t\"별로\tnegative\t9\n";
    write(folder.path(), "in.tsv", rows);
    let (table, notes) = predict("in.tsv", "out.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header: Vec<String> =
        reader.headers().expect("a header").iter().map(str::to_owned).collect();
    assert_eq!(header[..6], ["date", "document", "input_label", "id", "label", "score"]);
    assert!(notes.contains("column label is named input_label in the output"), "{notes}");
    let records: Vec<csv::StringRecord> =
        reader.records().map(|record| record.expect("a record")).collect();
    let inputs = |row: usize| records[row].iter().take(4).collect::<Vec<_>>();
    assert_eq!(inputs(0), ["2015-03-01", "최고", "positive", "07"]);
    assert_eq!(inputs(1), ["", "\"별로", "negative", "9"]);

    // The note on quotation marks names a flag, which removes them.
    assert!(notes.contains("note: in.tsv: read without quoting"), "{notes}");
    write(folder.path(), "quoted.tsv", "id\tdocument\n1\t\"최고\"\n");
    let files = ["--input-file", "quoted.tsv", "--output-file", "quoted.csv", "--quoting", "all"];
    nsmc_tui(folder.path()).arg("predict").args(files).assert().success();
    let table = std::fs::read_to_string(folder.path().join("quoted.csv")).expect("a file");
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("1,최고,")), "{table}");

    // Objects may have different keys, and values of any type.
    let rows = "{\"id\":7,\"text\":\"최고\",\"tags\":[1,{\"a\":null}],\"stars\":4.5}\n\
                {\"text\":\"별로\",\"seen\":true,\"id\":8}\n";
    write(folder.path(), "in.jsonl", rows);
    let (table, notes) = predict("in.jsonl", "out.tsv");
    assert_eq!(notes, "out.tsv: the predictions of 2 texts are written\n", "no column is renamed");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0][..6], ["id", "text", "tags", "stars", "seen", "label"]);
    assert_eq!(lines[1][..5], ["7", "최고", "\"[1,{\"\"a\"\":null}]\"", "4.5", ""]);
    assert_eq!(lines[2][..5], ["8", "별로", "", "", "true"]);
    let (json, _) = predict("in.jsonl", "out.jsonl");
    let json: Vec<&str> = json.lines().collect();
    assert!(json[0].starts_with(&rows[..rows.find('}').expect("an end")]), "{}", json[0]);
    let start = "{\"id\":8,\"text\":\"별로\",\"seen\":true,\"label\":";
    assert!(json[1].starts_with(start), "{}", json[1]);

    // Lines of text have no columns; their numbers are the ids.
    write(folder.path(), "in.txt", "최고\n별로\n");
    let (table, _) = predict("in.txt", "out.tsv");
    assert!(table.starts_with("id\ttext\tlabel\tscore\t"), "{table}");
    assert!(table.lines().nth(2).is_some_and(|line| line.starts_with("2\t별로\t")), "{table}");
}

#[test]
fn what_is_read_is_not_replaced_by_the_result() {
    let folder = trained();
    let rows = "id\tdocument\tlabel\n1\t최고\tpositive\n2\t별로\tnegative\n";
    write(folder.path(), "rows.tsv", rows);
    let model = std::fs::read(folder.path().join("outputs/model.safetensors")).expect("a model");
    let commands: [&[&str]; 3] = [
        &["predict", "--input-file", "rows.tsv", "--output-file", "./rows.tsv"],
        &["evaluate", "--validation-file", "rows.tsv", "--errors", "rows.tsv"],
        &["export", "--format", "onnx", "--output", "outputs/model.safetensors"],
    ];
    for command in commands {
        let model = ["--model-name-or-path", "outputs"];
        let refused = nsmc_tui(folder.path()).args(command).args(model).assert().failure();
        let error = stderr(&refused);
        assert!(error.contains("this file is read, and would be replaced"), "{command:?} {error}");
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
    assert_eq!(read("rows.tsv"), rows.as_bytes());
    assert_eq!(read("outputs/model.safetensors"), model);
}

#[test]
fn two_models_are_asked_side_by_side() {
    let folder = trained();
    let predict = |arguments: &[&str]| {
        let compare = ["predict", "--compare", "outputs/checkpoint-6"];
        nsmc_tui(folder.path()).args(compare).args(arguments).assert()
    };
    let line = &json_lines(&stdout(&predict(&["--json", "최고"]).success()))[0];
    let compared = &line["compared"];
    assert_eq!(compared["model"], "outputs/checkpoint-6");
    assert_eq!(compared["labels"], serde_json::json!(["negative", "positive"]));
    assert_eq!(compared["probabilities"], line["probabilities"], "it is the last checkpoint");
    let text = stdout(&predict(&["최고"]).success());
    let fields: Vec<&str> = text.trim_end().split('\t').collect();
    assert_eq!((fields.len(), fields[0], fields[4]), (5, fields[2], "최고"));
    let missing = nsmc_tui(folder.path()).args(["predict", "--compare", "./none", "x"]).assert();
    assert!(stderr(&missing.failure()).contains("none"));
}

#[test]
fn a_saved_model_has_a_page_that_answers_while_one_types() {
    let folder = trained();
    let model = folder.path().join("outputs").display().to_string();
    let checkpoint = folder.path().join("outputs/checkpoint-6").display().to_string();
    let arguments = ["predict", "--model-name-or-path", &model, "--compare", &checkpoint];
    let mut terminal = Terminal::start(120, 30, &arguments, &[]);
    terminal.wait_for("type a review");
    terminal.press("최고");
    // Without Enter, from both models.
    let text = terminal.wait("both answers", |text| text.matches("[SEP]").count() == 2);
    assert!(text.contains("margin") && text.contains("calibrated"), "{text}");
    // Ctrl-J, Alt-Enter, and what was typed is undone by Ctrl-_.
    terminal.press("\n둘\x1b\r셋");
    let row = |screen: &vt100::Screen, index: usize| screen.rows(0, 20).nth(index);
    terminal.wait_screen("three lines", |screen| {
        row(screen, 2).is_some_and(|row| row.contains("> 최고"))
            && row(screen, 4).is_some_and(|row| row.contains("  셋"))
    });
    terminal.press("\x1f");
    terminal
        .wait_screen("two lines", |screen| row(screen, 4).is_some_and(|row| !row.contains('셋')));
    // Bracketed paste of decomposed Hangul and an invisible character.
    terminal.press("\x1b[200~\u{1112}\u{1161}\u{11ab}\u{202e}\r\n\x1b[201~");
    let text = terminal.wait_for("characters composed (NFC)");
    assert!(text.contains("invisible characters left out: 1"), "{text}");
    terminal.wait("the words of both models", |text| text.matches("words: for").count() == 2);
    // Integrated gradients, whose sum is checked.
    terminal.press("\x1bg");
    terminal.wait("both sums", |text| text.matches("without any word, gap").count() == 2);
    terminal.press("\r");
    terminal.wait_for("최고 둘 한");
    terminal.press("\x0f");
    terminal.wait_written("\x1b]52;c;");
    terminal.wait_for("copied to the terminal's clipboard");
    terminal.press("\t");
    let text = terminal.wait_for("temperature");
    assert!(text.contains("M parameters") && !text.contains("Train"), "{text}");
    terminal.press("\t\x1b");
    let text = terminal.end(0);
    assert!(text.contains("최고 둘 한"), "the kept answer is printed:\n{text}");
}

/// What is done when a signal ends it is not lost.
#[cfg(unix)]
#[test]
fn predictions_until_a_signal_are_kept_beside_the_file() {
    let folder = trained();
    let rows = (0..60_000).map(|number| format!("{number}\t재미있는 영화 {number}"));
    let lines: Vec<String> = std::iter::once("id\tdocument".to_owned()).chain(rows).collect();
    write(folder.path(), "in.tsv", &lines.join("\n"));
    write(folder.path(), "out.tsv", "from before\n");
    let run = std::process::Command::new(crate::support::program())
        .current_dir(folder.path())
        .args(["predict", "--input-file", "in.tsv", "--output-file", "out.tsv"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The file that is being written is beside the others.
    let files = || std::fs::read_dir(folder.path()).expect("a folder").count();
    let before = files();
    while files() == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = run.id().to_string();
    let signalled = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(signalled.expect("kill runs").success());
    let ended = run.wait_with_output().expect("an end");
    assert_eq!(ended.status.code(), Some(128 + 2));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let part = std::fs::read_to_string(folder.path().join("out.partial.tsv")).expect("a file");
    let done = part.lines().count() - 1;
    assert!(done > 0 && done < 60_000);
    let expected = "out.tsv is not written; out.partial.tsv has the predictions of the first";
    assert!(said.contains(&format!("{expected} {done} of 60000 texts")), "{said}");
    let unchanged = std::fs::read_to_string(folder.path().join("out.tsv")).expect("a file");
    assert_eq!(unchanged, "from before\n");
}
