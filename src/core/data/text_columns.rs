//! The columns of the texts: one, or two whose texts form pairs.

use super::join_names;
use super::table::ColumnNames;
use crate::core::text::truncate_width;

/// The usual names of the text column, in order of preference.
const TEXT_COLUMNS: [&str; 7] =
    ["document", "text", "sentence", "review", "content", "comment", "sentence1"];

/// The usual names of the two columns of pairs, those of GLUE and KLUE among them.
const PAIR_COLUMNS: [[&str; 2]; 5] = [
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question1", "question2"],
    ["question", "sentence"],
    ["text", "text_pair"],
];

/// The flag that names the text column.
pub(super) const TEXT_FLAG: &str = "--text-column-name";

/// The flag that names the column of the second texts.
pub(super) const PAIR_FLAG: &str = "--text-pair-column-name";

/// The indices of the columns of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextColumns {
    /// The column of the texts, or of the first texts of pairs.
    pub text: usize,
    /// The column of the second texts of pairs.
    pub pair: Option<usize>,
    /// A column that usually holds second texts, but is not read, because only the text column was
    /// requested.
    pub unread: Option<usize>,
}

/// Why the columns of the texts are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextColumnsError {
    /// There is none of these names; the flag names the column.
    Missing { expected: String, flag: &'static str },
    /// The columns cannot be chosen.
    Unclear(String),
}

/// Finds the columns of the texts among these names: the requested ones, or else those of the usual
/// names. Two usual names of pairs are preferred to one.
///
/// # Errors
/// If a column is missing, or several choices are possible.
pub(super) fn find_text_columns(
    names: &[&str],
    requested: &ColumnNames,
) -> Result<TextColumns, TextColumnsError> {
    let usual = |usual: &str| names.iter().position(|name| name.eq_ignore_ascii_case(usual));
    let exact = |requested: &str, flag| {
        names.iter().position(|name| *name == requested).ok_or_else(|| TextColumnsError::Missing {
            expected: truncate_width(requested, 40),
            flag,
        })
    };
    let pairs = || PAIR_COLUMNS.iter().filter_map(|[a, b]| Some((usual(a)?, usual(b)?)));
    let single = |excluded: Option<usize>| {
        TEXT_COLUMNS.iter().filter_map(|name| usual(name)).find(|&text| Some(text) != excluded)
    };
    let missing =
        || TextColumnsError::Missing { expected: TEXT_COLUMNS.join(", "), flag: TEXT_FLAG };
    let columns = |text, pair| TextColumns { text, pair, unread: None };
    match (&requested.text, &requested.text_pair) {
        (Some(text), Some(pair)) => {
            let (text, pair) = (exact(text, TEXT_FLAG)?, exact(pair, PAIR_FLAG)?);
            if text == pair {
                let name = truncate_width(names[text], 40);
                let reason = format!("{TEXT_FLAG} and {PAIR_FLAG} both name the column {name}");
                return Err(TextColumnsError::Unclear(reason));
            }
            Ok(columns(text, Some(pair)))
        }
        (Some(text), None) => {
            let text = exact(text, TEXT_FLAG)?;
            let unread = pairs().find(|(first, _)| *first == text).map(|(_, second)| second);
            Ok(TextColumns { text, pair: None, unread })
        }
        (None, Some(pair)) => {
            let pair = exact(pair, PAIR_FLAG)?;
            let first = pairs().find(|(_, second)| *second == pair).map(|(first, _)| first);
            let text = first.or_else(|| single(Some(pair))).ok_or_else(missing)?;
            Ok(columns(text, Some(pair)))
        }
        (None, None) => {
            let found: Vec<(usize, usize)> = pairs().collect();
            let Some(&(first, second)) = found.first() else {
                return single(None).map(|text| columns(text, None)).ok_or_else(missing);
            };
            // A pair and another text column, such as `document`.
            let other = single(None).filter(|text| ![first, second].contains(text));
            if found.len() == 1 && other.is_none() {
                return Ok(columns(first, Some(second)));
            }
            let mut all: Vec<usize> = found.iter().flat_map(|pair| [pair.0, pair.1]).collect();
            all.extend(other);
            all.sort_unstable();
            all.dedup();
            let all: Vec<&str> = all.into_iter().map(|column| names[column]).collect();
            Err(TextColumnsError::Unclear(format!(
                "its columns {} could all be texts. Pass the right one with {TEXT_FLAG}, and for \
                 pairs of texts also {PAIR_FLAG}",
                join_names(&all)
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &str, text: &str, pair: &str) -> Result<Vec<usize>, String> {
        let names: Vec<&str> = names.split(' ').collect();
        let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let requested =
            ColumnNames { text: given(text), text_pair: given(pair), ..ColumnNames::default() };
        match find_text_columns(&names, &requested) {
            Ok(TextColumns { text, pair, unread: None }) => {
                Ok(std::iter::once(text).chain(pair).collect())
            }
            Ok(TextColumns { unread, .. }) => Err(format!("unread {unread:?}")),
            Err(TextColumnsError::Missing { expected, flag }) => Err(format!("{flag}: {expected}")),
            Err(TextColumnsError::Unclear(reason)) => Err(reason),
        }
    }

    #[test]
    fn usual_pairs_are_found() {
        assert_eq!(find("sentence1 sentence2 label", "", ""), Ok(vec![0, 1]));
        assert_eq!(find("label Hypothesis idx Premise", "", ""), Ok(vec![3, 1]));
        assert_eq!(find("question sentence label idx", "", ""), Ok(vec![0, 1]));
        assert_eq!(find("id question1 question2 is_duplicate", "", ""), Ok(vec![1, 2]));
        assert_eq!(find("text text_pair label", "", ""), Ok(vec![0, 1]));
    }

    #[test]
    fn single_texts_are_found_as_before() {
        assert_eq!(find("id document label", "", ""), Ok(vec![1]));
        assert_eq!(find("label sentence1", "", ""), Ok(vec![1]));
        assert_eq!(find("question text label", "", ""), Ok(vec![1]));
        assert_eq!(find("a b", "b", ""), Ok(vec![1]));
        assert!(find("a b", "", "").is_err_and(|error| error.contains("document, text, ")));
    }

    #[test]
    fn requested_columns_are_preferred() {
        assert_eq!(find("a b label", "b", "a"), Ok(vec![1, 0]));
        assert_eq!(find("premise hypothesis text", "", "hypothesis"), Ok(vec![0, 1]));
        assert_eq!(find("text b", "", "b"), Ok(vec![0, 1]));
        let unread = find("sentence1 sentence2 label", "sentence1", "");
        assert_eq!(unread, Err("unread Some(1)".to_owned()));
        assert_eq!(find("a b", "a", "c"), Err("--text-pair-column-name: c".to_owned()));
        assert!(
            find("text a", "a", "a").is_err_and(|error| error.contains("both name the column a"))
        );
        assert!(find("text a", "", "text").is_err_and(|error| error.starts_with(TEXT_FLAG)));
    }

    #[test]
    fn several_choices_are_an_error_that_names_them() {
        for names in ["document sentence1 sentence2", "premise hypothesis question sentence"] {
            let error = find(names, "", "");
            let expected = format!("its columns {} could all", names.replace(' ', ", "));
            assert!(error.is_err_and(|error| error.starts_with(&expected)), "{names}");
        }
    }
}
