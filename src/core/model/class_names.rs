//! The classes that a `config.json` names, as transformers reads them.

use super::shown;
use crate::core::text::sanitize_for_terminal;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The most classes a model may have: the confusion matrix counts each pair of them.
pub const MAX_LABELS: usize = 1000;

/// transformers' name of a class without one.
fn placeholder(id: usize) -> String {
    format!("LABEL_{id}")
}

/// The classes' names by id: those of `id2label`, as many as it has; without it, `num_labels`
/// placeholders, or 2. A `num_labels` that differs from the number of names replaces all of them,
/// as in transformers; `label2id` does not count. Of more than [`MAX_LABELS`] placeholders, one
/// more than these is returned.
///
/// An id without a name, or with null, has its placeholder as name. Numbers and truth values are
/// names as Python writes them.
///
/// # Errors
/// If `id2label` is not an object, one of its keys is not a whole number, or `num_labels` is not a
/// whole number from 0.
pub(super) fn class_names(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    let names: Option<HashMap<i64, &Value>> = match json.get("id2label") {
        None | Some(Value::Null) => None,
        Some(Value::Object(names)) => {
            let by_id = names.iter().map(|(key, name)| Ok((id(key)?, name)));
            Some(by_id.collect::<Result<_, String>>()?)
        }
        Some(other) => {
            let other = shown(other);
            return Err(format!("id2label is {other}; an object from ids to names is expected"));
        }
    };
    let count = match json.get("num_labels") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_u64().ok_or_else(|| {
            format!("num_labels is {}; a whole number is expected", shown(value))
        })?),
    };
    if let Some(names) = names
        && count.is_none_or(|count| count == names.len() as u64)
    {
        let name = |id: usize| names.get(&(id as i64)).and_then(|name| written(name));
        return Ok((0..names.len())
            .map(|id| name(id).unwrap_or_else(|| placeholder(id)))
            .collect());
    }
    let count = count.unwrap_or(2).min(MAX_LABELS as u64 + 1);
    Ok((0..count as usize).map(placeholder).collect())
}

/// A key of `id2label`, read as Python's `int` does.
fn id(key: &str) -> Result<i64, String> {
    key.trim().parse().map_err(|_| {
        let key = shown(&Value::from(key));
        format!("id2label has the key {key}; whole numbers are expected")
    })
}

/// A class name as Python writes it.
fn written(name: &Value) -> Option<String> {
    Some(match name {
        Value::String(name) => sanitize_for_terminal(name).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}
