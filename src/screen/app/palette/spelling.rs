//! Whether what is typed is nearly a name: the beginnings of its words, a word with a wrong letter, or a
//! part of the name of a key.

use super::PaletteEntry;

/// Whether the characters of a name with these indices are beginnings of its words, such as the `s`, `t`
/// and `m` of `Save the model`.
pub(super) fn begins_words(name: &str, indices: &[usize]) -> bool {
    let characters: Vec<char> = name.chars().collect();
    let is_start = |at: usize| match at.checked_sub(1).and_then(|before| characters.get(before)) {
        Some(before) => !before.is_alphanumeric(),
        None => true,
    };
    let mut before = None;
    indices.iter().all(|&at| {
        let goes_on = before.replace(at).is_some_and(|before| before + 1 == at);
        goes_on || is_start(at)
    })
}

/// Whether the indices are those of characters one after another.
pub(super) fn is_one_part(indices: &[usize]) -> bool {
    indices.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

/// Whether each typed word is, but for a letter or two, a word of the names of an entry.
pub(super) fn is_misspelt(entry: &PaletteEntry, typed: &str) -> bool {
    let names = entry.titles.iter().chain([&entry.name, &entry.english]);
    let text = names.map(|name| name.to_lowercase()).collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .chain(entry.words.split_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    let typed = typed.to_lowercase();
    let is_near = |part: &str| {
        let most = match part.chars().count() {
            0..5 => return words.contains(&part),
            5..8 => 1,
            _ => 2,
        };
        words.iter().any(|word| strsim::osa_distance(part, word) <= most)
    };
    !typed.trim().is_empty() && typed.split_whitespace().all(is_near)
}

/// Whether more than a letter of what is typed is in the name of a key, such as `Ctrl` in `Ctrl-U`.
pub(super) fn is_part_of_key(entry: &PaletteEntry, typed: &str) -> bool {
    let typed = typed.to_lowercase();
    typed.len() > 1 && entry.keys.iter().any(|key| key.to_lowercase().contains(&typed))
}

/// Whether `typed` is the name of a key. Case matters for letters, but not for the names of other
/// keys.
pub(super) fn is_key(key: &str, typed: &str) -> bool {
    key == typed || (key.len() > 1 && key.eq_ignore_ascii_case(typed))
}
