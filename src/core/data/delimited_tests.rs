use super::*;
use crate::core::data::row_collector::collect_rows;
use crate::core::data::table::{ColumnNames, DataTable};
use proptest::prelude::*;
use std::path::Path;

fn parse(text: &[u8], dialect: Dialect, skip: bool) -> Result<DataTable, DataError> {
    let name = match dialect {
        Dialect::Tsv => "a.tsv",
        Dialect::Csv => "a.csv",
    };
    parse_as(text, dialect, Quoting::Auto, skip, name)
}

fn parse_as(
    text: &[u8],
    dialect: Dialect,
    quoting: Quoting,
    skip: bool,
    name: &str,
) -> Result<DataTable, DataError> {
    let read = |collector: &mut RowCollector<'_>| read(text, dialect, quoting, collector);
    collect_rows(Path::new(name), &ColumnNames::default(), skip, read)
}

fn parse_tsv(text: &[u8], skip: bool) -> Result<DataTable, DataError> {
    parse(text, Dialect::Tsv, skip)
}

fn parse_csv(text: &[u8], skip: bool) -> Result<DataTable, DataError> {
    parse(text, Dialect::Csv, skip)
}

fn error_of(table: Result<DataTable, DataError>) -> String {
    table.map_or_else(|error| error.to_string(), |_| String::new())
}

fn tsv_error(text: &[u8]) -> String {
    error_of(parse_tsv(text, false))
}

fn csv_error(text: &[u8]) -> String {
    error_of(parse_csv(text, false))
}

fn labels(table: &DataTable) -> Vec<&str> {
    table.rows.iter().map(|row| row.label.as_str()).collect()
}

#[test]
fn tsv_allows_crlf_a_bom_quotes_and_empty_texts() -> Result<(), DataError> {
    let text = "\u{feff}id\tdocument\tlabel\r\n1\t\"좋다\t1\r\n2\t\t0\n3\t끝\t1".as_bytes();
    let table = parse_tsv(text, false)?;
    let texts: Vec<&str> = table.rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["\"좋다", "", "끝"]);
    assert_eq!(labels(&table), ["1", "0", "1"]);
    assert_eq!(table.declared_names, None);
    Ok(())
}

#[test]
fn csv_quotes_may_contain_commas_quotes_and_line_ends() -> Result<(), DataError> {
    let text = "\u{feff}\"text\",label\r\n\"a, \"\"b\"\"\r\nc\",1.0\r\n\r\n,0\nd\"e\",0";
    let table = parse_csv(text.as_bytes(), false)?;
    let rows: Vec<_> = table.rows.iter().map(|row| (&*row.text, &*row.label)).collect();
    assert_eq!(rows, [("a, \"b\"\nc", "1"), ("", "0"), ("d\"e\"", "0")]);
    assert_eq!(table.rows[2].id, "3");
    Ok(())
}

#[test]
fn a_lone_carriage_return_is_text() -> Result<(), DataError> {
    let table = parse_csv(b"text,label\na\rb,1\n", false)?;
    assert_eq!(table.rows[0].text, "a\rb");
    let table = parse_tsv(b"text\tlabel\na\rb\t1\n", false)?;
    assert_eq!(table.rows[0].text, "a\rb");
    Ok(())
}

#[test]
fn tsv_errors_name_file_line_and_content() {
    let head = b"id\tdocument\tlabel\n1\tok\t1\n";
    let with = |row: &[u8]| tsv_error(&[head, row].concat());
    assert!(with(b"2\tonly two\n").contains(
        "a.tsv:3: expected 3 tab-separated columns (id, document, label), found 2: \"2 only two\""
    ));
    assert!(with(b"2\ta\tb\t1\n").contains("found 4"));
    assert!(with(b"2\ta\t2\n").contains("label of 0 or 1, found \"2\""));
    assert!(with(b"2\ta\t\n").contains("found \"\""));
    assert!(with(b"\n").contains("a.tsv:3: expected 3 tab-separated columns"));
    assert!(with(b"\n").contains("found 1"));
    assert!(with(b"2\t\xff\xfe\t1\n").contains("a.tsv:3: invalid UTF-8 in column 2"));
    assert!(with(b"2\ta\t2\n").contains("--skip-bad-rows"));
    let headless = tsv_error(b"2\ta\t1\n");
    assert!(headless.contains("a.tsv: no column named document, text, "), "{headless}");
    assert!(headless.contains("its columns are 2, a, 1. ") && headless.contains("first line"));
}

#[test]
fn csv_errors_name_the_line_on_which_a_row_starts() {
    let with = |row: &str| {
        let text = format!("id,document,label\r\n1,\"two\r\nlines\",1\r\n\r\n{row}\r\n");
        csv_error(text.as_bytes())
    };
    let two = with("2,\u{1b}[2J");
    assert!(two.contains(
        "a.csv:5: expected 3 comma-separated columns (id, document, label), found 2: \"2,�["
    ));
    assert!(with("2,a,5").contains("a.csv:5: expected a label of 0 or 1, found \"5\""));
    assert!(with("2,\"a,1").contains("a.csv:5: a quote is not closed"));
    assert!(with("2,a,1,").contains("found 4"));
    assert!(with("2,a,0.5").contains("a label of 0 or 1, found \"0.5\""));
    assert!(csv_error(b"text,label\na\xff,1\n").contains("a.csv:2: invalid UTF-8 in column 1"));
    assert!(csv_error(b"text;label\na;1\n").contains("its columns are text;label (semicolon"));
    assert!(csv_error(b"\"text,label\n").contains("a.csv: cannot read the header: a quote"));
}

#[test]
fn the_first_label_determines_whether_a_file_is_nsmc() -> Result<(), DataError> {
    let table = parse_tsv("id\tdocument\tlabel\n1\ta\t긍정\n2\tb\t 0 \n".as_bytes(), false)?;
    assert_eq!(labels(&table), ["긍정", "0"]);
    assert_eq!(table.label_column, "label");
    // A missing label does not determine the format.
    let rows = b"id\tdocument\tlabel\n1\ta\tNaN\n2\tb\t1\n3\tc\t2\n";
    assert_eq!(parse_tsv(rows, true)?.skipped, 2);
    let table = parse_tsv(b"id\tdocument\tlabel\n1\ta\t\n2\tb\t1\n3\tc\t2\n", true)?;
    assert_eq!((table.rows.len(), table.skipped), (1, 2));
    Ok(())
}

#[test]
fn columns_are_found_in_any_order() -> Result<(), DataError> {
    let rows = parse_tsv(b"Sentiment\tnote\tText\nbad\tx\tno good\ngood\t\t\n", false)?.rows;
    assert_eq!((&*rows[0].id, &*rows[0].text, &*rows[0].label), ("1", "no good", "bad"));
    assert_eq!((&*rows[1].id, &*rows[1].text, &*rows[1].label), ("2", "", "good"));
    assert!(tsv_error(b"text\tlabel\na\t\n").contains("a.tsv:2: the label is empty"));
    Ok(())
}

#[test]
fn messages_contain_no_escape_sequences_of_a_file() {
    let row = tsv_error(b"id\tdocument\tlabel\n1\t\x1b[2J\x1b]0;owned\x07\n");
    let header = tsv_error(b"\x1b[2J\tlabel\n");
    let label = tsv_error(b"id\tdocument\tlabel\n1\ta\t1\n1\ta\t\x1b[2J\n");
    for message in [row, header, label] {
        assert!(!message.contains(['\u{1b}', '\u{7}']) && message.contains('�'), "{message:?}");
    }
}

#[test]
fn every_kind_of_invalid_row_can_be_skipped() -> Result<(), DataError> {
    let mut text = b"id\tdocument\tlabel\n1\tok\t1\n2\tx\n3\t\xff\t1\n4\ty\t7\n".to_vec();
    text.extend_from_slice(b"5\t");
    text.resize(text.len() + MAX_LINE_BYTES, b'a');
    text.extend_from_slice(b"\t1\n6\tok\t0\n");
    let table = parse_tsv(&text, true)?;
    assert_eq!((table.rows.len(), table.skipped), (2, 4));
    Ok(())
}

#[test]
fn an_unclosed_quote_cannot_use_all_memory() -> Result<(), DataError> {
    let mut text = b"text,label\na,1\n\"b,1\n".to_vec();
    text.extend_from_slice("an ordinary row,0\n".repeat(100_000).as_bytes());
    let message = csv_error(&text);
    assert!(message.contains("a.csv:3: the row is longer than 1 MiB"), "{message}");
    // After the first mebibyte, rows are read again.
    let table = parse_csv(&text, true)?;
    assert_eq!(table.skipped, 1);
    assert!(table.rows.len() > 40_000, "{}", table.rows.len());
    Ok(())
}

proptest! {
    #[test]
    fn csv_reads_what_the_csv_crate_writes(
        texts in proptest::collection::vec("[a\",\n가 ]{0,8}", 1..20),
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["text", "label"]).unwrap();
        for text in &texts {
            writer.write_record([text.as_str(), "x"]).unwrap();
        }
        let written = writer.into_inner().unwrap();
        let table = parse_csv(&written, false).unwrap();
        let read: Vec<&String> = table.rows.iter().map(|row| &row.text).collect();
        prop_assert_eq!(read, texts.iter().collect::<Vec<_>>());
    }

    #[test]
    fn tsv_reads_what_writers_of_quoted_fields_write(
        texts in proptest::collection::vec("[a\",가 ]{0,4}[\n\t]?[a\",가 ]{0,4}", 1..20),
        style in proptest::sample::select(vec![
            ::csv::QuoteStyle::Necessary,
            ::csv::QuoteStyle::Always,
            ::csv::QuoteStyle::NonNumeric,
        ]),
    ) {
        let mut writer = ::csv::WriterBuilder::new()
            .delimiter(b'\t')
            .quote_style(style)
            .from_writer(Vec::new());
        writer.write_record(["text", "label"]).unwrap();
        for text in &texts {
            writer.write_record([text.as_str(), "x"]).unwrap();
        }
        let written = writer.into_inner().unwrap();
        let table = parse_tsv(&written, false).unwrap();
        let read: Vec<&String> = table.rows.iter().map(|row| &row.text).collect();
        prop_assert_eq!(read, texts.iter().collect::<Vec<_>>());
        prop_assert_eq!(!table.notes.is_empty(), written.contains(&b'"'));
    }

    #[test]
    fn csv_reads_any_text_as_the_csv_crate_does(text in "[ab\",\n]{0,40}") {
        // Unlike the `csv` crate, a quote that is still open at the end is an error.
        let text = format!("text,label\n{text}\n\"\"\n");
        let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let expected: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let mut records = Records::new(text.as_bytes(), Format { dialect: Dialect::Csv, is_quoted: true });
        let mut record = Record::default();
        prop_assert!(records.read(&mut record).unwrap());
        for expected in expected {
            prop_assert!(records.read(&mut record).unwrap());
            if let Ok(fields) = record.fields() {
                prop_assert_eq!(fields, expected);
            }
        }
        prop_assert!(!records.read(&mut record).unwrap());
    }

    #[test]
    fn tsv_fields_are_split_at_every_tab(lines in proptest::collection::vec("[a\"\t,가]{0,9}", 1..9)) {
        let text = lines.join("\n");
        let mut records = Records::new(text.as_bytes(), Format { dialect: Dialect::Tsv, is_quoted: false });
        let mut record = Record::default();
        for line in text.lines() {
            prop_assert!(records.read(&mut record).unwrap());
            prop_assert_eq!(record.fields().unwrap(), line.split('\t').collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_bytes_give_rows_or_an_error(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b'\t'), Just(b','), Just(b'"'), Just(b'\n'), Just(b'1'), any::<u8>()
            ],
            0..200,
        ),
    ) {
        for (dialect, head) in
            [(Dialect::Tsv, &b"text\tlabel\n"[..]), (Dialect::Csv, b"text,label\n")]
        {
            let headed = [head, &bytes[..]].concat();
            for text in [&bytes, &headed] {
                let strict = parse(text, dialect, false);
                let lenient = parse(text, dialect, true);
                if let (Ok(strict), Ok(lenient)) = (&strict, &lenient) {
                    prop_assert_eq!(&strict.rows, &lenient.rows);
                    prop_assert_eq!(lenient.skipped, 0);
                }
                prop_assert!(lenient.is_ok() || strict.is_err());
            }
            prop_assert!(parse(&headed, dialect, true).is_ok());
        }
    }
}
