//! The command palette: every action of a page, found by typing part of its name.
//!
//! What a user means by a word is what is called so: a page or a panel of that name comes before actions
//! whose name contains the word, and those before names whose words begin with its letters, or that it
//! nearly spells. Letters that are scattered over a name find nothing.

mod spelling;

use super::action::Action;
use super::editor;
use crate::core::initials;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use spelling::{begins_words, is_key, is_misspelt, is_one_part, is_part_of_key};
use tui_input::{Input, InputRequest};

/// An action that is available on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteEntry {
    /// The name in the user's language.
    pub name: String,
    /// The name in English, which is matched in every language.
    pub english: String,
    /// The names on the screen of what it shows, in all languages; empty unless it shows a page or a
    /// panel.
    pub titles: Vec<String>,
    /// Other words for it, in all languages, with spaces between them.
    pub words: String,
    /// The names of its keys.
    pub keys: Vec<String>,
    /// Why the action has no effect now, in the user's language.
    pub refusal: Option<String>,
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

    /// Moves the selection by this many matches, not beyond the first and the last one.
    pub fn move_page(&mut self, by: isize) {
        let last = self.matches.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// The selected entry, if any matches.
    pub fn selected_entry(&self) -> Option<&PaletteEntry> {
        self.entries.get(self.matches.get(self.selected)?.entry)
    }

    fn rank(&mut self) {
        let typed = self.input.value().trim();
        let mut search = Search::new(typed);
        let mut ranked: Vec<((Closeness, bool, u32), PaletteMatch)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let by_name = search.fuzzy(&entry.name);
            let closeness = if entry.keys.iter().any(|key| is_key(key, typed)) {
                Closeness::Key
            } else if let Some(closeness) = closeness(entry, typed) {
                closeness
            } else if by_name.as_ref().is_some_and(|found| begins_words(&entry.name, &found.1))
                || is_misspelt(entry, typed)
                || is_part_of_key(entry, typed)
            {
                Closeness::Letters
            } else {
                continue;
            };
            let (score, mut indices) = by_name.unwrap_or_default();
            if !begins_words(&entry.name, &indices) && !is_one_part(&indices) {
                // Scattered letters are not why it was found.
                indices.clear();
            }
            let shows = !entry.titles.is_empty() && !typed.is_empty();
            let rank = (closeness, shows, score);
            ranked.push((rank, PaletteMatch { entry: index, indices }));
        }
        // A stable sort: entries of the same rank keep their order.
        ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        self.matches = ranked.into_iter().map(|(_, found)| found).collect();
        self.selected = 0;
    }
}

/// How close an entry is to what is typed, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// Its letters begin words of the name, or it is nearly a word of its names.
    Letters,
    /// Each word is a part of a word of its names.
    Part,
    /// Each word begins a word of its names.
    Beginning,
    /// Each word is one of its title or of the other words for it.
    Word,
    /// Its name begins with these words.
    Name,
    /// The title of the page or panel begins with it.
    Title,
    /// The title of the page or panel.
    WholeTitle,
    /// One of its keys.
    Key,
}

/// The closeness of an entry by its words; `None` if a word occurs in none of them.
fn closeness(entry: &PaletteEntry, typed: &str) -> Option<Closeness> {
    if let Some(initials) = initials::of_search(typed) {
        return closeness_of_initials(entry, &initials);
    }
    let typed = typed.to_lowercase();
    let titles: Vec<String> = entry.titles.iter().map(|title| title.to_lowercase()).collect();
    if typed.is_empty() {
        return Some(Closeness::Part);
    }
    if titles.contains(&typed) {
        return Some(Closeness::WholeTitle);
    }
    if titles.iter().any(|title| title.starts_with(&typed)) {
        return Some(Closeness::Title);
    }
    let names = [&entry.name, &entry.english].map(|name| name.to_lowercase());
    let begins = |name: &String| {
        let rest = name.strip_prefix(&typed);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    if names.iter().any(begins) {
        return Some(Closeness::Name);
    }
    let words_of = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let called: Vec<String> = titles
        .iter()
        .flat_map(|title| words_of(title))
        .chain(entry.words.split_whitespace().map(str::to_lowercase))
        .collect();
    let named: Vec<String> = names.iter().flat_map(|name| words_of(name)).collect();
    let all = || called.iter().chain(&named);
    let of_part = |part: &str| {
        if called.iter().any(|word| word == part) {
            Some(Closeness::Word)
        } else if all().any(|word| word.starts_with(part)) {
            Some(Closeness::Beginning)
        } else {
            // Of Latin letters, a part within another word is chance: pin is in clipping.
            let is_latin = part.is_ascii();
            let mut others = called.iter().filter(|_| !is_latin).chain(&named);
            others.any(|word| word.contains(part)).then_some(Closeness::Part)
        }
    };
    typed
        .split_whitespace()
        .map(of_part)
        .try_fold(Closeness::Key, |least, of_part| of_part.map(|of_part| least.min(of_part)))
}

/// The closeness of an entry by the initial consonants of its words, such as `ㅎㄷ` of 혼동.
fn closeness_of_initials(entry: &PaletteEntry, typed: &str) -> Option<Closeness> {
    let typed = typed.replace(' ', "");
    let of = |text: &str| initials::of_text(text).replace(' ', "");
    let begins = |text: &String| of(text).starts_with(&typed);
    let has = |text: &str| text.split(' ').any(|word| initials::of_text(word).starts_with(&typed));
    if entry.titles.iter().any(|title| of(title) == typed) {
        Some(Closeness::WholeTitle)
    } else if entry.titles.iter().any(begins) {
        Some(Closeness::Title)
    } else if begins(&entry.name) {
        Some(Closeness::Name)
    } else if has(&entry.words) || has(&entry.name) {
        Some(Closeness::Beginning)
    } else {
        of(&entry.name).contains(&typed).then_some(Closeness::Part)
    }
}

/// Matches texts against what is typed, without regard to case. Each typed word has to match.
struct Search {
    matcher: Matcher,
    fuzzy: Pattern,
    buffer: Vec<char>,
}

impl Search {
    fn new(typed: &str) -> Self {
        let (case, normalization) = (CaseMatching::Ignore, Normalization::Smart);
        Self {
            matcher: Matcher::new(Config::DEFAULT),
            fuzzy: Pattern::new(typed, case, normalization, AtomKind::Fuzzy),
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
                titles: Vec::new(),
                words: String::new(),
                keys,
                refusal: None,
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
    fn scattered_letters_find_nothing_but_beginnings_and_misspellings_do() {
        assert_eq!(found("gpu"), [""; 0], "the g and u of `training` and `Quit`");
        assert_eq!(found("oops"), [""; 0]);
        assert_eq!(found("uit"), ["Quit; asks first while training"], "a part of its name");
        assert_eq!(found("stm"), ["Save the model"]);
        assert_eq!(found("savm"), ["Save the model"]);
        assert_eq!(found("savt"), ["Save the model"]);
        assert_eq!(found("modle"), ["Save the model"]);
        assert_eq!(
            found("trainig"),
            ["Training: charts and metrics", "Quit; asks first while training"]
        );
        assert_eq!(found("es"), ["전체 다시 보기"], "a part of Esc");
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
            titles: Vec::new(),
            words: "store 보관".to_owned(),
            keys: vec!["w".to_owned()],
            refusal: None,
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
