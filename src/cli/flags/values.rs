//! Values of flags: what is allowed, and what is said about what is not.

use crate::core::config::StepInterval;
use serde_json::Value;

fn number(text: &str) -> Result<f64, String> {
    match text.replace('_', "").parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("expected a number".to_owned()),
    }
}

/// A truth value as Python's parsers take it.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let wrong = || "expected a number above 0".to_owned();
    if value > 0.0 { Ok(value) } else { Err(wrong()) }
}

pub(super) fn interval(text: &str) -> Result<StepInterval, String> {
    let value = number(text)?;
    if value > 0.0 && (value < 1.0 || value.fract() == 0.0) {
        return Ok(StepInterval::new(value));
    }
    Err("expected a whole number of steps, or a share of all steps between 0 and 1".to_owned())
}

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let wrong = || "expected a number of at least 0".to_owned();
    if value >= 0.0 { Ok(value) } else { Err(wrong()) }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let wrong = || "expected a number of at least 0 and below 1".to_owned();
    if (0.0..1.0).contains(&value) { Ok(value) } else { Err(wrong()) }
}

pub(super) fn part(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let wrong = || "expected a number above 0 and below 1".to_owned();
    if value > 0.0 && value < 1.0 { Ok(value) } else { Err(wrong()) }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(value) if (1..=1 << 24).contains(&value) => Ok(value),
        _ => Err(format!("expected a whole number from 1 to {}", 1 << 24)),
    }
}

pub(super) fn length(text: &str) -> Result<usize, String> {
    match count(text) {
        Ok(value) if value > 2 => Ok(value),
        _ => Err("expected a whole number above 2: [CLS] and [SEP] take two".to_owned()),
    }
}

pub(super) fn max_steps(text: &str) -> Result<i64, String> {
    match text.replace('_', "").parse() {
        Ok(value) if value == -1 || value > 0 => Ok(value),
        _ => Err("expected a whole number above 0, or -1 for no limit".to_owned()),
    }
}

pub(super) fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or("expected NAME=VALUE, such as hidden_size=256")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.trim().to_owned(), value))
}
