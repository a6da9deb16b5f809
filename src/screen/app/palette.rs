//! The command palette: every action of a page, found by typing part of its name.

use super::action::Action;
use super::editor;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::{Input, InputRequest};

/// An action that is available on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteEntry {
    /// The name in the user's language.
    pub name: String,
    /// The name in English, which is matched in every language.
    pub english: String,
    /// Other words for it, in all languages.
    pub words: &'static str,
    /// The names of its keys.
    pub keys: Vec<String>,
    /// The action.
    pub action: Action,
}

/// An entry that matches what is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteMatch {
    /// The index of the entry.
    pub entry: usize,
    /// The indices of the matched characters of its name, in order.
    pub indices: Vec<usize>,
}

/// The entries and what is typed to find one.
#[derive(Clone, Debug, Default)]
pub struct CommandPalette {
    /// What is typed.
    pub input: Input,
    /// All entries.
    pub entries: Vec<PaletteEntry>,
    /// The entries that match what is typed, best first.
    pub matches: Vec<PaletteMatch>,
    /// The index of the selected match.
    pub selected: usize,
}

impl CommandPalette {
    /// A palette with nothing typed.
    pub fn new(entries: Vec<PaletteEntry>) -> Self {
        let mut palette = Self { entries, ..Self::default() };
        palette.rank();
        palette
    }

    /// Edits what is typed.
    pub fn edit(&mut self, request: InputRequest) {
        editor::edit(&mut self.input, request);
        self.rank();
    }

    /// Pastes into what is typed.
    pub fn paste(&mut self, text: &str) {
        editor::paste(&mut self.input, text);
        self.rank();
    }

    /// Selects the next match (1) or the previous one (-1), wrapping around.
    pub fn move_selection(&mut self, direction: isize) {
        let count = self.matches.len().max(1) as isize;
        self.selected = (self.selected as isize + direction).rem_euclid(count) as usize;
    }

    /// The selected entry, if any matches.
    pub fn selected_entry(&self) -> Option<&PaletteEntry> {
        self.entries.get(self.matches.get(self.selected)?.entry)
    }

    fn rank(&mut self) {
        let typed = self.input.value().trim();
        let mut search = Search::new(typed);
        let mut ranked: Vec<(u32, PaletteMatch)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let by_name = search.fuzzy(&entry.name);
            let by_key = entry.keys.iter().filter_map(|key| search.fuzzy(key)).map(|key| key.0);
            // A name that is not shown must contain each typed word as a substring.
            let other = by_key.max();
            let other = other.max(search.substring(&entry.english));
            let other = other.max(score_of_words(typed, entry.words));
            let score = match (&by_name, other) {
                _ if entry.keys.iter().any(|key| is_key(key, typed)) => u32::MAX,
                (None, None) => continue,
                (name, other) => name.as_ref().map(|name| name.0).max(other).unwrap_or(0),
            };
            let indices = by_name.map(|name| name.1).unwrap_or_default();
            ranked.push((score, PaletteMatch { entry: index, indices }));
        }
        // A stable sort: entries of the same score keep their order.
        ranked.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.matches = ranked.into_iter().map(|(_, found)| found).collect();
        self.selected = 0;
    }
}

/// Whether `typed` is the name of a key. Case matters for letters, but not for the names of other
/// keys.
fn is_key(key: &str, typed: &str) -> bool {
    key == typed || (key.len() > 1 && key.eq_ignore_ascii_case(typed))
}

/// The score of other words for an entry that contain each typed word; the beginning of a word
/// scores higher than its middle.
fn score_of_words(typed: &str, words: &str) -> Option<u32> {
    let typed = typed.to_lowercase();
    let mut score = None;
    for part in typed.split_whitespace() {
        let begins = words.split_whitespace().any(|word| word.starts_with(part));
        let weight = if begins { 25 } else { 10 };
        let own = weight * u32::try_from(part.chars().count()).unwrap_or(1);
        score = Some(score.unwrap_or(0) + words.contains(part).then_some(own)?);
    }
    score
}

/// Matches texts against what is typed, without regard to case. Each typed word has to match.
struct Search {
    matcher: Matcher,
    fuzzy: Pattern,
    substring: Pattern,
    buffer: Vec<char>,
}

impl Search {
    fn new(typed: &str) -> Self {
        let pattern = |kind| Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, kind);
        Self {
            matcher: Matcher::new(Config::DEFAULT),
            fuzzy: pattern(AtomKind::Fuzzy),
            substring: pattern(AtomKind::Substring),
            buffer: Vec::new(),
        }
    }

    /// The score of a text and the indices of its matched characters, if the letters of each word
    /// occur in it in order.
    fn fuzzy(&mut self, text: &str) -> Option<(u32, Vec<usize>)> {
        let mut indices = Vec::new();
        let text = Utf32Str::new(text, &mut self.buffer);
        let score = self.fuzzy.indices(text, &mut self.matcher, &mut indices)?;
        indices.sort_unstable();
        indices.dedup();
        Some((score, indices.into_iter().map(|index| index as usize).collect()))
    }

    /// The score of a text that contains each word as a substring.
    fn substring(&mut self, text: &str) -> Option<u32> {
        self.substring.score(Utf32Str::new(text, &mut self.buffer), &mut self.matcher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::Page;

    fn score(text: &str, typed: &str) -> Option<u32> {
        Search::new(typed).fuzzy(text).map(|found| found.0)
    }

    fn indices(text: &str, typed: &str) -> Option<Vec<usize>> {
        Search::new(typed).fuzzy(text).map(|found| found.1)
    }

    fn entries() -> Vec<PaletteEntry> {
        let entry = |name: &str, keys: &[&str], action| {
            let keys = keys.iter().map(|&key| key.to_owned()).collect();
            PaletteEntry {
                name: name.to_owned(),
                english: name.to_owned(),
                words: "",
                keys,
                action,
            }
        };
        vec![
            entry("Training: charts and metrics", &["1"], Action::ShowPage(Page::Train)),
            entry("Predict: classify a text", &["2", "p"], Action::ShowPage(Page::Predict)),
            entry("Save the model", &["w"], Action::SaveModel),
            entry("Quit; asks first while training", &["q"], Action::Quit),
            entry("The next page", &["Tab"], Action::NextPage),
            entry("전체 다시 보기", &["Esc"], Action::Close),
        ]
    }

    fn found(typed: &str) -> Vec<String> {
        let mut palette = CommandPalette::new(entries());
        palette.paste(typed);
        palette.matches.iter().map(|found| palette.entries[found.entry].name.clone()).collect()
    }

    #[test]
    fn letters_match_in_order_without_regard_to_case() {
        assert_eq!(indices("Save the model", "stm"), Some(vec![0, 5, 9]));
        assert_eq!(indices("Save the model", "MODEL"), Some(vec![9, 10, 11, 12, 13]));
        assert_eq!(indices("Save the model", "sm"), Some(vec![0, 9]));
        assert_eq!(indices("Save the model", "save model").map(|at| at.len()), Some(9));
        assert_eq!(indices("Save the model", "ms"), None);
        assert_eq!(indices("Save the model", "modell"), None);
        assert_eq!(indices("", "a"), None);
        assert_eq!(indices("ab", " "), Some(vec![]));
        assert_eq!(indices("전체 다시 보기", "전보"), Some(vec![0, 6]));
    }

    #[test]
    fn words_score_higher_than_scattered_letters() {
        assert!(score("The next page", "np") > score("Down the page", "np"));
        assert!(score("Save the model", "model") > score("More or less", "mol"));
        assert!(score("Delete the word", "word") > score("Down to the order", "wod"));
    }

    #[test]
    fn the_best_match_is_first_and_an_exact_key_is_before_all() {
        assert_eq!(found("").len(), 6);
        assert_eq!(found("")[0], "Training: charts and metrics");
        assert_eq!(found("train")[0], "Training: charts and metrics");
        assert_eq!(found("q")[0], "Quit; asks first while training");
        assert_eq!(found("p")[0], "Predict: classify a text");
        assert_eq!(found("tab")[0], "The next page");
        assert_eq!(found("다시"), ["전체 다시 보기"]);
        assert_eq!(found("xyz"), [""; 0]);
    }

    #[test]
    fn the_english_name_is_found_in_every_language() {
        let entry = PaletteEntry {
            name: "모델 저장".to_owned(),
            english: "Save the model".to_owned(),
            words: "store 보관",
            keys: vec!["w".to_owned()],
            action: Action::SaveModel,
        };
        for (typed, indices) in [
            ("저장", vec![3, 4]),
            ("save", vec![]),
            ("w", vec![]),
            ("보관", vec![]),
            ("stor", vec![]),
        ] {
            let mut palette = CommandPalette::new(vec![entry.clone()]);
            palette.paste(typed);
            assert_eq!(palette.matches, [PaletteMatch { entry: 0, indices }], "{typed}");
        }
    }

    #[test]
    fn the_selection_wraps_around_and_typing_resets_it() {
        let mut palette = CommandPalette::new(entries());
        palette.move_selection(-1);
        assert_eq!(palette.selected_entry().map(|entry| entry.action), Some(Action::Close));
        palette.move_selection(1);
        palette.move_selection(1);
        assert_eq!(palette.selected, 1);
        palette.paste("sav");
        assert_eq!(palette.selected_entry().map(|entry| entry.action), Some(Action::SaveModel));
        palette.paste("zzz");
        assert_eq!(palette.selected_entry(), None);
        palette.move_selection(1);
        assert_eq!((palette.selected, palette.selected_entry()), (0, None));
    }
}
