//! The tables contain every text of the dashboard, and no others.

use super::*;
use crate::screen::app::Page;
use crate::screen::app::panels::Panel;
use crate::screen::keymap::{BINDINGS, KeyContext, about_panel};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn detected(pairs: &[(&str, &str)]) -> Lang {
    Lang::detect(LanguageChoice::Auto, |name| {
        pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_locale_selects_the_language() {
    use Lang::{English, Korean};
    for (pairs, lang) in [
        (&[][..], English),
        (&[("LANG", "ko_KR.UTF-8")], Korean),
        (&[("LANG", "ko_KR.utf8")], Korean),
        (&[("LANG", "ko_KR")], Korean),
        (&[("LANG", "ko_KR.EUC-KR")], English),
        (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "ko_KR.UTF-8")], Korean),
        (&[("LANG", "ko_KR.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], English),
        (&[("LANG", "ko_KR.UTF-8"), ("LC_ALL", "")], Korean),
        (&[("LANG", "en_US.UTF-8"), ("LANGUAGE", "fr:ko:en")], Korean),
        (&[("LANG", "C"), ("LANGUAGE", "ko")], English),
        (&[("LANG", "kok_IN.UTF-8")], English),
    ] {
        assert_eq!(detected(pairs), lang, "{pairs:?}");
    }
    let korean = |name: &str| (name == "LANG").then(|| "ko_KR.UTF-8".to_owned());
    assert_eq!(Lang::detect(LanguageChoice::En, korean), English);
    assert_eq!(Lang::detect(LanguageChoice::Ko, |_| None), Korean);
}

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

/// The sources, without tests.
fn texts() -> Vec<String> {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let files = files.into_iter().filter(|path| !path.to_string_lossy().ends_with("tests.rs"));
    let text = |path| std::fs::read_to_string(path).expect("text");
    // A module of tests that is in the file itself is its end.
    let without_tests = |text: String| {
        let is_inline = |after: &str| {
            let first = after.trim_start().lines().next().unwrap_or_default();
            first.contains("mod ") && first.ends_with('{')
        };
        let mut ends = text.match_indices(CFG_TEST);
        let end = ends.find(|(at, attribute)| is_inline(&text[at + attribute.len()..]));
        end.map_or(text.as_str(), |(at, _)| &text[..at]).to_owned()
    };
    files.map(text).map(without_tests).collect()
}

/// What precedes code for tests alone.
const CFG_TEST: &str = "#[cfg(test)]";

/// The string literals of a source with the offsets of their quotation marks. Lines that a backslash
/// ends are joined.
fn literals_of(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut characters = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = characters.next() {
        match c {
            '/' if before == '/' => while characters.next_if(|(_, c)| *c != '\n').is_some() {},
            '\'' if text[at..].starts_with("'\"'") || text[at..].starts_with("'\\") => {
                // A character: the quotation mark, or an escaped one.
                characters.next();
                characters.next();
            }
            '"' => {
                let hashes = text[..at].len() - text[..at].trim_end_matches('#').len();
                if text[..at - hashes].ends_with('r') {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let length = text[at + 1..].find(&end).unwrap_or(0);
                    found.push((at, text[at + 1..at + 1 + length].to_owned()));
                    let end = at + 1 + length;
                    while characters.next_if(|(at, _)| *at <= end).is_some() {}
                    continue;
                }
                let mut literal = String::new();
                while let Some((_, c)) = characters.next().filter(|(_, c)| *c != '"') {
                    if c != '\\' {
                        literal.push(c);
                        continue;
                    }
                    match characters.next() {
                        Some((_, '\n')) => {
                            while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                        }
                        Some((_, 'n')) => literal.push('\n'),
                        Some((_, 't')) => literal.push('\t'),
                        Some((_, c @ ('"' | '\\'))) => literal.push(c),
                        Some((_, c)) => literal.extend(['\\', c]),
                        None => {}
                    }
                }
                found.push((at, literal));
            }
            _ => {}
        }
        before = c;
    }
    found
}

/// All string literals of the sources.
fn literals() -> BTreeSet<String> {
    let literals = |text: String| literals_of(&text).into_iter().map(|(_, literal)| literal);
    texts().into_iter().flat_map(literals).collect()
}

/// What the literals follow that the dashboard shows: calls that translate a text, and those that
/// make notes and warnings of a run.
const SHOWN: [&str; 11] = [
    "lang.tr(",
    "lang.tr_with(",
    "inform(state,",
    "hint(",
    "notes.push(",
    "reporter.warn(",
    "run.warn(observer,",
    "warn(&reports,",
    "warn(&self.reports,",
    "collector.note(",
    "channels.preparing(",
];

/// The literals of the sources that the dashboard shows.
fn translated() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in texts() {
        for (at, literal) in literals_of(&text) {
            let mut before = text[..at].trim_end();
            while let Some(rest) = before.strip_suffix("format!(").or(before.strip_suffix('&')) {
                before = rest.trim_end();
            }
            let is_shown = SHOWN.iter().any(|call| before.ends_with(call));
            let values = literal.split('{').skip(1).filter_map(|part| part.split_once('}'));
            let without_values = values
                .fold(literal.clone(), |text, (name, _)| text.replace(&format!("{{{name}}}"), ""));
            let is_message = without_values.contains(char::is_alphabetic);
            if is_shown && is_message {
                found.insert(literal);
            }
        }
    }
    found
}

#[test]
fn every_text_has_a_korean_translation() {
    let mut expected = translated();
    assert!(expected.len() > 60, "the sources were not found");
    for binding in BINDINGS {
        expected.insert(binding.help.to_owned());
        expected.extend(binding.footer.map(str::to_owned));
    }
    expected.extend(KeyContext::ALL.map(|context| context.title().to_owned()));
    expected.extend(Page::ALL.map(|page| page.title().to_owned()));
    expected.extend(Panel::ALL.map(|panel| panel.title().to_owned()));
    expected.extend(Panel::ALL.map(|panel| about_panel(panel).to_owned()));
    let missing: Vec<&String> =
        expected.iter().filter(|text| !KOREAN.contains_key(*text)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_translation_is_used() {
    let literals = literals();
    let stale: Vec<&String> = KOREAN.keys().filter(|text| !literals.contains(*text)).collect();
    assert_eq!(stale, [""; 0]);
}

#[test]
fn a_translation_has_the_same_placeholders() {
    // Values without names are numbered.
    let placeholders = |text: &str| -> BTreeSet<String> {
        let mut unnamed = 0..;
        let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        parts
            .map(|(name, _)| match name.split(':').next().unwrap_or_default() {
                "" => unnamed.next().map_or_else(String::new, |number| number.to_string()),
                name => name.to_owned(),
            })
            .collect()
    };
    for (english, korean) in KOREAN.iter() {
        assert_eq!(placeholders(english), placeholders(korean), "{english}");
        let edges = |text: &str| (text.starts_with(' '), text.ends_with(' '));
        assert_eq!(edges(english), edges(korean), "blanks around {english:?}");
        assert!(matches!(
            crate::core::text::sanitize_for_terminal(korean),
            std::borrow::Cow::Borrowed(_)
        ));
    }
}

#[test]
fn notes_and_warnings_of_a_run_are_translated() {
    for (english, korean) in [
        ("bad rows left out: 3", "제외한 잘못된 행: 3개"),
        (
            "a.tsv: read without quoting: quotation marks are text; --quoting all removes them",
            "a.tsv: 따옴표를 글자로 읽음. --quoting all은 따옴표를 벗깁니다",
        ),
        (
            "12 % of the tokens of the training data are unknown ([UNK]), and the model cannot tell them \
             apart. Check that the tokenizer belongs to the model and to the language",
            "학습 데이터의 토큰 중 12 %가 모르는 토큰([UNK])이라 모델이 구별하지 못합니다. \
             토크나이저가 모델과 언어에 맞는지 확인하세요",
        ),
        (
            "out/events.jsonl: No space left on device (os error 28); the run continues, and what it \
             records is kept in memory, up to 16 MiB, until it can be written. What is not written \
             before the end is lost. Free some disk space",
            "out/events.jsonl: 저장 공간이 없습니다 (os error 28). 학습은 계속되고, 기록은 쓸 수 있을 \
             때까지 메모리에 16 MiB까지 둡니다. 끝날 때까지 쓰지 못하면 잃습니다. 디스크 공간을 비우세요",
        ),
        (
            "the loss is NaN at step 7; there is no whole checkpoint two steps or more before it to go \
             back to",
            "스텝 7에서 손실 값이 NaN입니다; 되돌아갈, 두 스텝 이상 앞선 온전한 체크포인트가 없습니다",
        ),
        (
            "Check the folder. In the dashboard, press w to save again; without it, there is no \
             checkpoint to resume from.",
            "폴더를 확인하세요. 화면에서 w를 누르면 다시 저장합니다. 화면을 닫았다면, 이어서 학습할 \
             체크포인트가 없습니다.",
        ),
        (
            "the labels 0, 1 of the training rows are taken as the classes negative, positive by their \
             meaning",
            "학습 행의 레이블(0, 1)을 뜻에 따라 클래스(negative, positive)로 봅니다",
        ),
    ] {
        assert_eq!(Lang::Korean.tr_filled(english), korean);
    }
    // What is not in the table stays as it is.
    for text in ["disk: memory; file. loss", "a: b", ""] {
        assert_eq!(Lang::English.tr_filled(text), text);
    }
    assert_eq!(Lang::Korean.tr_filled("a: b; c. d"), "a: b; c. d");
}
