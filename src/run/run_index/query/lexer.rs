//! Splits a query into tokens.

use super::{Operator, QueryError};

/// A token of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Operator(Operator),
    Text {
        text: String,
        /// Whether it is in quotes, and therefore no keyword.
        is_quoted: bool,
    },
}

/// The tokens of a query, each with the character where it begins, from 1.
///
/// # Errors
/// If a quotation mark has no end.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        let start = at + 1;
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' | ')' => {
                at += 1;
                if c == '(' { Token::Open } else { Token::Close }
            }
            '"' => {
                let rest = &characters[at + 1..];
                let Some(length) = rest.iter().position(|c| *c == '"') else {
                    let reason = "this quotation mark has no end";
                    return Err(QueryError { at: start, reason });
                };
                at += length + 2;
                Token::Text { text: rest[..length].iter().collect(), is_quoted: true }
            }
            _ => match operator(&characters[at..]) {
                Some((operator, length)) => {
                    at += length;
                    Token::Operator(operator)
                }
                None => word(&characters, &mut at),
            },
        };
        tokens.push((start, token));
    }
    Ok(tokens)
}

/// The operator at the beginning of a text, and its length.
fn operator(text: &[char]) -> Option<(Operator, usize)> {
    let followed = text.get(1) == Some(&'=');
    Some(match (text.first()?, followed) {
        ('=', true) => (Operator::Equal, 2),
        ('=', false) => (Operator::Equal, 1),
        ('!', true) => (Operator::NotEqual, 2),
        ('<', true) => (Operator::LessOrEqual, 2),
        ('<', false) => (Operator::Less, 1),
        ('>', true) => (Operator::GreaterOrEqual, 2),
        ('>', false) => (Operator::Greater, 1),
        _ => return None,
    })
}

/// The word or keyword at `at`, which is moved to its end.
fn word(characters: &[char], at: &mut usize) -> Token {
    let mut text = String::new();
    while let Some(&c) = characters.get(*at) {
        let ends = c.is_whitespace() || matches!(c, '(' | ')' | '"');
        if ends || operator(&characters[*at..]).is_some() {
            break;
        }
        text.push(c);
        *at += 1;
    }
    match text.to_ascii_uppercase().as_str() {
        "AND" => Token::And,
        "OR" => Token::Or,
        "NOT" => Token::Not,
        _ => Token::Text { text, is_quoted: false },
    }
}
