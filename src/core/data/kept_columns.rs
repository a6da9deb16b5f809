//! All columns of a file with their values, for a result that has them beside what was computed.

use crate::core::number;
use parquet::record::Field;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// The columns of a file in its order, with the values of those that are not read as texts.
#[derive(Clone, Debug, Default)]
pub struct KeptColumns {
    names: Vec<String>,
    /// The column of the texts, and that of the second texts of pairs, which the rows have.
    text: usize,
    text_pair: Option<usize>,
    /// For each row an array in JSON of column numbers, each with its value after it. A row of JSON
    /// lines may lack columns.
    rows: Vec<Box<str>>,
}

impl KeptColumns {
    /// The names of the columns, as the file has them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The values of a row, one a column; `None` where the row lacks a column. `index` counts the rows
    /// from 0; the texts are those of that row.
    pub fn values(&self, index: usize, text: &str, text_pair: Option<&str>) -> Vec<Option<Value>> {
        let mut values = vec![None; self.names.len()];
        let kept: Option<Vec<Value>> =
            self.rows.get(index).and_then(|row| serde_json::from_str(row).ok());
        let mut kept = kept.unwrap_or_default().into_iter();
        while let (Some(column), Some(value)) = (kept.next(), kept.next()) {
            let column = column.as_u64().and_then(|column| usize::try_from(column).ok());
            if let Some(place) = column.and_then(|column| values.get_mut(column)) {
                *place = Some(value);
            }
        }
        values[self.text] = Some(text.into());
        if let (Some(column), Some(text)) = (self.text_pair, text_pair) {
            values[column] = Some(text.into());
        }
        values
    }

    /// Begins a file with these columns.
    pub(super) fn start(&mut self, names: &[&str], text: usize, text_pair: Option<usize>) {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        (self.text, self.text_pair) = (text, text_pair);
    }

    /// Whether the values of a column are in the rows themselves, as texts.
    pub(super) fn is_text(&self, column: usize) -> bool {
        column == self.text || Some(column) == self.text_pair
    }

    /// Encodes the values of a row, one a column.
    pub(super) fn encode(&self, fields: &[impl Serialize]) -> String {
        encode(fields.iter().enumerate().filter(|(column, _)| !self.is_text(*column)))
    }

    /// Encodes the values of an object; keys that no object had before become columns.
    pub(super) fn encode_object(&mut self, object: &Map<String, Value>) -> String {
        let mut columns = Vec::with_capacity(object.len());
        for (place, key) in object.keys().enumerate() {
            // Objects usually have the same keys in the same order.
            let is_here = self.names.get(place).is_some_and(|name| name == key);
            let known =
                if is_here { Some(place) } else { self.names.iter().position(|name| name == key) };
            columns.push(known.unwrap_or(self.names.len()));
            if known.is_none() {
                self.names.push(key.clone());
            }
        }
        let values = columns.into_iter().zip(object.values());
        encode(values.filter(|(column, _)| !self.is_text(*column)))
    }

    /// Adds the encoded values of the next row.
    pub(super) fn push(&mut self, row: String) {
        self.rows.push(row.into_boxed_str());
    }
}

/// Encodes values after the numbers of their columns.
pub(super) fn encode(values: impl Iterator<Item = (usize, impl Serialize)>) -> String {
    let mut encoded = String::from("[");
    for (column, value) in values {
        let Ok(value) = serde_json::to_string(&value) else { continue };
        let separator = if encoded.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(encoded, "{separator}{column},{value}");
    }
    encoded + "]"
}

/// A value of a Parquet file in JSON. Dates and times are texts, bytes that are not UTF-8 are written
/// in hexadecimal digits, and a missing value is null.
pub(super) fn value_of_field(field: &Field) -> Value {
    let number = |value: f64| serde_json::to_value(Finite(value)).unwrap_or(Value::Null);
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => number(shortest(value)),
        Field::Float(value) => number(shortest(value)),
        Field::Double(value) => number(*value),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => {
            let bytes = bytes.data();
            let digits =
                || -> Vec<String> { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
            std::str::from_utf8(bytes).map_or_else(|_| digits().concat(), str::to_owned).into()
        }
        // The `parquet` crate panics on days and times that its calendar does not have.
        Field::Date(days) if days.unsigned_abs() > MAX_DAYS => (*days).into(),
        Field::TimestampMillis(time) if is_far(*time, 1_000) => (*time).into(),
        Field::TimestampMicros(time) if is_far(*time, 1_000_000) => (*time).into(),
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => field.to_string().into(),
        Field::Group(row) => {
            let fields = row.get_column_iter();
            Value::Object(fields.map(|(key, value)| (key.clone(), value_of_field(value))).collect())
        }
        Field::ListInternal(list) => list.elements().iter().map(value_of_field).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let entry = |(key, value): &(Field, Field)| {
                (text_of(&value_of_field(key)).into_owned(), value_of_field(value))
            };
            Value::Object(entries.map(entry).collect())
        }
    }
}

/// The most days before or after 1970 of dates that are written as texts: about 200,000 years.
const MAX_DAYS: u32 = 73_000_000;

/// Whether a time since 1970, in this many units a second, is too far from it to be written as text.
fn is_far(time: i64, units: i64) -> bool {
    time.unsigned_abs() / units.unsigned_abs() > u64::from(MAX_DAYS) * 86_400
}

/// The number with the fewest digits that is this one at its precision.
fn shortest(value: &impl ToString) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// A number as JSON, also one that is not finite.
#[derive(Serialize)]
struct Finite(#[serde(with = "number")] f64);

/// A value as the field of a table: texts without quotation marks, nothing for null, lists and objects
/// as JSON.
pub fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::ByteArray;
    use serde_json::json;

    #[test]
    fn values_come_back_in_the_order_of_the_columns() {
        let mut kept = KeptColumns::default();
        kept.start(&["date", "text", "id"], 1, None);
        let encoded = kept.encode(&["2015", "never kept twice", "0\"7"]);
        assert!(!encoded.contains("twice"), "{encoded}");
        kept.push(encoded);
        let values = kept.values(0, "정말", None);
        assert_eq!(values, [Some(json!("2015")), Some(json!("정말")), Some(json!("0\"7"))]);
    }

    #[test]
    fn later_keys_become_columns() {
        let mut kept = KeptColumns::default();
        kept.start(&["text", "id"], 0, None);
        for object in [json!({"text": "", "id": 7}), json!({"n": [1, null], "text": ""})] {
            let encoded = kept.encode_object(object.as_object().expect("an object"));
            kept.push(encoded);
        }
        assert_eq!(kept.names(), ["text", "id", "n"]);
        assert_eq!(kept.values(0, "a", None), [Some(json!("a")), Some(json!(7)), None]);
        assert_eq!(kept.values(1, "b", None), [Some(json!("b")), None, Some(json!([1, null]))]);
    }

    #[test]
    fn values_of_parquet_are_json() {
        let bytes = |bytes: &[u8]| Field::Bytes(ByteArray::from(bytes.to_vec()));
        for (field, expected) in [
            (Field::Null, Value::Null),
            (Field::Float(0.1), json!(0.1)),
            (Field::Double(f64::NAN), json!("NaN")),
            (Field::Date(16_495), json!("2015-03-01")),
            (Field::Date(i32::MIN), json!(i32::MIN)),
            (Field::TimestampMicros(i64::MAX), json!(i64::MAX)),
            (bytes("좋다".as_bytes()), json!("좋다")),
            (bytes(&[0xff, 0]), json!("ff00")),
        ] {
            assert_eq!(value_of_field(&field), expected);
        }
        let time = value_of_field(&Field::TimestampMillis(1_425_168_000_000));
        assert!(text_of(&time).starts_with("2015-03-01 00:00:00"), "{time}");
        assert_eq!(text_of(&json!(null)), "");
        assert_eq!(text_of(&json!({"a": [1]})), "{\"a\":[1]}");
    }
}
