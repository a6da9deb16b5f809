//! The language of the dashboard. The sources contain the English texts; `assets/lang` has a table
//! of translations for each other language. Names of metrics and flags (`eval_accuracy`) and the
//! content of files are not translated.

mod particles;
mod patterns;
mod system_errors;

use crate::core::text::interpolate;
use crate::screen::display::LanguageChoice;
use patterns::Pattern;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

/// A language of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    English,
    /// Korean.
    Korean,
}

/// Translations by their English text.
type Translations = HashMap<String, String>;

static KOREAN: LazyLock<Translations> =
    LazyLock::new(|| read(include_str!("../../assets/lang/ko.toml")));

/// The translations of texts with named values.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut patterns: Vec<Pattern> =
        KOREAN.iter().filter_map(|(english, korean)| Pattern::new(english, korean)).collect();
    // The most specific one first, in the same order in every process.
    patterns.sort_by(|a, b| b.rank().cmp(&a.rank()));
    patterns
});

/// Reads a table. An unreadable one is empty, which leaves all texts in English; a test reads it.
fn read(text: &str) -> Translations {
    toml::from_str(text).unwrap_or_default()
}

impl Lang {
    /// The language of the flag, or else of the locale; `variable` looks up the environment.
    ///
    /// The locale is that of messages (POSIX.1-2017, section 8.2), overridden by `LANGUAGE` as in
    /// GNU gettext. Output is UTF-8, so a locale with another charset selects English.
    pub fn detect(choice: LanguageChoice, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        match choice {
            LanguageChoice::En => Self::English,
            LanguageChoice::Ko => Self::Korean,
            LanguageChoice::Auto => {
                let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable);
                let locale = locale.unwrap_or_default();
                if !is_utf8(&locale) || matches!(locale.as_str(), "" | "C" | "POSIX") {
                    return Self::English;
                }
                let wanted = variable("LANGUAGE").unwrap_or(locale);
                wanted.split(':').find_map(Self::of_locale).unwrap_or_default()
            }
        }
    }

    /// The language of a locale such as `ko` or `ko_KR.UTF-8`, if it is supported.
    fn of_locale(locale: &str) -> Option<Self> {
        match locale.split(['_', '.', '@', '-']).next() {
            Some("ko") => Some(Self::Korean),
            Some("en" | "C") => Some(Self::English),
            _ => None,
        }
    }

    /// The translation of a text; the text itself if it has none.
    pub fn tr(self, english: &str) -> &str {
        match self {
            Self::English => english,
            Self::Korean => KOREAN.get(english).map_or(english, String::as_str),
        }
    }

    /// The translation of a text with values in place of `{0}`, `{1}` and so on. In Korean, `을(를)`
    /// and the like after a value become the particle that suits it.
    pub fn tr_with(self, english: &str, values: &[&dyn Display]) -> String {
        let text = interpolate(self.tr(english), values);
        match self {
            Self::English => text,
            Self::Korean => particles::chosen(&text),
        }
    }

    /// The translation of a text whose values are already filled in, such as a note of the run: its
    /// template in the table has the names of the values, such as `{path}`, or `{}`. Of texts that
    /// were joined by a colon, a semicolon or a full stop, each part is translated. The text itself
    /// if no template matches.
    pub fn tr_filled(self, english: &str) -> String {
        match self {
            Self::English => english.to_owned(),
            Self::Korean => {
                let text = match translated(english, MAX_DEPTH) {
                    Some(text) => particles::chosen(&text),
                    None => english.to_owned(),
                };
                system_errors::translated(text)
            }
        }
    }
}

/// How deep texts within texts are translated.
const MAX_DEPTH: usize = 4;

/// The Korean translation of a text whose values are filled in; `None` if nothing of it is in the
/// table.
fn translated(english: &str, depth: usize) -> Option<String> {
    if let Some(text) = KOREAN.get(english) {
        return Some(text.clone());
    }
    let depth = depth.checked_sub(1)?;
    let inner = |text: &str| translated(text, depth);
    if let Some(text) = PATTERNS.iter().find_map(|pattern| pattern.translated(english, inner)) {
        return Some(text);
    }
    // Of sentences, the last one is an advice of its own.
    [". ", "; ", ": "].into_iter().find_map(|separator| {
        let (first, second) = match separator {
            ". " => english.rsplit_once(separator)?,
            _ => english.split_once(separator)?,
        };
        // What a colon follows is a name.
        let found = if separator == ": " { None } else { inner(first) };
        let (found, other) = match (found, inner(second)) {
            (None, None) => return None,
            (first_found, second_found) => (
                first_found.unwrap_or_else(|| first.to_owned()),
                second_found.unwrap_or_else(|| second.to_owned()),
            ),
        };
        Some(format!("{found}{separator}{other}"))
    })
}

/// Whether the charset of a locale is UTF-8 or unspecified.
pub fn is_utf8(locale: &str) -> bool {
    let charset = locale.split('@').next().and_then(|locale| locale.split_once('.'));
    charset.is_none_or(|(_, charset)| matches!(&*charset.to_ascii_lowercase(), "utf-8" | "utf8"))
}

#[cfg(test)]
#[path = "lang_tests.rs"]
mod tests;
