//! The filter of runs: a query over their names, settings, metrics, tags and notes.
//!
//! ```text
//! query      = and { "OR" and }
//! and        = not { [ "AND" ] not }
//! not        = { "NOT" } term
//! term       = "(" query ")" | name operator value | "tag:" text | "note:" text | word
//! operator   = "=" | "!=" | "<" | "<=" | ">" | ">="
//! ```
//!
//! AND, OR and NOT are recognized in any case. A text in double quotes is one word, whatever it
//! contains.

mod lexer;

use super::entry::{RunEntry, RunSummary};
use lexer::{Token, tokens};
use std::collections::BTreeSet;

/// The deepest nesting of parentheses and NOT.
const MAX_DEPTH: usize = 64;

/// The names in queries that are not settings, apart from those of [`number`].
const TEXT_NAMES: [&str; 6] = ["run", "name", "status", "model", "tag", "note"];

/// The statuses of runs in English.
const STATUSES: [&str; 6] = ["running", "finished", "stopped", "failed", "dead", "unreadable"];

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {reason}")]
pub struct QueryError {
    /// The character, from 1.
    pub at: usize,
    /// What is wrong there; the dashboard translates it.
    pub reason: &'static str,
}

/// A condition on a run.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    /// A part of the name, model, status, note or a tag, in lower case.
    Word(String),
    /// The whole of a tag, in lower case; any tag if it is empty.
    Tag(String),
    /// A part of the note, in lower case; any note if it is empty.
    Note(String),
    /// A setting, metric or text compared with a value.
    Compare {
        name: String,
        operator: Operator,
        value: String,
    },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// A filter of runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// `None` matches every run.
    condition: Option<Condition>,
}

impl Query {
    /// Parses a filter; an empty one matches every run.
    ///
    /// # Errors
    /// If it is not a query, with the place of the error.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let end = text.chars().count() + 1;
        let mut parser = Parser { tokens: tokens(text)?, next: 0, end, depth: 0 };
        if parser.tokens.is_empty() {
            return Ok(Self::default());
        }
        let condition = parser.any()?;
        if parser.next < parser.tokens.len() {
            return Err(parser.error("an AND, an OR or the end is expected here"));
        }
        Ok(Self { condition: Some(condition) })
    }

    /// Whether a run matches. `translate` translates the status into the language of the screen; a
    /// status is also matched in English.
    pub fn matches(
        &self,
        entry: &RunEntry,
        translate: impl Fn(&'static str) -> &'static str,
    ) -> bool {
        let Some(condition) = &self.condition else { return true };
        let status = entry.summary.as_ref().map_or("unreadable", |run| run.status.name());
        condition.matches(&Run { entry, status: [status, translate(status)] })
    }

    /// The names that are compared in the query, but that none of the runs has: such a comparison
    /// is false, probably because of a typing error.
    pub fn unknown_names<'a>(&'a self, entries: &[&RunEntry]) -> Vec<&'a str> {
        let mut names = Vec::new();
        if let Some(condition) = &self.condition {
            condition.names(&mut names);
        }
        let is_known = |name: &str| {
            let mut runs = entries.iter().filter_map(|entry| entry.summary.as_ref().ok());
            TEXT_NAMES.contains(&name)
                || METRICS.iter().any(|(metric, _)| *metric == name)
                || runs.any(|run| run.setting(name).is_some())
        };
        let mut seen = BTreeSet::new();
        names.retain(|name| !is_known(name) && seen.insert(*name));
        names
    }
}

/// A run that is matched, and its status in English and in the language of the screen.
struct Run<'a> {
    entry: &'a RunEntry,
    status: [&'a str; 2],
}

impl Run<'_> {
    fn summary(&self) -> Option<&RunSummary> {
        self.entry.summary.as_ref().ok()
    }

    fn tags(&self) -> &[String] {
        self.summary().map_or(&[], |run| &run.notes.tags)
    }

    fn note(&self) -> &str {
        self.summary().map_or("", |run| &run.notes.note)
    }

    /// The values of a name: more than one for tags and for a status in two languages.
    fn values(&self, name: &str) -> Vec<String> {
        let summary = self.summary();
        if let Some(value) = summary.and_then(|run| run.setting(name)) {
            return vec![value.to_owned()];
        }
        match name {
            "run" | "name" => vec![self.entry.name().to_owned()],
            "status" => self.status.map(str::to_owned).into(),
            "model" => summary.map(|run| run.model.clone()).into_iter().collect(),
            "tag" => self.tags().to_vec(),
            "note" if !self.note().is_empty() => vec![self.note().to_owned()],
            _ => Vec::new(),
        }
    }

    /// The number of a setting or metric.
    fn number(&self, name: &str) -> Option<f64> {
        let summary = self.summary()?;
        match summary.setting(name) {
            Some(value) => value.parse().ok(),
            None => METRICS.iter().find(|(metric, _)| *metric == name)?.1(summary),
        }
    }
}

/// A number of a summary, if it has one.
type Metric = (&'static str, fn(&RunSummary) -> Option<f64>);

/// The numbers of a run that are not settings: accuracy, F1 and evaluation loss are those of the best
/// evaluation, as in the list of runs.
const METRICS: [Metric; 10] = [
    ("eval_accuracy", |run| run.best.map(|best| best.eval_accuracy)),
    ("eval_f1", |run| run.best.map(|best| best.eval_f1)),
    ("eval_loss", |run| run.eval_loss()),
    ("loss", |run| Some(run.last_loss)),
    ("step", |run| Some(run.step as f64)),
    ("max_steps", |run| Some(run.max_steps as f64)),
    ("epoch", |run| Some(run.epoch)),
    ("train_samples", |run| Some(run.train_samples as f64)),
    ("eval_samples", |run| Some(run.eval_samples as f64)),
    ("train_runtime", |run| Some(run.seconds)),
];

impl Condition {
    fn matches(&self, run: &Run) -> bool {
        let contains = |text: &str, part: &str| text.to_lowercase().contains(part);
        match self {
            Self::Word(word) => {
                let model = run.summary().map_or("", |run| &run.model);
                let texts = [run.entry.name(), model, run.note(), run.status[0], run.status[1]];
                let tags = run.tags().iter().map(String::as_str);
                texts.into_iter().chain(tags).any(|text| contains(text, word))
            }
            Self::Tag(tag) if tag.is_empty() => !run.tags().is_empty(),
            Self::Tag(tag) => run.tags().iter().any(|known| known.to_lowercase() == *tag),
            Self::Note(part) => !run.note().is_empty() && contains(run.note(), part),
            Self::Compare { name, operator, value } => compare(run, name, *operator, value),
            Self::All(parts) => parts.iter().all(|part| part.matches(run)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(run)),
            Self::Not(part) => !part.matches(run),
        }
    }

    fn names<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Compare { name, .. } => found.push(name),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.names(found);
                }
            }
            Self::Not(part) => part.names(found),
            Self::Word(_) | Self::Tag(_) | Self::Note(_) => {}
        }
    }
}

/// Compares a setting, metric or text of a run. Numbers are compared as numbers, whatever their
/// notation. A run without the value only matches `!=`.
fn compare(run: &Run, name: &str, operator: Operator, value: &str) -> bool {
    let numbers = || Some((run.number(name)?, value.parse::<f64>().ok()?));
    match operator {
        Operator::Equal => {
            let values = run.values(name);
            let has_any = !values.is_empty() || run.number(name).is_some();
            let is_same = numbers().is_some_and(|(one, other)| one == other);
            let is_text = values.iter().any(|known| known.to_lowercase() == value.to_lowercase());
            (value.is_empty() && has_any) || is_same || is_text
        }
        Operator::NotEqual => !compare(run, name, Operator::Equal, value),
        Operator::Less => numbers().is_some_and(|(one, other)| one < other),
        Operator::LessOrEqual => numbers().is_some_and(|(one, other)| one <= other),
        Operator::Greater => numbers().is_some_and(|(one, other)| one > other),
        Operator::GreaterOrEqual => numbers().is_some_and(|(one, other)| one >= other),
    }
}

/// A parser by recursive descent.
struct Parser {
    /// The tokens, each with the character where it begins, from 1.
    tokens: Vec<(usize, Token)>,
    next: usize,
    /// The character after the last one.
    end: usize,
    depth: usize,
}

impl Parser {
    fn error(&self, reason: &'static str) -> QueryError {
        QueryError { at: self.tokens.get(self.next).map_or(self.end, |(at, _)| *at), reason }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Passes over the next token if it is this one.
    fn accept(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Condition, QueryError> {
        let mut parts = vec![self.all()?];
        while self.accept(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, QueryError> {
        let mut parts = vec![self.not()?];
        while self.accept(&Token::And)
            || matches!(self.peek(), Some(Token::Not | Token::Open | Token::Text { .. }))
        {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn not(&mut self) -> Result<Condition, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("too many parentheses and NOTs within each other"));
        }
        let condition = if self.accept(&Token::Not) {
            Condition::Not(Box::new(self.not()?))
        } else if self.accept(&Token::Open) {
            let inside = self.any()?;
            if !self.accept(&Token::Close) {
                return Err(self.error("a closing parenthesis is expected here"));
            }
            inside
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn term(&mut self) -> Result<Condition, QueryError> {
        let Some(Token::Text { text, is_quoted }) = self.peek().cloned() else {
            return Err(self.error("a word or a comparison is expected here"));
        };
        self.next += 1;
        if let Some(&Token::Operator(operator)) = self.peek() {
            self.next += 1;
            return self.comparison(&text, operator);
        }
        Ok(match text.split_once(':').filter(|_| !is_quoted) {
            Some(("tag", tag)) => Condition::Tag(tag.to_lowercase()),
            Some(("note", part)) => Condition::Note(part.to_lowercase()),
            _ => Condition::Word(text.to_lowercase()),
        })
    }

    /// The comparison of a name after its operator.
    fn comparison(&mut self, name: &str, operator: Operator) -> Result<Condition, QueryError> {
        let name = name.replace('-', "_").to_lowercase();
        let value = match self.peek().cloned() {
            Some(Token::Text { text, .. }) => text,
            // `seed=` matches any seed.
            _ if operator == Operator::Equal => String::new(),
            _ => return Err(self.error("a value is expected here")),
        };
        let has_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if has_order && !value.parse::<f64>().is_ok_and(|number| !number.is_nan()) {
            return Err(self.error("a number is expected here"));
        }
        // A status in another language is not known here.
        let is_unknown = value.is_ascii() && !STATUSES.contains(&value.to_lowercase().as_str());
        if name == "status" && is_unknown && !value.is_empty() {
            return Err(self.error(
                "a status is expected here: running, finished, stopped, failed, dead or unreadable",
            ));
        }
        self.next += usize::from(matches!(self.peek(), Some(Token::Text { .. })));
        Ok(Condition::Compare { name, operator, value })
    }
}

/// The only part, or all parts joined.
fn one_or(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

#[cfg(test)]
mod tests;
