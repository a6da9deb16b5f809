//! Delimited text after a header line: CSV with the quoting of RFC 4180, and TSV with it, as pandas
//! and spreadsheets write it, or without it, as NSMC's own files are read.
//!
//! `csv-core` parses one bounded line at a time, so that an unclosed quote cannot use all memory,
//! and errors name the line on which a record starts.

use super::bounded_lines::{BoundedLines, ENCODING_HINT, MAX_LINE_BYTES};
use super::kept_columns::KeptColumns;
use super::quoting::{QuoteScanner, Quoting, QuotingStyle, TextAfterQuote, detect};
use super::raw_row::{ColumnIndices, RawRow};
use super::row_collector::RowCollector;
use super::table::RowPosition;
use super::{DataError, join_names};
use crate::core::text::truncate_width;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use std::io::{BufRead, Read};

/// The bytes at the start of a file from which its quoting is detected.
const DETECTION_BYTES: u64 = 1 << 20;

/// How the columns are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Tabs. Without quoting, an empty line is a row with one column.
    Tsv,
    /// Commas. Empty lines are skipped.
    Csv,
}

impl Dialect {
    fn delimiter(self) -> &'static str {
        match self {
            Self::Tsv => "\t",
            Self::Csv => ",",
        }
    }
}

/// How the fields of a file are separated and quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    dialect: Dialect,
    is_quoted: bool,
}

impl Format {
    /// A parser whose records end at `\n`; `\r\n` is handled by [`BoundedLines`].
    fn parser(self) -> Reader {
        let mut builder = ReaderBuilder::new();
        builder.terminator(Terminator::Any(b'\n')).quoting(self.is_quoted);
        if self.dialect == Dialect::Tsv {
            builder.delimiter(b'\t');
        }
        builder.build()
    }

    fn skips_empty_lines(self) -> bool {
        self.is_quoted || self.dialect == Dialect::Csv
    }

    fn too_long(self) -> &'static str {
        if self.is_quoted {
            "the row is longer than 1 MiB (an unclosed quote?)"
        } else {
            "the row is longer than 1 MiB"
        }
    }

    /// What may be wrong with a row that has another number of columns and quotation marks.
    fn quoting_hint(self) -> &'static str {
        match (self.is_quoted, self.dialect) {
            (false, _) => " (if its fields are quoted, pass --quoting all)",
            (true, Dialect::Tsv) => " (if quotation marks are text, pass --quoting none)",
            (true, Dialect::Csv) => "",
        }
    }
}

/// Passes every row to the collector.
///
/// # Errors
/// As the collector, and if the header cannot be read or lacks a column.
pub(super) fn read(
    mut source: impl BufRead,
    dialect: Dialect,
    quoting: Quoting,
    collector: &mut RowCollector<'_>,
) -> Result<(), DataError> {
    let mut prefix = Vec::new();
    let is_quoted = match (quoting, dialect) {
        (Quoting::All, _) | (Quoting::Auto, Dialect::Csv) => true,
        (Quoting::None, _) => false,
        (Quoting::Auto, Dialect::Tsv) => {
            let mut start = Read::take(&mut source, DETECTION_BYTES);
            start.read_to_end(&mut prefix).map_err(|error| collector.io(error))?;
            match detect(&prefix, (prefix.len() as u64) < DETECTION_BYTES) {
                QuotingStyle::Raw => false,
                QuotingStyle::Quoted => true,
                QuotingStyle::BackslashEscaped => {
                    return Err(collector.unreadable(
                        "the quotation marks in its fields are written as \\\", as R's write.table \
                         does by default. Write it with qmethod = \"double\", or pass --quoting \
                         none to keep them as they are",
                    ));
                }
            }
        }
    };
    let format = Format { dialect, is_quoted };
    collector.read_missing_values();
    let mut records = Records::new(Read::chain(&prefix[..], source), format);
    let (mut header, mut record) = (Record::default(), Record::default());
    if !records.read(&mut header).map_err(|error| collector.io(error))? {
        return Ok(());
    }
    if !header.is_utf8() {
        return Err(collector.unreadable(format!("its header is not UTF-8{ENCODING_HINT}")));
    }
    let names = header.fields().map_err(|reason| {
        collector.unreadable(format!("cannot read the header: {reason}. Fix the first line"))
    })?;
    let columns = collector.find_columns(&names)?;
    while records.read(&mut record).map_err(|error| collector.io(error))? {
        let row = raw_row(&record, &names, &columns, format, collector.kept());
        collector.push(RowPosition::Line(record.line), row)?;
    }
    if records.has_quotes && (dialect, quoting) != (Dialect::Csv, Quoting::Auto) {
        collector.note(if is_quoted {
            "read with quoted fields; --quoting none keeps quotation marks as text"
        } else {
            "read without quoting: quotation marks are text; --quoting all removes them"
        });
    }
    Ok(())
}

fn raw_row<'a>(
    record: &'a Record,
    names: &[&str],
    columns: &ColumnIndices,
    format: Format,
    kept: Option<&mut KeptColumns>,
) -> Result<RawRow<'a>, String> {
    let fields = record.fields()?;
    if fields.len() != names.len() {
        let separated = match format.dialect {
            Dialect::Tsv => "tab-separated",
            Dialect::Csv => "comma-separated",
        };
        return Err(format!(
            "expected {} {separated} columns ({}), found {}: \"{}\"{}",
            names.len(),
            join_names(names),
            fields.len(),
            truncate_width(&fields.join(format.dialect.delimiter()), 60),
            if record.has_quotes { format.quoting_hint() } else { "" }
        ));
    }
    let kept = kept.map(|kept| kept.encode(&fields)).unwrap_or_default();
    Ok(RawRow { kept, ..columns.select(&fields) })
}

/// Reads a source record by record.
struct Records<R> {
    lines: BoundedLines<R>,
    format: Format,
    parser: Reader,
    /// Checks the quotes of quoted TSV. Quotes in CSV are parsed as leniently as Python does.
    scanner: Option<QuoteScanner>,
    /// Whether a line so far contains a quotation mark.
    has_quotes: bool,
}

impl<R: BufRead> Records<R> {
    fn new(source: R, format: Format) -> Self {
        let is_checked = format == Format { dialect: Dialect::Tsv, is_quoted: true };
        Self {
            lines: BoundedLines::new(source),
            format,
            parser: format.parser(),
            scanner: is_checked.then(QuoteScanner::new),
            has_quotes: false,
        }
    }

    /// Replaces the record with the next one; `false` at the end of the source. After a record
    /// that is too long, the next line starts a new one.
    fn read(&mut self, record: &mut Record) -> std::io::Result<bool> {
        record.clear();
        let mut has_started = false;
        while let Some((number, line)) = self.lines.next_line()? {
            record.has_quotes |= line.contains(&b'"');
            self.has_quotes |= record.has_quotes;
            if !has_started {
                if line.is_empty() && self.format.skips_empty_lines() {
                    continue;
                }
                (record.line, has_started) = (number, true);
                if line.is_empty() {
                    // `csv-core` skips empty lines.
                    record.push_empty_field();
                    return Ok(true);
                }
            }
            let problem = match &mut self.scanner {
                _ if record.text_length + line.len() > MAX_LINE_BYTES => {
                    Some(self.format.too_long())
                }
                Some(scanner) => match scanner.scan_line(line) {
                    Ok(_) => None,
                    Err(TextAfterQuote) => Some(
                        "text follows the quotation mark that closes a field (if quotation marks \
                         are text, pass --quoting none)",
                    ),
                },
                None => None,
            };
            if problem.is_some() {
                record.error = problem;
                self.parser.reset();
                self.scanner = self.scanner.take().map(|_| QuoteScanner::new());
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
    /// Whether its lines contain a quotation mark.
    has_quotes: bool,
    /// Why the record is invalid as a whole.
    error: Option<&'static str>,
}

impl Record {
    fn clear(&mut self) {
        (self.text_length, self.field_count) = (0, 0);
        (self.has_quotes, self.error) = (false, None);
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

    fn is_utf8(&self) -> bool {
        std::str::from_utf8(&self.text[..self.text_length]).is_ok()
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
