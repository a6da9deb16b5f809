//! Tokenizers of models: damaged ones, and texts that they do not know.

use crate::support::{TINY, nsmc_tui, stderr, stdout};
use std::path::Path;

/// Writes ten reviews with this text each.
fn write_rows(folder: &Path, text: &str) {
    let rows: Vec<String> = (0..10).map(|n| format!("{n}\t{text} {n}\t{}\n", n % 2)).collect();
    let rows = format!("id\tdocument\tlabel\n{}", rows.concat());
    std::fs::write(folder.join("rows.tsv"), rows).expect("rows");
}

fn train(folder: &Path) -> String {
    let mut command = nsmc_tui(folder);
    command.args(["train", "--plain", "--threads", "1", "--train-file", "rows.tsv"]).args(TINY);
    stdout(&command.assert().success())
}

#[test]
fn unknown_words_are_said_and_decomposed_hangul_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    write_rows(folder.path(), "☃ ☃ ☃");
    let text = train(folder.path());
    assert!(text.contains("of the tokens of the training data are unknown ([UNK])"), "{text}");
    // 최고의 영화 in jamo, as in file names of macOS.
    let jamo =
        "\u{110e}\u{116c}\u{1100}\u{1169}\u{110b}\u{1174} \u{110b}\u{1167}\u{11bc}\u{1112}\u{116a}";
    write_rows(folder.path(), jamo);
    let text = train(folder.path());
    assert!(!text.contains("are unknown"), "{text}");
    assert!(text.contains("the Hangul of the training data is decomposed"), "{text}");
    let predict =
        |text: &str| nsmc_tui(folder.path()).args(["predict", "--", text]).assert().success();
    let warning = stderr(&predict("☃ 최고"));
    let expected = "warning: not in the vocabulary: \"☃\"; the model cannot tell them apart from";
    assert!(warning.contains(expected), "{warning}");
    let warning = stderr(&predict(jamo));
    assert!(warning.contains("composed here, but not by Python's tokenizer"), "{warning}");
    assert_eq!(stderr(&predict("최고의 영화")), "");
}

#[test]
fn a_damaged_tokenizer_is_an_error_that_names_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    write_rows(folder.path(), "최고");
    train(folder.path());
    let file = folder.path().join("outputs/tokenizer.json");
    let whole = std::fs::read_to_string(&file).expect("a tokenizer");
    let mut json: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    // The crate would panic, and would allocate 8.6 GB.
    let map = "/////wAAAAAAAAAAAAAAAA==";
    json["normalizer"] = serde_json::json!({"type": "Precompiled", "precompiled_charsmap": map});
    std::fs::write(&file, json.to_string()).expect("a file");
    // As it says, and not as BertTokenizer rebuilds it.
    std::fs::remove_file(folder.path().join("outputs/tokenizer_config.json")).expect("a file");
    for name in ["predict", "tokenize"] {
        let flags = [name, "--model-name-or-path", "outputs", "--", "최고"];
        let message = stderr(&nsmc_tui(folder.path()).args(flags).assert().code(1));
        assert!(message.contains("outputs/tokenizer.json: its precompiled_charsmap"), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
}
