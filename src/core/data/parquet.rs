//! Parquet files, whose columns are typed and may hold nulls.

use super::row_collector::{ColumnIndices, RawRow, RowCollector, whole};
use super::{DataError, Place};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use parquet::basic::{ConvertedType, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::borrow::Cow;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many rows are read at a time.
const AT_A_TIME: usize = 1024;

/// The most values a dictionary may hold; writers leave off at a mebibyte or so of them.
const LARGEST_DICTIONARY: usize = 1 << 26;

/// Reads every row into the sink.
///
/// # Errors
/// As the sink, and if the file is damaged or its columns are of other types.
pub(super) fn read(file: File, sink: &mut RowCollector<'_>) -> Result<(), DataError> {
    // A damaged file makes the crate panic here and there.
    let rows = catch_unwind(AssertUnwindSafe(|| read_rows(file, sink)));
    rows.unwrap_or_else(|_| Err(sink.unreadable("a damaged Parquet file. Fetch or write it anew")))
}

fn read_rows(file: File, sink: &mut RowCollector<'_>) -> Result<(), DataError> {
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(sink, &error))?;
    let metadata = reader.metadata().file_metadata();
    let columns = metadata.schema_descr().columns();
    let names: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut places = sink.find(&names)?;
    let usable = |place: usize, types: &[Type]| {
        let column = &columns[place];
        is_plain(column) && types.contains(&column.physical_type())
    };
    let unfit = |place: usize, expected: &str, flag: &str| {
        sink.unreadable(format!(
            "its column {} holds {} values, where {expected} are expected. Name another with {flag}",
            truncate_width(names[place], 40),
            columns[place].physical_type()
        ))
    };
    if !usable(places.text, &[Type::BYTE_ARRAY]) {
        return Err(unfit(places.text, "texts", "--text-column-name"));
    }
    if !usable(places.label, &LABEL_TYPES) {
        return Err(unfit(places.label, "texts or numbers", "--label-column-name"));
    }
    places.id = places.id.filter(|&id| usable(id, &ID_TYPES));
    if let Some(declared) = declared_names(metadata, names[places.label]) {
        sink.declare(declared);
    }
    let mut number = 0;
    for index in 0..reader.num_row_groups() {
        let group = Group::open(&reader, index, &places);
        let mut group = group.map_err(|error| damaged(sink, &error))?;
        loop {
            let rows = group.next_rows().map_err(|error| damaged(sink, &error))?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                number += 1;
                sink.take(Place::Row(number), row.fields())?;
            }
        }
    }
    Ok(())
}

const LABEL_TYPES: [Type; 6] =
    [Type::BYTE_ARRAY, Type::BOOLEAN, Type::INT32, Type::INT64, Type::FLOAT, Type::DOUBLE];

const ID_TYPES: [Type; 3] = [Type::BYTE_ARRAY, Type::INT32, Type::INT64];

/// Whether there is one value in each row, stored as it is meant.
fn is_plain(column: &ColumnDescriptor) -> bool {
    column.path().parts().len() == 1
        && column.max_rep_level() == 0
        && column.converted_type() != ConvertedType::DECIMAL
}

fn damaged(sink: &RowCollector<'_>, error: &ParquetError) -> DataError {
    let error = truncate_width(&error.to_string(), 120);
    sink.unreadable(format!(
        "not a Parquet file that can be read ({error}). Fetch or write it anew"
    ))
}

/// The names that Python's `datasets` writes beside a column of its type `ClassLabel`.
fn declared_names(metadata: &FileMetaData, label: &str) -> Option<Vec<String>> {
    let entry = metadata.key_value_metadata()?.iter().find(|entry| entry.key == "huggingface")?;
    let json: serde_json::Value = serde_json::from_str(entry.value.as_deref()?).ok()?;
    let names = json.pointer("/info/features")?.get(label)?.get("names")?.as_array()?;
    let names =
        names.iter().map(|name| Some(sanitize_for_terminal(name.as_str()?.trim()).into_owned()));
    names.collect::<Option<Vec<String>>>().filter(|names| names.len() > 1)
}

/// The columns of a row group, read side by side.
struct Group {
    text: ColumnReader,
    label: ColumnReader,
    id: Option<ColumnReader>,
}

impl Group {
    fn open(
        reader: &SerializedFileReader<File>,
        index: usize,
        places: &ColumnIndices,
    ) -> Result<Self, ParquetError> {
        let group = reader.get_row_group(index)?;
        let column = |place: usize| {
            let pages = Guarded(group.get_column_page_reader(place)?);
            let descriptor = group.metadata().schema_descr().column(place);
            Ok::<_, ParquetError>(get_column_reader(descriptor, Box::new(pages)))
        };
        Ok(Self {
            text: column(places.text)?,
            label: column(places.label)?,
            id: places.id.map(column).transpose()?,
        })
    }

    /// The next rows; none at the end of the group.
    fn next_rows(&mut self) -> Result<Vec<Cells>, ParquetError> {
        let (texts, labels) = (next_cells(&mut self.text)?, next_cells(&mut self.label)?);
        let mut ids = match &mut self.id {
            Some(id) => next_cells(id)?,
            None => Vec::new(),
        };
        ids.resize_with(texts.len(), || None);
        if texts.len() != labels.len() {
            return Err(ParquetError::General("columns of different lengths".to_owned()));
        }
        let rows = texts.into_iter().zip(labels).zip(ids);
        Ok(rows.map(|((text, label), id)| Cells { text, label, id }).collect())
    }
}

/// Hands pages on, but no dictionary that says it holds more than it can: memory for its values
/// is taken before they are looked at.
struct Guarded(Box<dyn PageReader>);

impl PageReader for Guarded {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.0.get_next_page()?;
        // A value takes four bytes at least: a number, or the length of a text.
        if let Some(Page::DictionaryPage { buf, num_values, .. }) = &page
            && *num_values as usize > LARGEST_DICTIONARY.min(buf.len() / 4)
        {
            return Err(ParquetError::General("a dictionary larger than its page".to_owned()));
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.0.skip_next_page()
    }
}

impl Iterator for Guarded {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// A value of a column.
enum Cell {
    Bytes(ByteArray),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

/// The next values of a column, with `None` for a null; none at its end.
fn next_cells(column: &mut ColumnReader) -> Result<Vec<Option<Cell>>, ParquetError> {
    match column {
        ColumnReader::ByteArrayColumnReader(column) => cells(column, Cell::Bytes),
        ColumnReader::BoolColumnReader(column) => cells(column, Cell::Boolean),
        ColumnReader::Int32ColumnReader(column) => cells(column, |n| Cell::Integer(n.into())),
        ColumnReader::Int64ColumnReader(column) => cells(column, Cell::Integer),
        ColumnReader::FloatColumnReader(column) => cells(column, |x| Cell::Float(x.into())),
        ColumnReader::DoubleColumnReader(column) => cells(column, Cell::Float),
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
            Err(ParquetError::NYI("such columns are not read".to_owned()))
        }
    }
}

fn cells<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    cell: impl Fn(T::T) -> Cell,
) -> Result<Vec<Option<Cell>>, ParquetError> {
    let mut levels: Vec<i16> = Vec::new();
    let mut values: Vec<T::T> = Vec::new();
    let (rows, ..) = column.read_records(AT_A_TIME, Some(&mut levels), None, &mut values)?;
    // A column that cannot hold nulls has no levels; in one that can, level 0 is a null.
    levels.resize(rows, 1);
    let mut values = values.into_iter().map(cell);
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}

/// One row of the columns that are read.
struct Cells {
    text: Option<Cell>,
    label: Option<Cell>,
    id: Option<Cell>,
}

impl Cells {
    fn fields(&self) -> Result<RawRow<'_>, String> {
        let text = match &self.text {
            Some(Cell::Bytes(text)) => utf8(text)?,
            _ => return Err("the text is null".to_owned()),
        };
        let label: Cow<'_, str> = match &self.label {
            Some(Cell::Bytes(label)) => utf8(label)?.into(),
            Some(Cell::Integer(label)) => label.to_string().into(),
            Some(Cell::Boolean(label)) => label.to_string().into(),
            Some(Cell::Float(label)) => whole(*label)?.into(),
            None => return Err("the label is null".to_owned()),
        };
        let id = match &self.id {
            Some(Cell::Bytes(id)) => Some(Cow::Borrowed(utf8(id)?)),
            Some(Cell::Integer(id)) => Some(id.to_string().into()),
            _ => None,
        };
        Ok(RawRow { id, text: text.into(), label })
    }
}

fn utf8(bytes: &ByteArray) -> Result<&str, String> {
    std::str::from_utf8(bytes.data())
        .map_err(|error| format!("invalid UTF-8 at byte {} of a value", error.valid_up_to() + 1))
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
