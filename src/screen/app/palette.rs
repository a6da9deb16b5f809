//! The list of all that can be done, found by typing a part of its name.

use super::editor;
use super::state::{Overlay, State};
use tui_input::{Input, InputRequest};

/// Something that can be done here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it does, in a few words.
    pub name: &'static str,
    /// The same in English, which finds it in any language.
    pub english: &'static str,
    /// The names of its keys.
    pub keys: Vec<String>,
    /// What is done.
    pub action: super::Action,
}

/// An entry that fits what is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which entry.
    pub entry: usize,
    /// The characters of its name that were typed, by their numbers.
    pub letters: Vec<usize>,
}

/// Something a key can do in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaletteAction {
    /// Open it.
    Open,
    /// Choose the next entry (1) or the one before (-1), round the ends.
    Move(isize),
    /// Do what is chosen.
    Run,
}

/// The list and what is typed.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    /// What is typed.
    pub line: Input,
    /// All that can be done here.
    pub entries: Vec<Entry>,
    /// Those that fit what is typed, the best first.
    pub hits: Vec<Hit>,
    /// Which of the hits is chosen.
    pub chosen: usize,
}

impl Palette {
    /// A list with nothing typed.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut palette = Self { entries, ..Self::default() };
        palette.rank();
        palette
    }

    /// Edits what is typed.
    pub fn edit(&mut self, request: InputRequest) {
        editor::edit(&mut self.line, request);
        self.rank();
    }

    /// Pastes into what is typed.
    pub fn paste(&mut self, text: &str) {
        editor::paste(&mut self.line, text);
        self.rank();
    }

    /// Chooses the next entry (1) or the one before (-1), round the ends.
    pub fn choose(&mut self, direction: isize) {
        let count = self.hits.len().max(1) as isize;
        self.chosen = (self.chosen as isize + direction).rem_euclid(count) as usize;
    }

    /// The entry that is chosen, if any fits.
    pub fn choice(&self) -> Option<&Entry> {
        self.entries.get(self.hits.get(self.chosen)?.entry)
    }

    fn rank(&mut self) {
        let typed = self.line.value().trim();
        let mut ranked: Vec<(i32, Hit)> = Vec::new();
        for (number, entry) in self.entries.iter().enumerate() {
            // Who types the very key means it.
            let is_key = entry.keys.iter().any(|key| is_key(key, typed));
            let named = fit(entry.name, typed)
                .map(|(score, letters)| (score + literally(entry.name, typed), letters));
            let by_key = entry.keys.iter().filter_map(|key| fit(key, typed)).map(|fit| fit.0).max();
            // What is not seen is only found by its very words.
            let by_english = Some(literally(entry.english, typed)).filter(|score| *score > 0);
            let other = by_key.max(by_english);
            let score = match (is_key, &named, other) {
                (true, ..) => i32::MAX,
                (false, None, None) => continue,
                (false, named, other) => named.as_ref().map(|fit| fit.0).max(other).unwrap_or(0),
            };
            let letters = named.map(|fit| fit.1).unwrap_or_default();
            ranked.push((score, Hit { entry: number, letters }));
        }
        // Of equals the first in the list stays first.
        ranked.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.hits = ranked.into_iter().map(|(_, hit)| hit).collect();
        self.chosen = 0;
    }
}

/// Opens the list over the page, where nothing else lies over it and nothing is typed.
pub(super) fn open(state: &mut State, entries: Vec<Entry>) {
    if state.overlay.is_none() && !state.log.is_typing() {
        state.palette = Palette::new(entries);
        state.overlay = Some(Overlay::Palette);
    }
}

/// Case tells letters apart, but not the names of other keys.
fn is_key(key: &str, typed: &str) -> bool {
    key == typed || (key.len() > 1 && key.eq_ignore_ascii_case(typed))
}

/// What it counts if a text has what is typed in it as it is: more than any scattered letters.
const LITERAL: i32 = 1000;

fn literally(text: &str, typed: &str) -> i32 {
    let is_in = !typed.is_empty() && text.to_lowercase().contains(&typed.to_lowercase());
    if is_in { LITERAL } else { 0 }
}

/// What a letter counts that begins a word.
const BEGINS_WORD: i32 = 8;

/// What a letter counts that follows the one before at once.
const FOLLOWS: i32 = 6;

/// How well a text fits what was typed, and which of its characters were typed: all typed letters
/// occur in it in their order, whatever their case; blanks do not count. The more of them begin
/// words or stand together, the better.
pub fn fit(text: &str, typed: &str) -> Option<(i32, Vec<usize>)> {
    let small = |text: &str| -> Vec<char> {
        text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
    };
    let (text, mut typed) = (small(text), small(typed));
    typed.retain(|c| !c.is_whitespace());
    // best[j]: the highest score with the letter typed last at `j`; from[i][j]: where the letter
    // before the `i`th then stands.
    let mut best: Vec<Option<i32>> = Vec::new();
    let mut from: Vec<Vec<usize>> = Vec::new();
    for (i, &letter) in typed.iter().enumerate() {
        let mut now = vec![None; text.len()];
        let mut before = vec![0; text.len()];
        let mut highest: Option<(i32, usize)> = None;
        for j in 0..text.len() {
            if text[j] == letter {
                let begins = j == 0 || !text[j - 1].is_alphanumeric();
                let own = 1 + if begins { BEGINS_WORD } else { 0 };
                let close =
                    j.checked_sub(1).and_then(|k| Some((best.get(k).copied()?? + FOLLOWS, k)));
                let reached = if i == 0 { Some((0, 0)) } else { close.max(highest) };
                if let Some((score, k)) = reached {
                    now[j] = Some(score + own);
                    before[j] = k;
                }
            }
            if let Some(score) = best.get(j).copied().flatten() {
                // The first of equals: names are read from their beginning.
                if highest.is_none_or(|(other, _)| score > other) {
                    highest = Some((score, j));
                }
            }
        }
        best = now;
        from.push(before);
    }
    if typed.is_empty() {
        return Some((0, Vec::new()));
    }
    let reached = best.iter().enumerate().filter_map(|(j, score)| Some((*score.as_ref()?, j)));
    let (score, mut at) = reached.reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    let mut letters = vec![at];
    for before in from[1..].iter().rev() {
        at = before[at];
        letters.push(at);
    }
    letters.reverse();
    Some((score, letters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::{Action, Page};

    fn score(text: &str, typed: &str) -> i32 {
        fit(text, typed).map_or(-1, |fit| fit.0)
    }

    fn entries() -> Vec<Entry> {
        let entry = |name, keys: &[&str], action| {
            let keys = keys.iter().map(|&key| key.to_owned()).collect();
            Entry { name, english: name, keys, action }
        };
        vec![
            entry("Training: charts and scores", &["1"], Action::Show(Page::Train)),
            entry("Ask the model about a sentence", &["2", "p"], Action::Show(Page::Predict)),
            entry("Save the model", &["w"], Action::SaveAgain),
            entry("Quit; asks first while training", &["q"], Action::Quit),
            entry("The next page", &["Tab"], Action::NextPage),
            entry("전체 다시 보기", &["Esc"], Action::Close),
        ]
    }

    fn found(typed: &str) -> Vec<&'static str> {
        let mut palette = Palette::new(entries());
        palette.paste(typed);
        palette.hits.iter().map(|hit| palette.entries[hit.entry].name).collect()
    }

    #[test]
    fn letters_are_found_in_their_order_whatever_their_case() {
        assert_eq!(fit("Save the model", "stm").map(|fit| fit.1), Some(vec![0, 5, 9]));
        assert_eq!(fit("Save the model", "MODEL").map(|fit| fit.1), Some(vec![9, 10, 11, 12, 13]));
        assert_eq!(fit("Save the model", "sm").map(|fit| fit.1), Some(vec![0, 9]));
        assert_eq!(fit("Save the model", "save model").map(|fit| fit.1.len()), Some(9));
        assert_eq!(fit("Save the model", "ms"), None);
        assert_eq!(fit("Save the model", "modell"), None);
        assert_eq!(fit("", "a"), None);
        assert_eq!(fit("ab", " "), Some((0, vec![])));
        assert_eq!(fit("전체 다시 보기", "전보").map(|fit| fit.1), Some(vec![0, 6]));
    }

    #[test]
    fn words_count_more_than_scattered_letters() {
        assert!(score("The next page", "np") > score("Down the page", "np"));
        assert!(score("Save the model", "model") > score("More or less", "mol"));
        assert!(score("Delete the word", "word") > score("Down to the order", "wod"));
    }

    #[test]
    fn what_fits_best_comes_first_and_the_very_key_before_all() {
        assert_eq!(found("").len(), 6);
        assert_eq!(found("")[0], "Training: charts and scores");
        assert_eq!(found("train")[0], "Training: charts and scores");
        assert_eq!(found("q")[0], "Quit; asks first while training");
        assert_eq!(found("p")[0], "Ask the model about a sentence");
        assert_eq!(found("tab"), ["The next page", "Ask the model about a sentence"]);
        assert_eq!(found("다시"), ["전체 다시 보기"]);
        assert_eq!(found("xyz"), [""; 0]);
    }

    #[test]
    fn in_another_language_the_english_name_finds_it_too() {
        let entry = Entry {
            name: "모델 저장",
            english: "Save the model",
            keys: vec!["w".to_owned()],
            action: Action::SaveAgain,
        };
        for (typed, letters) in [("저장", vec![3, 4]), ("save", vec![]), ("w", vec![])] {
            let mut palette = Palette::new(vec![entry.clone()]);
            palette.paste(typed);
            assert_eq!(palette.hits, [Hit { entry: 0, letters }], "{typed}");
        }
    }

    #[test]
    fn choosing_goes_round_and_typing_starts_anew() {
        let mut palette = Palette::new(entries());
        palette.choose(-1);
        assert_eq!(palette.choice().map(|entry| entry.action), Some(Action::Close));
        palette.choose(1);
        palette.choose(1);
        assert_eq!(palette.chosen, 1);
        palette.paste("sav");
        assert_eq!(palette.choice().map(|entry| entry.action), Some(Action::SaveAgain));
        palette.paste("zzz");
        assert_eq!(palette.choice(), None);
        palette.choose(1);
        assert_eq!((palette.chosen, palette.choice()), (0, None));
    }
}
