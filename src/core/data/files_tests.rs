use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zst(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

/// Reads files of these names and contents from a temporary folder.
fn read(files: &[(&str, &[u8])], skip: bool) -> Result<DataTable, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |(name, content): &(&str, &[u8])| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("a file");
        file
    };
    let files: Vec<PathBuf> = files.iter().map(write).collect();
    read_files(&files, &ColumnNames::default(), Quoting::Auto, skip)
}

fn error_of(name: &str, content: &[u8]) -> String {
    read(&[(name, content)], false).map_or_else(|error| error.to_string(), |_| String::new())
}

fn rows(table: &DataTable) -> Vec<(&str, &str, &str)> {
    table.rows.iter().map(|row| (&*row.id, &*row.text, &*row.label)).collect()
}

const TSV: &[u8] = "text\tlabel\n하나\tgood\n둘\tbad\n".as_bytes();
const CSV: &[u8] = "label,text\ngood,하나\nbad,둘\n".as_bytes();
const JSON: &[u8] =
    "{\"text\":\"하나\",\"label\":\"good\"}\n{\"text\":\"둘\",\"label\":\"bad\"}\n".as_bytes();

#[test]
fn every_text_format_is_read_with_and_without_compression() -> Result<(), DataError> {
    for (extension, content) in [
        ("tsv", TSV),
        ("txt", TSV),
        ("csv", CSV),
        ("json", JSON),
        ("jsonl", JSON),
        ("ndjson", JSON),
    ] {
        // Concatenated gzip members or Zstandard frames are one content.
        let halves = content.split_at(content.len() / 2);
        for (suffix, compressed) in [
            ("", content.to_vec()),
            (".gz", [gz(halves.0), gz(halves.1)].concat()),
            (".zst", [zst(halves.0), zst(halves.1)].concat()),
        ] {
            let name = format!("rows.{extension}{suffix}");
            let table = read(&[(&*name, &*compressed)], false)?;
            assert_eq!(rows(&table), [("1", "하나", "good"), ("2", "둘", "bad")], "{name}");
        }
    }
    Ok(())
}

#[test]
fn an_unknown_extension_is_an_error_that_lists_the_known_ones() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["a", "csv", "a.xlsx", "a.parquet.gz", "a.gz", "gz", ".csv.bz2", "a.csv."] {
        let file = folder.path().join(name);
        std::fs::write(&file, "x")?;
        let message = DataFile::open(&file).err().map(|error| error.to_string());
        let message = message.unwrap_or_default();
        assert!(message.contains(".jsonl") && message.contains(".parquet"), "{name}");
    }
    for name in ["a.TSV", "ratings_train.txt", "a.b.csv.gz", "a.json.zst", "a.parquet"] {
        let file = folder.path().join(name);
        let content = match name.rsplit('.').next() {
            Some("gz") => gz(b"x"),
            Some("zst") => zst(b"x"),
            _ => b"x".to_vec(),
        };
        std::fs::write(&file, content)?;
        assert!(DataFile::open(&file).is_ok(), "{name}");
    }
    assert!(matches!(DataFile::open(Path::new("no/such.tsv")), Err(DataError::Io { .. })));
    Ok(())
}

#[test]
fn files_of_one_split_may_differ_in_format() -> Result<(), DataError> {
    let table = read(&[("a.tsv", TSV), ("b.csv", CSV), ("c.json", b"".as_slice())], false)?;
    let ids: Vec<&str> = table.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    assert_eq!(table.label_column, "label");
    Ok(())
}

#[test]
fn the_names_of_nsmc_are_for_its_own_reviews() -> anyhow::Result<()> {
    let review = &crate::core::data::nsmc::load(crate::core::data::Split::Train)?.rows[3];
    let number = if review.label == "positive" { "1" } else { "0" };
    let nsmc = format!("id\tdocument\tlabel\n{}\t{}\t{number}\n8\tb\t1\n", review.id, review.text);
    let table = read(&[("a.txt", nsmc.as_bytes())], false)?;
    assert_eq!(table.declared_names, Some(vec!["negative".to_owned(), "positive".to_owned()]));
    assert_eq!(table.rows[0].label, review.label);
    assert_eq!(table.rows[1].label, "positive");
    let spam = "id\tdocument\tlabel\n1\t무료 쿠폰\t1\n2\t회의 자료\t0\n".as_bytes();
    let table = read(&[("a.txt", spam)], false)?;
    assert_eq!((table.declared_names, &*table.rows[0].label), (None, "1"));
    Ok(())
}

#[test]
fn columns_can_be_named() -> anyhow::Result<()> {
    let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
    std::fs::write(file.path(), "text,title,label,stars\nlong,short,x,4.0\n")?;
    let files = [file.path().to_path_buf()];
    let columns = |text: &str, label: &str| ColumnNames {
        text: Some(text.to_owned()),
        label: Some(label.to_owned()),
        ..ColumnNames::default()
    };
    let table = read_files(&files, &columns("title", "stars"), Quoting::Auto, false)?;
    assert_eq!(rows(&table), [("1", "short", "4")]);
    assert_eq!(table.label_column, "stars");
    let message = |text, label| {
        let table = read_files(&files, &columns(text, label), Quoting::Auto, true);
        table.map_or_else(|error| error.to_string(), |_| String::new())
    };
    let text = message("Text\u{1b}", "stars");
    assert!(text.contains("no column named Text�; its columns are text, title, label, stars. "));
    assert!(text.contains("--text-column-name"), "{text}");
    assert!(message("text", "star").contains("--label-column-name"));
    Ok(())
}

#[test]
fn missing_empty_and_damaged_files_are_errors() {
    let missing =
        read_files(&["no/such.tsv".into()], &ColumnNames::default(), Quoting::Auto, false);
    assert!(matches!(missing, Err(DataError::Io { .. })));
    for name in ["a.tsv", "a.csv", "a.json", "a.txt.gz", "a.jsonl.zst"] {
        assert!(error_of(name, b"").contains(name), "{name}");
    }
    assert!(error_of("a.tsv", b"").contains("no valid rows"));
    assert!(error_of("a.csv", b"text,label\n").contains("no valid rows"));
    let complete = gz(TSV);
    let cut = &complete[..complete.len() - 9];
    assert!(error_of("a.tsv.gz", cut).contains("that the file is complete"));
    let complete = zst(TSV);
    let cut = &complete[..complete.len() - 2];
    assert!(error_of("a.tsv.zst", cut).contains("that the file is complete"));
}

#[test]
fn control_characters_of_a_file_name_are_replaced() {
    let message = error_of("\u{1b}[2J.tsv", b"text\n");
    assert!(message.contains("�[2J.tsv: no column") && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn a_small_file_that_decompresses_to_one_endless_line_is_an_invalid_row() -> Result<(), DataError> {
    let endless = vec![b'x'; 20 << 20];
    for (name, comma) in [("a.tsv.gz", b"\t"), ("a.csv.gz", b",")] {
        let parts: [&[u8]; 7] = [b"text", comma, b"label\n", &endless, b"\na", comma, b"1\n"];
        let table = read(&[(name, &*gz(&parts.concat()))], true)?;
        assert_eq!((table.rows.len(), table.skipped), (1, 1), "{name}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_with_any_extension_give_rows_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        for extension in ["tsv", "csv", "json", "tsv.gz", "csv.zst", "json.gz", "parquet"] {
            let name = format!("a.{extension}");
            let strict = error_of(&name, &bytes);
            prop_assert!(!strict.contains(|c: char| c.is_control()), "{strict:?}");
            let lenient = read(&[(&*name, &*bytes)], true);
            prop_assert!(lenient.is_ok() || !strict.is_empty());
        }
    }
}

/// Both texts of each row.
fn pairs(table: &DataTable) -> Vec<(&str, Option<&str>)> {
    table.rows.iter().map(|row| (&*row.text, row.text_pair.as_deref())).collect()
}

#[test]
fn pairs_are_read_from_every_text_format() -> Result<(), DataError> {
    let expected = [("남자가 잔다", Some("사람이 잔다")), ("개가 뛴다", Some(""))];
    for (name, content) in [
        ("a.tsv", "sentence1\tsentence2\tlabel\n남자가 잔다\t사람이 잔다\tx\n개가 뛴다\t\ty\n"),
        ("a.csv", "label,hypothesis,premise\nx,사람이 잔다,남자가 잔다\ny,,개가 뛴다\n"),
        (
            "a.jsonl",
            "{\"text\":\"남자가 잔다\",\"text_pair\":\"사람이 잔다\",\"label\":\"x\"}\n\
             {\"text\":\"개가 뛴다\",\"text_pair\":\"\",\"label\":\"y\"}\n",
        ),
    ] {
        let table = read(&[(name, content.as_bytes())], false)?;
        assert_eq!(pairs(&table), expected, "{name}");
        assert!(table.has_pairs() && table.columns_note().contains("as pairs of texts, label as"));
    }
    let null = "{\"text\":\"a\",\"text_pair\":null,\"label\":\"x\"}\n";
    assert!(
        error_of("a.jsonl", null.as_bytes()).contains("a string for \"text_pair\", found null")
    );
    let both = error_of("a.tsv", b"document\tpremise\thypothesis\tlabel\na\tb\tc\tx\n");
    assert!(both.contains("a.tsv: its columns document, premise, hypothesis could all be texts"));
    assert!(both.contains("--text-pair-column-name"), "{both}");
    let pair: &[u8] = b"premise\thypothesis\tlabel\na\tb\tx\n";
    let mixed = read(&[("a.tsv", pair), ("b.tsv", TSV)], false).map(drop);
    let mixed = mixed.map_or_else(|error| error.to_string(), |()| String::new());
    assert!(mixed.contains("b.tsv: its texts are in text, but those of the file before it are in"));
    Ok(())
}

#[test]
fn a_requested_text_column_is_read_alone_and_the_note_says_so() -> anyhow::Result<()> {
    let file = tempfile::Builder::new().suffix(".tsv").tempfile()?;
    std::fs::write(file.path(), "sentence1\tsentence2\tlabel\na\tb\tx\n")?;
    let files = [file.path().to_path_buf()];
    let columns = ColumnNames { text: Some("sentence1".to_owned()), ..ColumnNames::default() };
    let table = read_files(&files, &columns, Quoting::Auto, false)?;
    assert_eq!(pairs(&table), [("a", None)]);
    assert!(table.columns_note().contains("sentence2 is not read. For pairs of texts pass"));
    let columns = ColumnNames { text_pair: Some("sentence2".to_owned()), ..columns };
    assert_eq!(pairs(&read_files(&files, &columns, Quoting::Auto, false)?), [("a", Some("b"))]);
    Ok(())
}

/// Reads unlabelled texts from a file of this name and content.
fn unlabelled(name: &str, content: &[u8], skip: bool) -> Result<DataTable, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    read_unlabelled(&file, &ColumnNames::default(), Quoting::Auto, skip)
}

#[test]
fn unlabelled_texts_are_lines_or_a_column() -> Result<(), DataError> {
    let expected = [("1", "하나", ""), ("2", "둘", "")];
    for (name, content) in [
        ("a.tsv", TSV.to_vec()),
        ("a.txt", TSV.to_vec()),
        ("a.csv", CSV.to_vec()),
        ("a.csv", "text\n하나\n둘\n".into()),
        ("a.jsonl", JSON.to_vec()),
        ("a.jsonl", "{\"text\": \"하나\"}\n{\"text\": \"둘\"}\n".into()),
        ("a.jsonl.gz", gz(JSON)),
        ("a.txt", "하나\n\n둘".into()),
        ("A.TXT.GZ", gz("\u{feff}하나\r\n둘\r\n".as_bytes())),
        ("a.txt.zst", zst("하나\n둘\n".as_bytes())),
    ] {
        let table = unlabelled(name, &content, false)?;
        assert_eq!(rows(&table), expected, "{name}");
        let by_line = !String::from_utf8_lossy(&content).contains("text") && name != "a.jsonl.gz";
        assert_eq!(table.notes.iter().any(|note| note.contains("one text per line")), by_line);
    }
    // A tab in a later line is a part of the text.
    assert_eq!(rows(&unlabelled("a.txt", b"a b\nc\td\n", false)?)[1].1, "c\td");
    Ok(())
}

#[test]
fn unreadable_unlabelled_texts_are_errors_that_name_the_file() {
    let error = |name: &str, content: &[u8]| {
        unlabelled(name, content, false).map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert!(error("a.txt", b"\n\n").contains("a.txt: no texts."));
    assert!(error("a.txt", b"good\n\xff\n").contains("a.txt:2: invalid UTF-8"));
    assert!(error("a.tsv", b"id\tlabel\n1\t0\n").contains("--text-column-name"));
    let skipped = unlabelled("a.txt", b"good\n\xff\n", true).map(|table| table.skipped);
    assert!(matches!(skipped, Ok(1)));
}

#[test]
fn the_labels_of_unlabelled_parquet_rows_are_not_read() -> Result<(), DataError> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference/data/class_order_train.parquet");
    let columns = ColumnNames::default();
    let table = read_unlabelled(&file, &columns, Quoting::Auto, false)?;
    let labelled = read_files(&[file], &columns, Quoting::Auto, false)?;
    let texts = |table: &DataTable| -> Vec<String> {
        table.rows.iter().map(|row| row.text.clone()).collect()
    };
    assert_eq!(texts(&table), texts(&labelled));
    assert!(table.rows.iter().all(|row| row.label.is_empty()));
    assert_eq!(table.declared_names, None);
    Ok(())
}
