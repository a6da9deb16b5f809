//! The error of an invalid option.

use crate::core::text::sanitize_for_terminal;

/// An invalid option: where it was given, and what is wrong with it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{location}: {problem}")]
pub struct OptionError {
    /// A variable's name, or a file and its line.
    location: String,
    problem: String,
}

impl OptionError {
    /// An error at a location; both are sanitized for the terminal.
    pub fn new(location: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        let safe = |text: String| sanitize_for_terminal(&text).into_owned();
        Self { location: safe(location.to_string()), problem: safe(problem.to_string()) }
    }
}

/// Describes an invalid value.
pub(super) fn invalid_value(text: &str, name: &str, reason: &str) -> String {
    format!("invalid value '{text}' for {name}: {reason}")
}

/// Describes an unknown option, and suggests the most similar known option.
pub(super) fn unknown_option(name: &str, known: &[&str]) -> String {
    let similarity = |known: &str| strsim::jaro(name, known);
    let similar = known
        .iter()
        .map(|known| (similarity(known), known))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match similar {
        Some((_, similar)) => format!("unknown option {name}; did you mean {similar}?"),
        None => format!("unknown option {name}; nsmc-tui train --help lists the options"),
    }
}
