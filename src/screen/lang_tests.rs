//! The tables have all that is said, and nothing else.

use super::*;
use crate::screen::app::Page;
use crate::screen::keymap::{BINDINGS, KeyContext};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn detected(pairs: &[(&str, &str)]) -> Lang {
    Lang::detect(LanguageChoice::Auto, |name| {
        pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_locale_says_which_language() {
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

/// All text literals of the sources, tests left out. Those that go on in a line below the first
/// count without the gap.
fn literals() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("text");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let mut rest = line;
            while let Some((_, after)) = rest.split_once('"') {
                let mut end = 0;
                while let Some(quote) = after[end..].find('"') {
                    end += quote;
                    if !after[..end].ends_with('\\') {
                        break;
                    }
                    end += 1;
                }
                let Some(literal) = after.get(..end) else { break };
                found.insert(literal.replace("\\\\", "\\").replace("\\\"", "\""));
                rest = after.get(end + 1..).unwrap_or_default();
            }
        }
    }
    found
}

/// What stands in the sources as the argument of `say` or `fill`.
fn said() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("text");
        let text: String = text.lines().map(str::trim_start).collect();
        for call in ["lang.tr(", "lang.tr_with("] {
            for after in text.split(call).skip(1) {
                let argument = after.trim_start().strip_prefix('"');
                if let Some(literal) = argument.and_then(|text| text.split('"').next()) {
                    found.insert(literal.replace("\\\\", "\\"));
                }
            }
        }
    }
    found
}

#[test]
fn everything_said_has_its_korean() {
    let mut wanted = said();
    assert!(wanted.len() > 60, "the sources were not found");
    for binding in BINDINGS {
        wanted.insert(binding.help.to_owned());
        wanted.extend(binding.footer.map(str::to_owned));
    }
    wanted.extend(KeyContext::ALL.map(|place| place.title().to_owned()));
    wanted.extend(Page::ALL.map(|page| page.title().to_owned()));
    let missing: Vec<&String> = wanted.iter().filter(|text| !KOREAN.contains_key(*text)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn nothing_stands_in_the_table_for_nobody() {
    let literals = literals();
    let stale: Vec<&String> = KOREAN.keys().filter(|text| !literals.contains(*text)).collect();
    assert_eq!(stale, [""; 0]);
}

#[test]
fn a_translation_takes_the_same_values() {
    let places = |text: &str| -> BTreeSet<String> {
        let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        parts.map(|(name, _)| name.to_owned()).collect()
    };
    for (english, korean) in KOREAN.iter() {
        assert_eq!(places(english), places(korean), "{english}");
        let edges = |text: &str| (text.starts_with(' '), text.ends_with(' '));
        assert_eq!(edges(english), edges(korean), "blanks around {english:?}");
        assert!(matches!(
            crate::core::text::sanitize_for_terminal(korean),
            std::borrow::Cow::Borrowed(_)
        ));
    }
}
