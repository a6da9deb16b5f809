//! JSON Lines: one object per line. The keys of the first object are the columns.

use super::DataError;
use super::bounded_lines::{BoundedLines, decode};
use super::kept_columns::KeptColumns;
use super::label_values::{boolean_label, integer_label};
use super::raw_row::RawRow;
use super::row_collector::RowCollector;
use super::table::RowPosition;
use crate::core::text::truncate_width;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::BufRead;

/// Passes every row to the collector; blank lines are skipped.
///
/// # Errors
/// As the collector, and if the first object lacks a column.
pub(super) fn read(
    source: impl BufRead,
    collector: &mut RowCollector<'_>,
) -> Result<(), DataError> {
    let mut lines = BoundedLines::new(source);
    let mut keys: Option<ColumnKeys> = None;
    while let Some((number, line)) = lines.next_line().map_err(|error| collector.io(error))? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if keys.is_none() && line.trim_ascii_start().starts_with(b"[") {
            return Err(collector.unreadable(
                "a JSON array, but JSON Lines (one object per line) is expected. Convert the file, \
                 for example with jq -c '.[]'",
            ));
        }
        let row = match parse_object(line) {
            Ok(object) => {
                let found = match keys.take() {
                    Some(keys) => keys,
                    None => ColumnKeys::find(&object, collector)?,
                };
                keys.insert(found).raw_row(object, line, collector.kept())
            }
            Err(LineError::Incomplete) if keys.is_none() => {
                return Err(collector.unreadable(
                    "the first JSON object is not complete on its line, but JSON Lines (one object \
                     per line) is expected. If the file is indented, convert it: jq -c . FILE > NEW",
                ));
            }
            Err(LineError::Incomplete) => Err("the JSON object is not complete".to_owned()),
            Err(LineError::Invalid(reason)) => Err(reason),
        };
        collector.push(RowPosition::Line(number), row)?;
    }
    Ok(())
}

/// The first number of a line of JSON that is an integer of more than 64 bits, which
/// [`serde_json::Number`] rounds.
fn long_integer(line: &[u8]) -> Option<&str> {
    let (mut rest, mut in_string) = (line, false);
    while let Some(&byte) = rest.first() {
        let is_number = !in_string && (byte == b'-' || byte.is_ascii_digit());
        let len = match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' => 2,
            _ if is_number => {
                let is_part =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let len = rest.iter().take_while(is_part).count();
                let number = std::str::from_utf8(&rest[..len]).ok()?;
                let is_integer = number.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
                let fits = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
                if is_integer && !fits {
                    return Some(number);
                }
                len
            }
            _ => 1,
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    None
}

/// Why a line is not a JSON object.
enum LineError {
    /// It ends within the object.
    Incomplete,
    Invalid(String),
}

fn parse_object(line: &[u8]) -> Result<Map<String, Value>, LineError> {
    let line = decode(line).map_err(LineError::Invalid)?;
    serde_json::from_str(line).map_err(|error| {
        if error.is_eof() && line.trim_start().starts_with('{') {
            return LineError::Incomplete;
        }
        let reason = error.to_string();
        // serde_json counts lines within this line; the caller adds the line in the file.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        LineError::Invalid(format!(
            "expected a JSON object, found \"{}\" ({} at byte {})",
            truncate_width(line, 60),
            truncate_width(reason, 60),
            error.column()
        ))
    })
}

/// The keys of the columns that are read.
struct ColumnKeys {
    text: String,
    text_pair: Option<String>,
    label: Option<String>,
    id: Option<String>,
    slices: Vec<Option<String>>,
}

impl ColumnKeys {
    fn find(
        object: &Map<String, Value>,
        collector: &mut RowCollector<'_>,
    ) -> Result<Self, DataError> {
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let columns = collector.find_columns(&names).map_err(|error| {
            // The key becomes part of a command.
            let is_word = |key: &str| key.chars().all(|c| c.is_alphanumeric() || c == '_');
            let mut lists = object.iter().filter(|(key, value)| {
                is_word(key) && value.as_array().is_some_and(|all| !all.is_empty())
            });
            match lists.next() {
                Some((key, _)) => collector.unreadable(format!(
                    "one JSON object, whose rows seem to be in its key {0}, but JSON Lines (one \
                     object per line) is expected. Convert it: jq -c '.[\"{0}\"][]' FILE > NEW",
                    truncate_width(key, 40)
                )),
                None => error,
            }
        })?;
        let key = |index: usize| names[index].to_owned();
        Ok(Self {
            text: key(columns.text),
            text_pair: columns.text_pair.map(key),
            label: columns.label.map(key),
            id: columns.id.map(key),
            slices: columns.slices.into_iter().map(|slice| slice.map(key)).collect(),
        })
    }

    fn raw_row(
        &self,
        mut object: Map<String, Value>,
        line: &[u8],
        kept: Option<&mut KeptColumns>,
    ) -> Result<RawRow<'static>, String> {
        // Numbers of other columns are not used.
        let mut used = [&self.id, &self.label].into_iter().chain(&self.slices).flatten();
        let uses_float = used.any(|key| object.get(key).is_some_and(Value::is_f64));
        if (kept.is_some() || uses_float)
            && let Some(integer) = long_integer(line)
        {
            return Err(format!(
                "the integer {} has more than 64 bits and would be rounded: write it as a string",
                truncate_width(integer, 40)
            ));
        }
        let kept = kept.map(|kept| kept.encode_object(&object)).unwrap_or_default();
        let slices =
            self.slices.iter().map(|key| slice_value(object.get(key.as_ref()?)?)).collect();
        let mut string = |key: &String| match object.remove(key) {
            Some(Value::String(text)) => Ok(text),
            other => Err(wrong_type(key, "a string", other.as_ref())),
        };
        let text = string(&self.text)?;
        let text_pair = self.text_pair.as_ref().map(string).transpose()?;
        let label = match &self.label {
            Some(key) => label_of(key, object.remove(key))?,
            None => String::new(),
        };
        let id = match self.id.as_ref().and_then(|id| object.remove(id)) {
            Some(Value::String(id)) => Some(id),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        let (id, text_pair) = (id.map(Into::into), text_pair.map(Into::into));
        Ok(RawRow { id, text: text.into(), text_pair, label: label.into(), slices, kept })
    }
}

/// The value of a slice column; `None` for one that is neither a text nor a number.
fn slice_value(value: &Value) -> Option<Cow<'static, str>> {
    Some(match value {
        Value::String(text) => text.clone().into(),
        Value::Number(number) => number.to_string().into(),
        Value::Bool(value) => boolean_label(*value).into(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

/// The label that is the value of a key.
fn label_of(key: &str, value: Option<Value>) -> Result<String, String> {
    Ok(match value {
        Some(Value::String(label)) => label,
        Some(Value::Bool(label)) => boolean_label(label).to_owned(),
        Some(Value::Number(label)) => match label.as_f64() {
            Some(number) if label.is_f64() => integer_label(number)?,
            _ => label.to_string(),
        },
        other => return Err(wrong_type(key, "a string or a number", other.as_ref())),
    })
}

fn wrong_type(key: &str, expected: &str, found: Option<&Value>) -> String {
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
    use crate::core::data::bounded_lines::MAX_LINE_BYTES;
    use crate::core::data::row_collector::collect_rows;
    use crate::core::data::table::{ColumnNames, DataTable};
    use proptest::prelude::*;
    use std::path::Path;

    fn parse(text: &[u8], skip: bool) -> Result<DataTable, DataError> {
        let read = |collector: &mut RowCollector<'_>| read(text, collector);
        collect_rows(Path::new("a.jsonl"), &ColumnNames::default(), skip, read)
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
        assert_eq!(labels, ["3", "1", "True", "긍정"]);
        assert_eq!(rows[0].text, "줄\n\"둘\"");
        Ok(())
    }

    #[test]
    fn errors_name_file_line_and_content() {
        let with =
            |row: &str| error_of(format!("{{\"text\":\"a\",\"label\":1}}\n{row}").as_bytes());
        let incomplete = with("{\"text\": \"\u{1b}\"");
        assert!(
            incomplete.starts_with("a.jsonl:2: expected a JSON object, found \"{"),
            "{incomplete}"
        );
        assert!(
            !incomplete.contains('\u{1b}') && !incomplete.contains("at line 1"),
            "{incomplete}"
        );
        assert!(with("{\"text\": \"a\"").contains("a.jsonl:2: the JSON object is not complete"));
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
    fn integers_that_would_be_rounded_are_errors_where_they_are_used() {
        let long = "123456789012345678901234567890";
        let row = |id: &str, other: &str| {
            format!("{{\"id\":{id},\"text\":\"a\",\"label\":1,\"other\":{other}}}")
        };
        let error = error_of(row(long, "0").as_bytes());
        assert!(error.starts_with(&format!("a.jsonl:1: the integer {long} has more")), "{error}");
        assert!(error.contains("write it as a string"), "{error}");
        assert_eq!(error_of(row("18446744073709551615", long).as_bytes()), "", "it is not used");
        assert_eq!(error_of(row("-9223372036854775808", "0").as_bytes()), "");
        assert_eq!(error_of(row("1.5", "1e30").as_bytes()), "", "no integers");
        assert_eq!(error_of(row("1.5", &format!("\"\\\" {long}\"")).as_bytes()), "", "a string");
        assert!(!error_of(row("1.5", &format!("[{{\"a\":-{long}}}]")).as_bytes()).is_empty());
        let kept = |text: &str| {
            let columns = ColumnNames { keeps_all: true, ..ColumnNames::default() };
            let read = |collector: &mut RowCollector<'_>| read(text.as_bytes(), collector);
            collect_rows(Path::new("a.jsonl"), &columns, false, read)
        };
        assert!(kept(&row("7", long)).is_err(), "all columns are kept");
        assert!(kept(&row("7", "1e30")).is_ok());
    }

    #[test]
    fn an_array_is_an_error_with_a_remedy() {
        for text in ["[{\"text\":\"a\",\"label\":1}]", "\n [\n", "[1]\n[2]"] {
            assert!(error_of(text.as_bytes()).contains("jq -c '.[]'"), "{text}");
            assert!(parse(text.as_bytes(), true).is_err(), "not a row that can be skipped");
        }
    }

    #[test]
    fn an_indented_object_is_an_error_with_a_remedy() {
        for text in [
            "{\n  \"text\": \"a\",\n  \"label\": 1\n}\n",
            "\n{",
            "{\"text\": \"a\",\n\"label\": 1}",
        ] {
            assert!(error_of(text.as_bytes()).contains("jq -c . FILE"), "{text}");
            assert!(parse(text.as_bytes(), true).is_err(), "not a row that can be skipped");
        }
        let nested = error_of(br#"{"version":1,"data":[{"text":"a","label":1}]}"#);
        assert!(nested.contains("jq -c '.[\"data\"][]'"), "{nested}");
    }

    #[test]
    fn hostile_lines_are_invalid_rows() -> Result<(), DataError> {
        let good = "{\"text\":\"a\",\"label\":1}";
        let long = format!("{{\"text\":\"{}\",\"label\":1}}", "x".repeat(MAX_LINE_BYTES));
        let deep = format!("{{\"text\":\"\",\"label\":1,\"x\":{}", "[".repeat(100_000));
        let text =
            [good, &long, &deep, "{}", "{\"text\":\"\\ud800\",\"label\":1}", good].join("\n");
        let table = parse(text.as_bytes(), true)?;
        assert_eq!((table.rows.len(), table.skipped), (2, 4));
        assert!(error_of(text.as_bytes()).contains("a.jsonl:2: the line is longer than"));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_give_rows_or_an_error(
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
