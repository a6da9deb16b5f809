//! Columns between commas after a header line, quoted where they hold commas, quotes or line ends
//! (RFC 4180).
//!
//! The reader stands on the same bounded lines as those of the other text formats, which the
//! `csv` crate cannot: it holds a record whole, however long a quote that is not closed makes it,
//! takes the end of the file for the missing quote, and numbers lines that end in CRLF one too
//! low. Tests hold that both read alike what is well formed.

use super::lines::{CODE_PAGE, LONGEST_LINE, Lines};
use super::row_collector::{ColumnIndices, RawRow, RowCollector, listed};
use super::{DataError, Place};
use crate::core::text::truncate_width;
use std::io::BufRead;

/// Reads every row into the sink.
///
/// # Errors
/// As the sink, and if the header does not name the columns.
pub(super) fn read(source: impl BufRead, sink: &mut RowCollector<'_>) -> Result<(), DataError> {
    let mut lines = Lines::new(source);
    let (mut header, mut record) = (Record::default(), Record::default());
    if !header.read(&mut lines).map_err(|error| sink.io(error))? {
        return Ok(());
    }
    let names = header.columns().map_err(|found| {
        sink.unreadable(format!("its header is of no use: {found}. Mend its first line"))
    })?;
    let places = sink.find(&names)?;
    while record.read(&mut lines).map_err(|error| sink.io(error))? {
        sink.take(Place::Line(record.line), fields(&record, &names, &places))?;
    }
    Ok(())
}

fn fields<'a>(
    record: &'a Record,
    names: &[&str],
    places: &ColumnIndices,
) -> Result<RawRow<'a>, String> {
    let columns = record.columns()?;
    if columns.len() != names.len() {
        return Err(format!(
            "expected {} columns ({}), found {}: \"{}\"",
            names.len(),
            listed(names),
            columns.len(),
            truncate_width(&columns.join(","), 60)
        ));
    }
    Ok(places.fields(&columns))
}

/// Where in a field the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Bare,
    Quoted,
    /// Behind a quote among quotes, which closes them unless it is doubled.
    Closing,
}

/// The columns of one record, which may go over several lines.
#[derive(Default)]
struct Record {
    /// The line it starts on.
    line: usize,
    /// All columns, one after the other, without quotes.
    bytes: Vec<u8>,
    /// Where in `bytes` each column ends.
    ends: Vec<usize>,
    /// What is wrong with the record as a whole.
    flaw: Option<&'static str>,
}

impl Record {
    /// Reads the next record in place of this one; blank lines before it are passed over.
    /// `false` at the end of the source. After a record that is too long, the next line is taken
    /// for the start of another.
    fn read(&mut self, lines: &mut Lines<impl BufRead>) -> std::io::Result<bool> {
        self.bytes.clear();
        self.ends.clear();
        self.flaw = None;
        let mut state = State::Start;
        let mut begun = false;
        while let Some((number, line)) = lines.next_line()? {
            if !begun {
                if line.is_empty() {
                    continue;
                }
                (self.line, begun) = (number, true);
            }
            if self.bytes.len() + line.len() > LONGEST_LINE {
                self.flaw = Some("a row longer than 1 MiB: is a quote not closed?");
                return Ok(true);
            }
            state = self.take(line, state);
            if state != State::Quoted {
                self.ends.push(self.bytes.len());
                return Ok(true);
            }
            self.bytes.push(b'\n');
        }
        self.flaw = Some("a quote that is not closed");
        Ok(begun)
    }

    /// Takes in a line from the state that the one before it ended in; gives its own.
    fn take(&mut self, line: &[u8], mut state: State) -> State {
        for &byte in line {
            state = match (state, byte) {
                (State::Start, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Closing,
                (State::Start | State::Bare | State::Closing, b',') => {
                    self.ends.push(self.bytes.len());
                    State::Start
                }
                (State::Quoted, _) | (State::Closing, b'"') => {
                    self.bytes.push(byte);
                    State::Quoted
                }
                (State::Start | State::Bare | State::Closing, _) => {
                    self.bytes.push(byte);
                    State::Bare
                }
            };
        }
        state
    }

    fn columns(&self) -> Result<Vec<&str>, String> {
        if let Some(flaw) = self.flaw {
            return Err(flaw.to_owned());
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let columns = starts.zip(&self.ends).enumerate();
        columns
            .map(|(column, (start, &end))| {
                std::str::from_utf8(&self.bytes[start..end])
                    .map_err(|_| format!("invalid UTF-8 in column {}{CODE_PAGE}", column + 1))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::table::{Columns, Table, read_one};
    use proptest::prelude::*;
    use std::path::Path;

    fn parse(text: &[u8], skip: bool) -> Result<Table, DataError> {
        read_one(Path::new("a.csv"), &Columns::default(), skip, |sink| read(text, sink))
    }

    fn error_of(text: &[u8]) -> String {
        parse(text, false).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn quotes_hold_commas_quotes_and_lines() -> Result<(), DataError> {
        let text = "\u{feff}\"text\",label\r\n\"a, \"\"b\"\"\r\nc\",1.0\r\n\r\n,0\nd\"e\",0";
        let table = parse(text.as_bytes(), false)?;
        let rows: Vec<_> = table.rows.iter().map(|row| (&*row.text, &*row.label)).collect();
        assert_eq!(rows, [("a, \"b\"\nc", "1"), ("", "0"), ("d\"e\"", "0")]);
        assert_eq!(table.rows[2].id, "3");
        assert!(!table.is_nsmc);
        Ok(())
    }

    #[test]
    fn bad_rows_are_named_by_the_line_they_start_on() {
        let with = |row: &str| {
            let text = format!("id,document,label\r\n1,\"two\r\nlines\",1\r\n\r\n{row}\r\n");
            error_of(text.as_bytes())
        };
        let two = with("2,\u{1b}[2J");
        assert!(two.contains("a.csv:5: expected 3 columns (id, document, label), found 2: \"2,�["));
        assert!(with("2,a,5").contains("a.csv:5: expected a label of 0 or 1, found \"5\""));
        assert!(with("2,\"a,1").contains("a.csv:5: a quote that is not closed"));
        assert!(with("2,a,1,").contains("found 4"));
        assert!(with("2,a,0.5").contains("found the number 0.5"));
        assert!(error_of(b"text,label\na\xff,1\n").contains("a.csv:2: invalid UTF-8 in column 1"));
        assert!(error_of(b"text;label\na;1\n").contains("its columns are text;label (semicolons?"));
        assert!(error_of(b"\"text,label\n").contains("a.csv: its header is of no use: a quote"));
    }

    #[test]
    fn a_quote_that_is_never_closed_cannot_eat_all_memory() -> Result<(), DataError> {
        let mut text = b"text,label\na,1\n\"b,1\n".to_vec();
        text.extend_from_slice("an ordinary row,0\n".repeat(100_000).as_bytes());
        let message = error_of(&text);
        assert!(message.contains("a.csv:3: a row longer than 1 MiB"), "{message}");
        // What follows the first mebibyte are rows again.
        let table = parse(&text, true)?;
        assert_eq!(table.skipped, 1);
        assert!(table.rows.len() > 40_000, "{}", table.rows.len());
        Ok(())
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            texts in proptest::collection::vec("[a\",\n가 ]{0,8}", 1..20),
        ) {
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            writer.write_record(["text", "label"]).unwrap();
            for text in &texts {
                writer.write_record([text.as_str(), "x"]).unwrap();
            }
            let written = writer.into_inner().unwrap();
            let table = parse(&written, false).unwrap();
            let read: Vec<&String> = table.rows.iter().map(|row| &row.text).collect();
            prop_assert_eq!(read, texts.iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_read_as_the_csv_crate_reads_it(text in "[ab\",\n]{0,40}") {
            // The crate takes the end of the file for the closing quote that is not there.
            let text = format!("text,label\n{text}\n\"\"\n");
            let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let mut lines = Lines::new(text.as_bytes());
            let mut record = Record::default();
            prop_assert!(record.read(&mut lines).unwrap());
            for theirs in theirs {
                prop_assert!(record.read(&mut lines).unwrap());
                if let Ok(ours) = record.columns() {
                    prop_assert_eq!(ours, theirs);
                }
            }
            prop_assert!(!record.read(&mut lines).unwrap());
        }

        #[test]
        fn any_bytes_are_rows_or_an_error(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), Just(b'1'), any::<u8>()],
                0..200,
            ),
        ) {
            let headed = [b"text,label\n", &bytes[..]].concat();
            prop_assert!(parse(&headed, true).is_ok());
            for text in [&bytes, &headed] {
                let (strict, lenient) = (parse(text, false), parse(text, true));
                prop_assert!(lenient.is_ok() || strict.is_err());
            }
        }
    }
}
