//! JSON lines: one object a line, the names of whose first are the columns.

use super::lines::{Lines, decoded};
use super::row_collector::{RawRow, RowCollector, whole};
use super::{DataError, Place};
use crate::core::text::truncate_width;
use serde_json::{Map, Value};
use std::io::BufRead;

/// Reads every row into the sink; blank lines are passed over.
///
/// # Errors
/// As the sink, and if the first object does not name the columns.
pub(super) fn read(source: impl BufRead, sink: &mut RowCollector<'_>) -> Result<(), DataError> {
    let mut lines = Lines::new(source);
    let mut keys: Option<Keys> = None;
    while let Some((number, line)) = lines.next_line().map_err(|error| sink.io(error))? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if keys.is_none() && line.trim_ascii_start().starts_with(b"[") {
            return Err(sink.unreadable(
                "it is a JSON array, and one object a line is read. Turn it into lines, for \
                 example with jq -c '.[]'",
            ));
        }
        let fields = match object(line) {
            Ok(object) => {
                let found = match keys.take() {
                    Some(keys) => keys,
                    None => Keys::find(&object, sink)?,
                };
                keys.insert(found).fields(object)
            }
            Err(found) => Err(found),
        };
        sink.take(Place::Line(number), fields)?;
    }
    Ok(())
}

fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    let line = decoded(line)?;
    serde_json::from_str(line).map_err(|error| {
        let reason = error.to_string();
        // All of it is on one line, whose number in the file is named with the row.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        format!(
            "expected a JSON object, found \"{}\" ({} at byte {})",
            truncate_width(line, 60),
            truncate_width(reason, 60),
            error.column()
        )
    })
}

/// The names of what is read of each object.
struct Keys {
    text: String,
    label: String,
    id: Option<String>,
}

impl Keys {
    fn find(object: &Map<String, Value>, sink: &mut RowCollector<'_>) -> Result<Self, DataError> {
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let places = sink.find(&names)?;
        let name = |place: usize| names[place].to_owned();
        Ok(Self { text: name(places.text), label: name(places.label), id: places.id.map(name) })
    }

    fn fields(&self, mut object: Map<String, Value>) -> Result<RawRow<'static>, String> {
        let text = match object.remove(&self.text) {
            Some(Value::String(text)) => text,
            other => return Err(unfit(&self.text, "a string", other.as_ref())),
        };
        let label = match object.remove(&self.label) {
            Some(Value::String(label)) => label,
            Some(Value::Bool(label)) => label.to_string(),
            Some(Value::Number(label)) => match label.as_f64() {
                Some(number) if label.is_f64() => whole(number)?,
                _ => label.to_string(),
            },
            other => return Err(unfit(&self.label, "a string or a number", other.as_ref())),
        };
        let id = match self.id.as_ref().and_then(|id| object.remove(id)) {
            Some(Value::String(id)) => Some(id),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        Ok(RawRow { id: id.map(Into::into), text: text.into(), label: label.into() })
    }
}

fn unfit(key: &str, expected: &str, found: Option<&Value>) -> String {
    let found = match found {
        None => "no such key",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    };
    format!("expected {expected} for \"{}\", found {found}", truncate_width(key, 40))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::lines::LONGEST_LINE;
    use crate::core::data::table::{Columns, Table, read_one};
    use proptest::prelude::*;
    use std::path::Path;

    fn parse(text: &[u8], skip: bool) -> Result<Table, DataError> {
        read_one(Path::new("a.jsonl"), &Columns::default(), skip, |sink| read(text, sink))
    }

    fn error_of(text: &[u8]) -> String {
        parse(text, false).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn labels_may_be_strings_numbers_and_booleans() -> Result<(), DataError> {
        let lines = [
            r#"{"id": 7, "text": "줄\n\"둘\"", "more": [1, {"a": null}], "label": 3}"#,
            "",
            r#"{"label": 1.0, "text": "", "id": "x"}"#,
            r#"{"label": true, "text": "t"}"#,
            r#"  {"label": " 긍정 ", "text": "t"}  "#,
        ];
        let text = format!("\u{feff}{}", lines.join("\r\n"));
        let rows = parse(text.as_bytes(), false)?.rows;
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["7", "x", "3", "4"]);
        let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, ["3", "1", "true", "긍정"]);
        assert_eq!(rows[0].text, "줄\n\"둘\"");
        Ok(())
    }

    #[test]
    fn bad_rows_are_named_by_file_line_and_content() {
        let with =
            |row: &str| error_of(format!("{{\"text\":\"a\",\"label\":1}}\n{row}").as_bytes());
        let torn = with("{\"text\": \"\u{1b}\"");
        assert!(torn.starts_with("a.jsonl:2: expected a JSON object, found \"{"), "{torn}");
        assert!(!torn.contains('\u{1b}') && !torn.contains("at line 1"), "{torn}");
        assert!(with("5").contains("found \"5\" (invalid type"));
        assert!(with(r#"{"label":1}"#).contains("a string for \"text\", found no such key"));
        assert!(with(r#"{"text":null,"label":1}"#).contains("for \"text\", found null"));
        assert!(with(r#"{"text":5,"label":1}"#).contains("for \"text\", found a number"));
        assert!(with(r#"{"text":"","label":null}"#).contains("for \"label\", found null"));
        assert!(with(r#"{"text":"","label":[1]}"#).contains("for \"label\", found an array"));
        assert!(with(r#"{"text":"","label":0.5}"#).contains("found the number 0.5"));
        assert!(with(r#"{"text":"","label":" "}"#).contains("the label is empty"));
        assert!(error_of(br#"{"a":"","label":1}"#).contains("its columns are a, label. "));
    }

    #[test]
    fn an_array_is_refused_with_what_to_do() {
        for text in ["[{\"text\":\"a\",\"label\":1}]", "\n [\n", "[1]\n[2]"] {
            assert!(error_of(text.as_bytes()).contains("jq -c '.[]'"), "{text}");
            assert!(parse(text.as_bytes(), true).is_err(), "no row to be left out");
        }
    }

    #[test]
    fn hostile_lines_are_bad_rows() -> Result<(), DataError> {
        let good = "{\"text\":\"a\",\"label\":1}";
        let long = format!("{{\"text\":\"{}\",\"label\":1}}", "x".repeat(LONGEST_LINE));
        let deep = format!("{{\"text\":\"\",\"label\":1,\"x\":{}", "[".repeat(100_000));
        let text =
            [good, &long, &deep, "{}", "{\"text\":\"\\ud800\",\"label\":1}", good].join("\n");
        let table = parse(text.as_bytes(), true)?;
        assert_eq!((table.rows.len(), table.skipped), (2, 4));
        assert!(error_of(text.as_bytes()).contains("a.jsonl:2: a line longer than"));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[{}\\[\\]\",:\\\\\nutf1ae]{0,80}",
        ) {
            let good = b"{\"text\":\"a\",\"label\":1}\n";
            prop_assert!(parse(&[good, &bytes[..]].concat(), true).is_ok());
            prop_assert!(parse(&[good, text.as_bytes()].concat(), true).is_ok());
            for text in [&bytes[..], text.as_bytes()] {
                let (strict, lenient) = (parse(text, false), parse(text, true));
                prop_assert!(lenient.is_ok() || strict.is_err());
            }
        }
    }
}
