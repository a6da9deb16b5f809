//! The house rules that a reader of the sources can check.

#![expect(clippy::expect_used, reason = "a test that cannot go on should stop with a word")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The files of modules that are declared for tests alone, by their paths below `src`.
fn test_only(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(root) {
        let text = std::fs::read_to_string(&path).expect("text");
        let mut for_tests = false;
        for line in text.lines().map(str::trim) {
            let module = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
            if let Some((_, name)) = module.filter(|_| for_tests) {
                let folder = path.parent().expect("a folder");
                let file = folder.join(format!("{name}.rs"));
                let file = file.strip_prefix(root).expect("below src");
                found.push(file.display().to_string());
            }
            // Several attributes may stand before a declaration.
            for_tests = line == "#[cfg(test)]" || (for_tests && line.starts_with("#["));
        }
    }
    found
}

/// Each source with its path below `src`, without comments and without its tests.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let test_only = test_only(&root);
    let files: Vec<(String, String)> = sources(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").display().to_string();
            let text = std::fs::read_to_string(&path).expect("text");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            (name, lines.collect::<Vec<_>>().join("\n"))
        })
        .filter(|(name, _)| !name.ends_with("tests.rs") && !test_only.contains(name))
        .collect();
    assert!(files.len() > 40, "the sources were not found");
    files
}

/// Files of the rooms named that hold one of the words.
fn offenders(rooms: &[&str], words: &[&str]) -> Vec<String> {
    code()
        .into_iter()
        .filter(|(name, _)| rooms.iter().any(|room| name.starts_with(room)))
        .flat_map(|(name, text)| {
            let hits = words.iter().filter(move |word| text.contains(**word));
            hits.map(move |word| format!("{name}: {word}")).collect::<Vec<_>>()
        })
        .collect()
}

const CORE: [&str; 13] = [
    "data/",
    "engine/",
    "files.rs",
    "hub/",
    "model/",
    "ops/",
    "predict.rs",
    "run/",
    "series/",
    "system/",
    "tokenizer/",
    "train/",
    "worker/",
];

#[test]
fn the_core_knows_nothing_of_screens() {
    let words = ["ratatui", "crossterm", "crate::app", "crate::ui", "crate::tui", "crate::keymap"];
    assert_eq!(offenders(&CORE, &words), [""; 0]);
}

#[test]
fn the_state_does_no_input_or_output_and_reads_no_clock() {
    let words =
        ["std::fs", "std::io", "Instant::", "SystemTime", "std::env", "crate::ui", "crossterm"];
    assert_eq!(offenders(&["app/"], &words), [""; 0]);
}

#[test]
fn nothing_below_the_front_ends_prints() {
    let rooms = [&CORE[..], &["app/", "ui/", "keymap/", "tui", "config/", "text.rs"]].concat();
    assert_eq!(offenders(&rooms, &["println!", "eprint", "print!("]), [""; 0]);
}

#[test]
fn nothing_exits_or_gives_up_half_way() {
    let words = [".unwrap()", ".expect(", "process::exit", "todo!", "unimplemented!", "dbg!"];
    assert_eq!(offenders(&[""], &words), [""; 0]);
}

#[test]
fn every_file_is_read_in_one_sitting() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<String> = sources(&root)
        .into_iter()
        .filter(|path| std::fs::read_to_string(path).expect("text").lines().count() > 400)
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn the_machines_figures_need_nothing_of_the_house_but_its_texts() {
    let own = ["crate::text", "crate::system"];
    let others: Vec<String> = code()
        .into_iter()
        .filter(|(name, _)| name.starts_with("system/"))
        .flat_map(|(name, text)| {
            let lines = text.lines().filter(|line| line.contains("crate::"));
            let foreign = lines.filter(|line| !own.iter().any(|own| line.contains(own)));
            foreign.map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(others, [""; 0]);
}
