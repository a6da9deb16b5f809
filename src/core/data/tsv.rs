//! Columns between tabs, without quoting, after a header line: so are NSMC's own files, with
//! `id`, `document` and `label`.

use super::lines::{Lines, decoded};
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
    let Some((_, header)) = lines.next_line().map_err(|error| sink.io(error))? else {
        return Ok(());
    };
    let header = String::from_utf8_lossy(header).into_owned();
    let names: Vec<&str> = header.split('\t').collect();
    let places = sink.find(&names)?;
    while let Some((number, line)) = lines.next_line().map_err(|error| sink.io(error))? {
        sink.take(Place::Line(number), fields(line, &names, &places))?;
    }
    Ok(())
}

fn fields<'a>(
    line: &'a [u8],
    names: &[&str],
    places: &ColumnIndices,
) -> Result<RawRow<'a>, String> {
    let line = decoded(line)?;
    let columns: Vec<&str> = line.split('\t').collect();
    if columns.len() != names.len() {
        return Err(format!(
            "expected {} tab-separated columns ({}), found {}: \"{}\"",
            names.len(),
            listed(names),
            columns.len(),
            truncate_width(line, 60)
        ));
    }
    Ok(places.fields(&columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::lines::LONGEST_LINE;
    use crate::core::data::table::{Columns, Table, read_one};
    use proptest::prelude::*;
    use std::path::Path;

    fn parse(text: &[u8], skip: bool) -> Result<Table, DataError> {
        read_one(Path::new("a.tsv"), &Columns::default(), skip, |sink| read(text, sink))
    }

    fn error_of(text: &[u8]) -> String {
        parse(text, false).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn crlf_a_bom_quotes_and_empty_reviews_are_legal() -> Result<(), DataError> {
        let text = "\u{feff}id\tdocument\tlabel\r\n1\t\"좋다\t1\r\n2\t\t0\n3\t끝\t1".as_bytes();
        let table = parse(text, false)?;
        let texts: Vec<&str> = table.rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["\"좋다", "", "끝"]);
        let labels: Vec<&str> = table.rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, ["1", "0", "1"]);
        assert!(table.is_nsmc);
        Ok(())
    }

    #[test]
    fn bad_rows_are_named_by_file_line_and_content() {
        let head = b"id\tdocument\tlabel\n1\tok\t1\n";
        let with = |row: &[u8]| error_of(&[head, row].concat());
        assert!(with(b"2\tonly two\n").contains(
            "a.tsv:3: expected 3 tab-separated columns (id, document, label), found 2: \
             \"2 only two\""
        ));
        assert!(with(b"2\ta\tb\t1\n").contains("found 4"));
        assert!(with(b"2\ta\t2\n").contains("label of 0 or 1, found \"2\""));
        assert!(with(b"2\ta\t\n").contains("found \"\""));
        assert!(with(b"\n").contains("found 1"));
        assert!(with(b"2\t\xff\xfe\t1\n").contains("invalid UTF-8 at byte 3"));
        assert!(with(b"2\ta\t2\n").contains("--skip-bad-rows"));
        let headless = error_of(b"2\ta\t1\n");
        assert!(headless.contains("a.tsv: no column named document, text, "), "{headless}");
        assert!(headless.contains("its columns are 2, a, 1. ") && headless.contains("first line"));
    }

    #[test]
    fn the_first_label_tells_nsmc_from_another_table_with_its_columns() -> Result<(), DataError> {
        let table = parse("id\tdocument\tlabel\n1\ta\t긍정\n2\tb\t 0 \n".as_bytes(), false)?;
        let labels: Vec<&str> = table.rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, ["긍정", "0"]);
        assert!(!table.is_nsmc);
        assert_eq!(table.label_column, "label");
        // An empty label decides nothing.
        let table = parse(b"id\tdocument\tlabel\n1\ta\t\n2\tb\t1\n3\tc\t2\n", true)?;
        assert_eq!((table.rows.len(), table.skipped, table.is_nsmc), (1, 2, true));
        Ok(())
    }

    #[test]
    fn other_columns_are_found_wherever_they_stand() -> Result<(), DataError> {
        let rows = parse(b"Sentiment\tnote\tText\nbad\tx\tno good\ngood\t\t\n", false)?.rows;
        assert_eq!((&*rows[0].id, &*rows[0].text, &*rows[0].label), ("1", "no good", "bad"));
        assert_eq!((&*rows[1].id, &*rows[1].text, &*rows[1].label), ("2", "", "good"));
        assert!(error_of(b"text\tlabel\na\t\n").contains("a.tsv:2: the label is empty"));
        Ok(())
    }

    #[test]
    fn escape_sequences_of_a_bad_row_do_not_reach_the_message() {
        let row = error_of(b"id\tdocument\tlabel\n1\t\x1b[2J\x1b]0;owned\x07\n");
        let header = error_of(b"\x1b[2J\tlabel\n");
        let label = error_of(b"id\tdocument\tlabel\n1\ta\t1\n1\ta\t\x1b[2J\n");
        for message in [row, header, label] {
            assert!(!message.contains(['\u{1b}', '\u{7}']) && message.contains('�'), "{message:?}");
        }
    }

    #[test]
    fn skipping_counts_every_kind_of_bad_row() -> Result<(), DataError> {
        let mut text = b"id\tdocument\tlabel\n1\tok\t1\n2\tx\n3\t\xff\t1\n4\ty\t7\n".to_vec();
        text.extend_from_slice(b"5\t");
        text.resize(text.len() + LONGEST_LINE, b'a');
        text.extend_from_slice(b"\t1\n6\tok\t0\n");
        let table = parse(&text, true)?;
        assert_eq!((table.rows.len(), table.skipped), (2, 4));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\t'), Just(b'\n'), Just(b'1'), any::<u8>()],
                0..200,
            ),
        ) {
            let headed = [b"text\tlabel\n", &bytes[..]].concat();
            for text in [&bytes, &headed] {
                let strict = parse(text, false);
                let lenient = parse(text, true);
                if let (Ok(strict), Ok(lenient)) = (&strict, &lenient) {
                    prop_assert_eq!(&strict.rows, &lenient.rows);
                    prop_assert_eq!(lenient.skipped, 0);
                }
                prop_assert!(lenient.is_ok() || strict.is_err());
            }
            prop_assert!(parse(&headed, true).is_ok());
        }
    }
}
