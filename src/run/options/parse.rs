//! Parsers of option values. Their errors describe valid values.

use crate::core::engine::Bf16;
use crate::core::train::arguments::StepInterval;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;

/// The largest count that is accepted.
const MAX_COUNT: usize = 1 << 24;

fn utf8(text: &OsStr) -> Result<&str, String> {
    text.to_str().ok_or_else(|| "expected UTF-8".to_owned())
}

/// Any text.
///
/// # Errors
/// If it is not UTF-8.
pub fn text(text: &OsStr) -> Result<String, String> {
    utf8(text).map(str::to_owned)
}

/// Names of columns, separated by commas.
///
/// # Errors
/// If a name is blank.
pub fn columns(text: &OsStr) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in utf8(text)?.split(',').map(str::trim) {
        if name.is_empty() {
            return Err("expected the name of a column, or several separated by commas".to_owned());
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The most characters of a pinned sentence.
const MAX_PROBE: usize = 2000;

/// Pinned sentences: one, or several as a list in JSON.
///
/// # Errors
/// If a sentence is blank or too long.
pub fn probes(text: &OsStr) -> Result<Vec<String>, String> {
    let text = utf8(text)?;
    let list = serde_json::from_str::<Vec<String>>(text);
    let sentences = list.unwrap_or_else(|_| vec![text.to_owned()]);
    if sentences.iter().any(|sentence| sentence.trim().is_empty()) {
        return Err("expected a sentence".to_owned());
    }
    if sentences.iter().any(|sentence| sentence.chars().count() > MAX_PROBE) {
        return Err(format!("a sentence has more than {MAX_PROBE} characters"));
    }
    Ok(sentences)
}

/// A path.
///
/// # Errors
/// If it is empty.
pub fn path(text: &OsStr) -> Result<PathBuf, String> {
    if text.is_empty() { Err("expected a path".to_owned()) } else { Ok(PathBuf::from(text)) }
}

/// A value of a type that implements `FromStr`.
///
/// # Errors
/// The errors of that type's `from_str`.
pub fn from_str<T: FromStr<Err = String>>(text: &OsStr) -> Result<T, String> {
    utf8(text)?.parse()
}

/// `true` or `false`, or another spelling that Python's argument parsers accept.
///
/// # Errors
/// If it is another text.
pub fn boolean(text: &OsStr) -> Result<bool, String> {
    match utf8(text)?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// `auto`, or as [`boolean`].
///
/// # Errors
/// If it is another text.
pub fn bf16(text: &OsStr) -> Result<Bf16, String> {
    match boolean(text) {
        Ok(true) => Ok(Bf16::True),
        Ok(false) => Ok(Bf16::False),
        Err(_) if utf8(text)? == Bf16::Auto.name() => Ok(Bf16::Auto),
        Err(_) => Err("expected true, false or auto".to_owned()),
    }
}

/// A finite number that satisfies `is_valid`; underscores may group its digits.
fn number(text: &OsStr, is_valid: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let value = utf8(text)?.replace('_', "").parse::<f64>().ok().filter(|value| value.is_finite());
    value.filter(|value| is_valid(*value)).ok_or_else(|| format!("expected {expected}"))
}

/// A number greater than 0.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn positive(text: &OsStr) -> Result<f64, String> {
    number(text, |value| value > 0.0, "a number above 0")
}

/// A number of at least 0.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn not_negative(text: &OsStr) -> Result<f64, String> {
    number(text, |value| value >= 0.0, "a number of at least 0")
}

/// A number of at least 0 and below 1.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn below_one(text: &OsStr) -> Result<f64, String> {
    number(text, |value| (0.0..1.0).contains(&value), "a number of at least 0 and below 1")
}

/// A number above 0 and at most 1.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn factor(text: &OsStr) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value <= 1.0, "a number above 0 and at most 1")
}

/// A number between 0 and 1, both excluded.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn proper_share(text: &OsStr) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value < 1.0, "a number above 0 and below 1")
}

/// A number of steps, or a share of all steps.
///
/// # Errors
/// If it is neither.
pub fn interval(text: &OsStr) -> Result<StepInterval, String> {
    let is_valid = |value: f64| value > 0.0 && (value < 1.0 || value.fract() == 0.0);
    let expected = "a whole number of steps, or a share of all steps between 0 and 1";
    number(text, is_valid, expected).map(StepInterval::new)
}

/// A whole number from 1 to 2²⁴; underscores may group its digits.
///
/// # Errors
/// If the value is out of range or not a number.
pub fn count(text: &OsStr) -> Result<usize, String> {
    match utf8(text)?.replace('_', "").parse() {
        Ok(value) if (1..=MAX_COUNT).contains(&value) => Ok(value),
        _ => Err(format!("expected a whole number from 1 to {MAX_COUNT}")),
    }
}

/// A number of tokens, `[CLS]` and `[SEP]` included.
///
/// # Errors
/// If it is too small for a token between these two.
pub fn length(text: &OsStr) -> Result<usize, String> {
    let expected = "expected a whole number above 2: [CLS] and [SEP] are two tokens";
    count(text).ok().filter(|value| *value > 2).ok_or_else(|| expected.to_owned())
}

/// A positive number of steps, or -1 for no limit, as in transformers.
///
/// # Errors
/// If it is neither.
pub fn max_steps(text: &OsStr) -> Result<Option<u64>, String> {
    match utf8(text)?.replace('_', "").parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(value) if value > 0 => Ok(u64::try_from(value).ok()),
        _ => Err("expected a whole number above 0, or -1 for no limit".to_owned()),
    }
}

/// A whole number of at least 0.
///
/// # Errors
/// If it is not, or too large for its type.
pub fn whole<T: FromStr>(text: &OsStr) -> Result<T, String> {
    utf8(text)?.parse().map_err(|_| "expected a whole number of at least 0".to_owned())
}

/// The most rollbacks of a run, each of which halves the learning rate.
const MAX_ROLLBACKS: u64 = 30;

/// A number of rollbacks.
///
/// # Errors
/// If it is not a whole number from 1 to 30.
pub fn rollbacks(text: &OsStr) -> Result<u64, String> {
    let count = utf8(text)?.parse().ok().filter(|count| (1..=MAX_ROLLBACKS).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MAX_ROLLBACKS}"))
}

/// `NAME=VALUE,…`; a value that is not JSON is read as text.
///
/// # Errors
/// If a part has no `=`.
pub fn assignments(text: &OsStr) -> Result<Vec<(String, Value)>, String> {
    let assignment = |text: &str| {
        let (name, value) =
            text.split_once('=').ok_or("expected NAME=VALUE, such as hidden_size=256")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((name.trim().to_owned(), value))
    };
    utf8(text)?.split(',').map(assignment).collect()
}
