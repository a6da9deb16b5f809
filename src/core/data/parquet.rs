//! Parquet files.

use super::DataError;
use super::label_values::{boolean_label, integer_label};
use super::parquet_kept::{self, KeptRows};
use super::parquet_pages::BoundedPages;
use super::raw_row::{ColumnIndices, RawRow};
use super::row_collector::{RowCollector, SLICE_FLAG};
use super::slice_columns::{year_of_days, year_of_seconds};
use super::table::RowPosition;
use super::text_columns::{PAIR_FLAG, TEXT_FLAG};
use crate::core::caught_panic::catch_panic;
use crate::core::text::{sanitize_for_terminal, truncate_width};
use parquet::basic::{ConvertedType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

/// Rows per read.
const READ_ROWS: usize = 1024;

/// Passes every row to the collector.
///
/// # Errors
/// As the collector, and if the file is damaged or a column has an unsupported type.
pub(super) fn read(file: File, collector: &mut RowCollector<'_>) -> Result<(), DataError> {
    // The `parquet` crate panics on some damaged files.
    catch_panic(|| read_rows(file, collector)).unwrap_or_else(|message| {
        let message = truncate_width(&message, 120);
        Err(collector
            .unreadable(format!("a damaged Parquet file ({message}). Download or write it again")))
    })
}

fn read_rows(file: File, collector: &mut RowCollector<'_>) -> Result<(), DataError> {
    let file = Arc::new(file);
    let reader = file.try_clone().map_err(ParquetError::from).and_then(SerializedFileReader::new);
    let reader = reader.map_err(|error| damaged(collector, &error))?;
    let metadata = reader.metadata().file_metadata();
    let descriptors = metadata.schema_descr().columns();
    let names: Vec<String> = descriptors.iter().map(|column| column.path().string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut columns = collector.find_columns(&names)?;
    let has_type = |column: usize, types: &[Type]| {
        let descriptor = &descriptors[column];
        is_plain(descriptor) && types.contains(&descriptor.physical_type())
    };
    let wrong_type = |column: usize, expected: &str, flag: &str| {
        collector.unreadable(format!(
            "its column {} holds {} values, but {expected} are expected. Pass another column with \
             {flag}",
            truncate_width(names[column], 40),
            descriptors[column].physical_type()
        ))
    };
    let texts = [(Some(columns.text), TEXT_FLAG), (columns.text_pair, PAIR_FLAG)];
    for (column, flag) in texts.into_iter().filter_map(|(column, flag)| Some((column?, flag))) {
        if !has_type(column, &[Type::BYTE_ARRAY]) {
            return Err(wrong_type(column, "strings", flag));
        }
    }
    if let Some(label) = columns.label.filter(|&label| !has_type(label, &LABEL_TYPES)) {
        return Err(wrong_type(label, "strings or numbers", "--label-column-name"));
    }
    columns.id = columns.id.filter(|&id| has_type(id, &ID_TYPES));
    for (number, slice) in columns.slices.iter_mut().enumerate() {
        if let Some(column) = slice.take_if(|column| !has_type(*column, &LABEL_TYPES))
            && collector.is_requested_slice(number)
        {
            return Err(wrong_type(column, "strings, numbers or dates", SLICE_FLAG));
        }
    }
    if let Some(declared) = columns.label.and_then(|label| declared_names(metadata, names[label])) {
        collector.declare_names(declared);
    }
    if let Some(kept) = collector.kept() {
        parquet_kept::start(
            kept,
            metadata,
            names[columns.text],
            columns.text_pair.map(|pair| names[pair]),
        );
    }
    let mut number = 0;
    for metadata in reader.metadata().row_groups() {
        let group = RowGroup::open(&file, metadata, &columns);
        let mut group = group.map_err(|error| damaged(collector, &error))?;
        let kept = collector.kept();
        let kept = kept.map(|kept| KeptRows::open(&file, metadata, kept)).transpose();
        let mut kept = kept.map_err(|error| damaged(collector, &error))?;
        loop {
            let rows = group.next_rows().map_err(|error| damaged(collector, &error))?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                number += 1;
                let kept = kept.as_mut().map_or(Ok(String::new()), KeptRows::next_row);
                let kept = kept.map_err(|error| damaged(collector, &error))?;
                let row = row.raw_row().map(|row| RawRow { kept, ..row });
                collector.push(RowPosition::Row(number), row)?;
            }
        }
    }
    Ok(())
}

const LABEL_TYPES: [Type; 6] =
    [Type::BYTE_ARRAY, Type::BOOLEAN, Type::INT32, Type::INT64, Type::FLOAT, Type::DOUBLE];

const ID_TYPES: [Type; 3] = [Type::BYTE_ARRAY, Type::INT32, Type::INT64];

/// Whether the column is neither nested nor repeated, and its physical values are its values.
fn is_plain(column: &ColumnDescriptor) -> bool {
    column.path().parts().len() == 1
        && column.max_rep_level() == 0
        && column.converted_type() != ConvertedType::DECIMAL
}

fn damaged(collector: &RowCollector<'_>, error: &ParquetError) -> DataError {
    let error = truncate_width(&error.to_string(), 120);
    collector.unreadable(format!(
        "cannot be read as Parquet ({error}). Download or write the file again"
    ))
}

/// The class names that Python's `datasets` stores for a column of its type `ClassLabel`.
fn declared_names(metadata: &FileMetaData, label: &str) -> Option<Vec<String>> {
    let entry = metadata.key_value_metadata()?.iter().find(|entry| entry.key == "huggingface")?;
    let json: serde_json::Value = serde_json::from_str(entry.value.as_deref()?).ok()?;
    let names = json.pointer("/info/features")?.get(label)?.get("names")?.as_array()?;
    let names =
        names.iter().map(|name| Some(sanitize_for_terminal(name.as_str()?.trim()).into_owned()));
    names.collect::<Option<Vec<String>>>().filter(|names| names.len() > 1)
}

/// Readers of the columns of a row group.
struct RowGroup {
    text: ColumnReader,
    text_pair: Option<ColumnReader>,
    label: Option<ColumnReader>,
    id: Option<ColumnReader>,
    slices: Vec<Option<SliceReader>>,
}

/// A reader of a slice column.
struct SliceReader {
    column: ColumnReader,
    /// What its values are.
    converted_type: ConvertedType,
}

impl SliceReader {
    /// The next values as texts; of dates and times, the years.
    fn next_texts(&mut self) -> Result<Vec<Option<String>>, ParquetError> {
        let converted_type = self.converted_type;
        let text = |value: ColumnValue| match value {
            ColumnValue::Bytes(text) => utf8(&text).ok().map(str::to_owned),
            ColumnValue::Integer(number) => Some(match converted_type {
                ConvertedType::DATE => year_of_days(number).to_string(),
                ConvertedType::TIMESTAMP_MILLIS => year_of_seconds(number / 1000).to_string(),
                ConvertedType::TIMESTAMP_MICROS => year_of_seconds(number / 1_000_000).to_string(),
                _ => number.to_string(),
            }),
            ColumnValue::Float(number) if number.is_nan() => None,
            ColumnValue::Float(number) => Some(number.to_string()),
            ColumnValue::Boolean(value) => Some(boolean_label(value).to_owned()),
        };
        let values = next_values(&mut self.column)?;
        Ok(values.into_iter().map(|value| value.and_then(text)).collect())
    }
}

impl RowGroup {
    fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        columns: &ColumnIndices,
    ) -> Result<Self, ParquetError> {
        let column = |index: usize| {
            let pages = BoundedPages::open(file, group, index)?;
            let descriptor = group.schema_descr().column(index);
            Ok::<_, ParquetError>(get_column_reader(descriptor, Box::new(pages)))
        };
        Ok(Self {
            text: column(columns.text)?,
            text_pair: columns.text_pair.map(column).transpose()?,
            label: columns.label.map(column).transpose()?,
            id: columns.id.map(column).transpose()?,
            slices: columns
                .slices
                .iter()
                .map(|slice| {
                    let Some(index) = *slice else { return Ok(None) };
                    let converted_type = group.schema_descr().column(index).converted_type();
                    Ok(Some(SliceReader { column: column(index)?, converted_type }))
                })
                .collect::<Result<_, ParquetError>>()?,
        })
    }

    /// The next rows; none at the end of the group.
    fn next_rows(&mut self) -> Result<Vec<ParquetRow>, ParquetError> {
        let texts = next_values(&mut self.text)?;
        let mut ids = match &mut self.id {
            Some(id) => next_values(id)?,
            None => Vec::new(),
        };
        ids.resize_with(texts.len(), || None);
        let optional = |column: &mut Option<ColumnReader>| -> Result<_, ParquetError> {
            Ok(match column {
                Some(column) => next_values(column)?.into_iter().map(Some).collect(),
                None => texts.iter().map(|_| None).collect::<Vec<Option<NullableValue>>>(),
            })
        };
        let (pairs, labels) = (optional(&mut self.text_pair)?, optional(&mut self.label)?);
        if texts.len() != labels.len() || texts.len() != pairs.len() {
            return Err(ParquetError::General("columns of different lengths".to_owned()));
        }
        let mut slices = vec![Vec::new(); texts.len()];
        for column in &mut self.slices {
            let values = column.as_mut().map_or(Ok(Vec::new()), SliceReader::next_texts)?;
            let values = values.into_iter().chain(std::iter::repeat(None));
            slices.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
        }
        let rows = texts.into_iter().zip(pairs).zip(labels).zip(ids).zip(slices);
        let row = |((((text, text_pair), label), id), slices)| ParquetRow {
            text,
            text_pair,
            label,
            id,
            slices,
        };
        Ok(rows.map(row).collect())
    }
}

/// A value of a column.
enum ColumnValue {
    Bytes(ByteArray),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

/// The next values of a column, `None` for a null; empty at its end.
fn next_values(column: &mut ColumnReader) -> Result<Vec<Option<ColumnValue>>, ParquetError> {
    match column {
        ColumnReader::ByteArrayColumnReader(column) => read_values(column, ColumnValue::Bytes),
        ColumnReader::BoolColumnReader(column) => read_values(column, ColumnValue::Boolean),
        ColumnReader::Int32ColumnReader(column) => {
            read_values(column, |n| ColumnValue::Integer(n.into()))
        }
        ColumnReader::Int64ColumnReader(column) => read_values(column, ColumnValue::Integer),
        ColumnReader::FloatColumnReader(column) => {
            read_values(column, |x| ColumnValue::Float(x.into()))
        }
        ColumnReader::DoubleColumnReader(column) => read_values(column, ColumnValue::Float),
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
            Err(ParquetError::NYI("unsupported column type".to_owned()))
        }
    }
}

fn read_values<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    convert: impl Fn(T::T) -> ColumnValue,
) -> Result<Vec<Option<ColumnValue>>, ParquetError> {
    let mut levels: Vec<i16> = Vec::new();
    let mut values: Vec<T::T> = Vec::new();
    let (rows, ..) = column.read_records(READ_ROWS, Some(&mut levels), None, &mut values)?;
    // A required column has no levels; in an optional one, level 0 is a null.
    levels.resize(rows, 1);
    let mut values = values.into_iter().map(convert);
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}

/// A value of a column that may be absent, as the column of second texts; the value may be null.
type NullableValue = Option<ColumnValue>;

/// The values of one row.
struct ParquetRow {
    text: Option<ColumnValue>,
    text_pair: Option<NullableValue>,
    label: Option<NullableValue>,
    id: Option<ColumnValue>,
    slices: Vec<Option<String>>,
}

impl ParquetRow {
    fn raw_row(&self) -> Result<RawRow<'_>, String> {
        let text = match &self.text {
            Some(ColumnValue::Bytes(text)) => utf8(text)?,
            _ => return Err("the text is null".to_owned()),
        };
        let text_pair = match &self.text_pair {
            Some(Some(ColumnValue::Bytes(text))) => Some(utf8(text)?.into()),
            Some(_) => return Err("the second text is null".to_owned()),
            None => None,
        };
        let label: Cow<'_, str> = match &self.label {
            None => "".into(),
            Some(Some(ColumnValue::Bytes(label))) => utf8(label)?.into(),
            Some(Some(ColumnValue::Integer(label))) => label.to_string().into(),
            Some(Some(ColumnValue::Boolean(label))) => boolean_label(*label).into(),
            Some(Some(ColumnValue::Float(label))) if label.is_nan() => {
                return Err("the label is missing (NaN)".to_owned());
            }
            Some(Some(ColumnValue::Float(label))) => integer_label(*label)?.into(),
            Some(None) => return Err("the label is null".to_owned()),
        };
        let id = match &self.id {
            Some(ColumnValue::Bytes(id)) => Some(Cow::Borrowed(utf8(id)?)),
            Some(ColumnValue::Integer(id)) => Some(id.to_string().into()),
            _ => None,
        };
        let slices = self.slices.iter().map(|value| value.as_deref().map(Cow::Borrowed)).collect();
        Ok(RawRow { id, text: text.into(), text_pair, label, slices, kept: String::new() })
    }
}

fn utf8(bytes: &ByteArray) -> Result<&str, String> {
    std::str::from_utf8(bytes.data())
        .map_err(|error| format!("invalid UTF-8 at byte {} of a value", error.valid_up_to() + 1))
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
