//! The dashboard's words in the user's language. English stands in the sources; the other
//! languages are tables from the English text to theirs, in `assets/lang`. Names that are
//! everybody's (`eval_accuracy`, flags, what a file or the run itself says) stay as they are.

use crate::core::text::interpolate;
use crate::screen::display::LanguageChoice;
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

type Table = HashMap<String, String>;

static KOREAN: LazyLock<Table> = LazyLock::new(|| read(include_str!("../../assets/lang/ko.toml")));

/// A table that cannot be read is an empty one: then all is English. A test reads it.
fn read(text: &str) -> Table {
    toml::from_str(text).unwrap_or_default()
}

impl Lang {
    /// The language that a flag asks for, or else the locale; `variable` looks the environment up.
    ///
    /// The locale is that of messages (POSIX 8.2), with the list of languages that GNU's gettext
    /// looks at first. What is written is UTF-8, so a locale of another charset gets English.
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

    /// The language of `ko`, `ko_KR.UTF-8` and the like, if there is a table of it.
    fn of_locale(locale: &str) -> Option<Self> {
        match locale.split(['_', '.', '@', '-']).next() {
            Some("ko") => Some(Self::Korean),
            Some("en" | "C") => Some(Self::English),
            _ => None,
        }
    }

    /// A text in this language; as it is, if the table does not have it.
    pub fn tr(self, english: &str) -> &str {
        match self {
            Self::English => english,
            Self::Korean => KOREAN.get(english).map_or(english, String::as_str),
        }
    }

    /// The text in this language with values for `{0}`, `{1}` and so on, in whatever order the
    /// language has them.
    pub fn tr_with(self, english: &str, values: &[&dyn Display]) -> String {
        interpolate(self.tr(english), values)
    }
}

/// Whether a locale's charset is UTF-8; one that names none says nothing against it.
pub fn is_utf8(locale: &str) -> bool {
    let charset = locale.split('@').next().and_then(|locale| locale.split_once('.'));
    charset.is_none_or(|(_, charset)| matches!(&*charset.to_ascii_lowercase(), "utf-8" | "utf8"))
}

#[cfg(test)]
#[path = "lang_tests.rs"]
mod tests;
