//! Delimited text after a header line: TSV without quoting, as NSMC's own files are, and CSV with
//! the quoting of RFC 4180.
//!
//! `csv-core` parses one bounded line at a time, so that an unclosed quote cannot use all memory,
//! and errors name the line on which a record starts.

use super::bounded_lines::{BoundedLines, ENCODING_HINT, MAX_LINE_BYTES};
use super::row_collector::{ColumnIndices, RawRow, RowCollector};
use super::table::RowPosition;
use super::{DataError, join_names};
use crate::core::text::truncate_width;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use std::io::BufRead;

/// How the columns are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Tabs, no quoting. An empty line is a row with one column.
    Tsv,
    /// Commas, with quoting. Empty lines are skipped.
    Csv,
}

impl Dialect {
    fn delimiter(self) -> &'static str {
        match self {
            Self::Tsv => "\t",
            Self::Csv => ",",
        }
    }

    /// A parser whose records end at `\n`; `\r\n` is handled by [`BoundedLines`].
    fn parser(self) -> Reader {
        let mut builder = ReaderBuilder::new();
        builder.terminator(Terminator::Any(b'\n'));
        if self == Self::Tsv {
            builder.delimiter(b'\t').quoting(false);
        }
        builder.build()
    }

    fn too_long(self) -> &'static str {
        match self {
            Self::Tsv => "the row is longer than 1 MiB",
            Self::Csv => "the row is longer than 1 MiB (an unclosed quote?)",
        }
    }
}

/// Passes every row to the collector.
///
/// # Errors
/// As the collector, and if the header cannot be read or lacks a column.
pub(super) fn read(
    source: impl BufRead,
    dialect: Dialect,
    collector: &mut RowCollector<'_>,
) -> Result<(), DataError> {
    let mut records = Records::new(source, dialect);
    let (mut header, mut record) = (Record::default(), Record::default());
    if !records.read(&mut header).map_err(|error| collector.io(error))? {
        return Ok(());
    }
    let names = header.fields().map_err(|reason| {
        collector.unreadable(format!("cannot read the header: {reason}. Fix the first line"))
    })?;
    let columns = collector.find_columns(&names)?;
    while records.read(&mut record).map_err(|error| collector.io(error))? {
        let row = raw_row(&record, &names, &columns, dialect);
        collector.push(RowPosition::Line(record.line), row)?;
    }
    Ok(())
}

fn raw_row<'a>(
    record: &'a Record,
    names: &[&str],
    columns: &ColumnIndices,
    dialect: Dialect,
) -> Result<RawRow<'a>, String> {
    let fields = record.fields()?;
    if fields.len() != names.len() {
        let separated = match dialect {
            Dialect::Tsv => "tab-separated",
            Dialect::Csv => "comma-separated",
        };
        return Err(format!(
            "expected {} {separated} columns ({}), found {}: \"{}\"",
            names.len(),
            join_names(names),
            fields.len(),
            truncate_width(&fields.join(dialect.delimiter()), 60)
        ));
    }
    Ok(columns.select(&fields))
}

/// Reads a source record by record.
struct Records<R> {
    lines: BoundedLines<R>,
    dialect: Dialect,
    parser: Reader,
}

impl<R: BufRead> Records<R> {
    fn new(source: R, dialect: Dialect) -> Self {
        Self { lines: BoundedLines::new(source), dialect, parser: dialect.parser() }
    }

    /// Replaces the record with the next one; `false` at the end of the source. After a record
    /// that is too long, the next line starts a new one.
    fn read(&mut self, record: &mut Record) -> std::io::Result<bool> {
        record.clear();
        let mut has_started = false;
        while let Some((number, line)) = self.lines.next_line()? {
            if !has_started {
                if line.is_empty() && self.dialect == Dialect::Csv {
                    continue;
                }
                (record.line, has_started) = (number, true);
                if line.is_empty() {
                    // `csv-core` skips empty lines.
                    record.push_empty_field();
                    return Ok(true);
                }
            }
            if record.text_length + line.len() > MAX_LINE_BYTES {
                record.error = Some(self.dialect.too_long());
                self.parser.reset();
                return Ok(true);
            }
            if record.parse(&mut self.parser, line) || record.parse(&mut self.parser, b"\n") {
                return Ok(true);
            }
        }
        if has_started {
            record.error = Some("a quote is not closed");
        }
        Ok(has_started)
    }
}

/// The fields of one record, which may span several lines.
#[derive(Default)]
struct Record {
    /// The line on which it starts.
    line: usize,
    /// The fields one after another, without quotes; a buffer of which `text_length` bytes are
    /// used.
    text: Vec<u8>,
    text_length: usize,
    /// The end of each field in `text`; a buffer of which `field_count` values are used.
    ends: Vec<usize>,
    field_count: usize,
    /// Why the record is invalid as a whole.
    error: Option<&'static str>,
}

impl Record {
    fn clear(&mut self) {
        (self.text_length, self.field_count, self.error) = (0, 0, None);
    }

    fn push_empty_field(&mut self) {
        self.ends.resize(self.ends.len().max(1), 0);
        (self.ends[0], self.field_count) = (0, 1);
    }

    /// Parses part of the record; returns whether it is complete. Empty input is ignored.
    fn parse(&mut self, parser: &mut Reader, mut input: &[u8]) -> bool {
        while !input.is_empty() {
            let (result, read, written, ended) = parser.read_record(
                input,
                &mut self.text[self.text_length..],
                &mut self.ends[self.field_count..],
            );
            input = &input[read..];
            self.text_length += written;
            self.field_count += ended;
            match result {
                ReadRecordResult::OutputFull => {
                    self.text.resize((self.text.len() * 2).max(1024), 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((self.ends.len() * 2).max(16), 0);
                }
                ReadRecordResult::Record => return true,
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            }
        }
        false
    }

    fn fields(&self) -> Result<Vec<&str>, String> {
        if let Some(error) = self.error {
            return Err(error.to_owned());
        }
        let ends = &self.ends[..self.field_count];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let fields = starts.zip(ends).enumerate();
        fields
            .map(|(column, (start, &end))| {
                std::str::from_utf8(&self.text[start..end])
                    .map_err(|_| format!("invalid UTF-8 in column {}{ENCODING_HINT}", column + 1))
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "delimited_tests.rs"]
mod tests;
