//! Files as other programs write them, with the rows that pandas and datasets read from them.

use super::files::read_files;
use super::labels::Classes;
use super::quoting::Quoting;
use super::sampling::SampleLimit;
use super::source::sample;
use super::table::{ColumnNames, DataTable};
use super::*;
use std::path::Path;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/data").join(name)
}

fn read_with(name: &str, content: &[u8], quoting: Quoting) -> Result<DataTable, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    read_files(&[file], &ColumnNames::default(), quoting, false)
}

fn read(name: &str, content: &[u8]) -> Result<DataTable, DataError> {
    read_with(name, content, Quoting::Auto)
}

fn error_of(name: &str, content: &[u8]) -> String {
    read(name, content).map_or_else(|error| error.to_string(), |_| String::new())
}

fn rows(table: &DataTable) -> Vec<(&str, &str)> {
    table.rows.iter().map(|row| (&*row.text, &*row.label)).collect()
}

#[test]
fn class_names_in_another_order_are_matched_by_name() -> Result<(), DataError> {
    let columns = ColumnNames::default();
    let of = |name| read_files(&[reference(name)], &columns, Quoting::Auto, false);
    let (train, valid) = (of("class_order_train.parquet")?, of("class_order_valid.parquet")?);
    let classes = Classes::find(&train, Some(&valid), None)?;
    assert_eq!(classes.names(), ["부정", "중립", "긍정"]);
    let of_valid = classes.for_evaluation(&valid);
    // The texts of both files are the same for each class, which `evaluate` judges as 1.0.
    let indices = |table: DataTable, classes: &Classes| {
        let samples = sample(table.rows, classes, SampleLimit::Count(20), 42)?;
        let mut pairs: Vec<_> =
            samples.into_iter().map(|sample| (sample.document, sample.label)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        Ok::<_, DataError>(pairs)
    };
    let expected = indices(train, &classes)?;
    assert_eq!(expected.len(), 3);
    assert_eq!(indices(valid, &of_valid)?, expected);
    Ok(())
}

#[test]
fn parquet_of_lz4_and_brotli_is_read() -> Result<(), DataError> {
    for name in ["lz4.parquet", "brotli.parquet"] {
        let table = read_files(&[reference(name)], &ColumnNames::default(), Quoting::Auto, false)?;
        assert_eq!(table.rows.len(), 200, "{name}");
        assert_eq!(rows(&table)[199], ("영화 199 최고", "1"), "{name}");
    }
    Ok(())
}

#[test]
fn a_damaged_parquet_file_is_an_error() {
    let columns = ColumnNames::default();
    let error = read_files(&[reference("panic.parquet")], &columns, Quoting::Auto, false);
    let error = error.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(error.contains("panic.parquet: ") && error.contains("write"), "{error}");
}

#[test]
fn quoted_tsv_is_read_as_pandas_reads_it() -> Result<(), DataError> {
    let text = "text\tlabel\n\"그는 \"\"최고\"\"라고 했다\"\t1\n별로\t0\n\"\"\"인생\"\" 시작\"\t1\n\
                평범\t0\n끝\t0\n";
    let expected = [
        ("그는 \"최고\"라고 했다", "1"),
        ("별로", "0"),
        ("\"인생\" 시작", "1"),
        ("평범", "0"),
        ("끝", "0"),
    ];
    let table = read("a.tsv", text.as_bytes())?;
    assert_eq!(rows(&table), expected);
    assert_eq!(
        table.notes,
        ["a.tsv: read with quoted fields; --quoting none keeps quotation marks as text"]
    );
    let table =
        read("a.txt", "text\tlabel\n\"첫 줄\n둘째 줄\"\t1\n별로\t0\n\"a\tb\"\t1\n".as_bytes())?;
    assert_eq!(rows(&table), [("첫 줄\n둘째 줄", "1"), ("별로", "0"), ("a\tb", "1")]);
    let all = "\"text\"\t\"label\"\n\"정말, 좋다\"\t\"긍정\"\n\"그는 \"\"음\"\" 했다\"\t\"부정\"\n";
    let expected = [("정말, 좋다", "긍정"), ("그는 \"음\" 했다", "부정")];
    assert_eq!(rows(&read("a.tsv", all.as_bytes())?), expected);
    let labels = "text\tlabel\n정말\t\"긍정\"\n별로\t\"부정\"\n";
    assert_eq!(rows(&read("a.tsv", labels.as_bytes())?), [("정말", "긍정"), ("별로", "부정")]);
    Ok(())
}

#[test]
fn quoting_can_be_chosen() -> Result<(), DataError> {
    let text = "text\tlabel\n\"a \"\"b\"\"\"\t1\nc\t0\n".as_bytes();
    let raw = read_with("a.tsv", text, Quoting::None)?;
    assert_eq!(rows(&raw)[0], ("\"a \"\"b\"\"\"", "1"));
    assert!(raw.notes[0].contains("read without quoting"), "{:?}", raw.notes);
    let lone = "text\tlabel\n\"a\" b\t1\nc\t0\n".as_bytes();
    assert_eq!(rows(&read("a.tsv", lone)?)[0], ("\"a\" b", "1"));
    let error = read_with("a.tsv", lone, Quoting::All).map(|_| ()).map_err(|e| e.to_string());
    let error = error.err().unwrap_or_default();
    assert!(error.contains("a.tsv:2: text follows the quotation mark"), "{error}");
    assert!(error.contains("--quoting none"), "{error}");
    let csv = read_with("a.csv", b"text,label\n\"a\",1\nb,0\n", Quoting::None)?;
    assert_eq!(rows(&csv)[0], ("\"a\"", "1"));
    let r = "\"text\"\t\"label\"\n\"a \\\"b\\\" c\"\t\"x\"\n\"d\"\t\"y\"\n";
    assert!(error_of("a.tsv", r.as_bytes()).contains("qmethod = \"double\""));
    // A note only where there are quotation marks.
    assert!(read("a.tsv", b"text\tlabel\na\t1\n")?.notes.is_empty());
    assert!(read("a.csv", b"text,label\n\"a\",1\n")?.notes.is_empty());
    Ok(())
}

#[test]
fn labels_of_one_value_are_one_label_in_every_format() -> Result<(), DataError> {
    for (name, content, labels) in [
        ("a.csv", "text,label\na,-0\nb,+1\nc,01\nd,1.0\n", ["0", "1", "1", "1"]),
        (
            "a.tsv",
            "text\tlabel\na\tTrue\nb\ttrue\nc\tFALSE\nd\tFalse\n",
            ["True", "True", "False", "False"],
        ),
        (
            "a.jsonl",
            "{\"text\":\"a\",\"label\":0}\n{\"text\":\"b\",\"label\":1.0}\n{\"text\":\"c\",\"label\":\
             \"01\"}\n{\"text\":\"d\",\"label\":-0}\n",
            ["0", "1", "1", "0"],
        ),
        (
            "b.jsonl",
            "{\"text\":\"a\",\"label\":true}\n{\"text\":\"b\",\"label\":\"true\"}\n{\"text\":\"c\",\
             \"label\":false}\n{\"text\":\"d\",\"label\":\"False\"}\n",
            ["True", "True", "False", "False"],
        ),
        ("b.csv", "text,label\na,별로\nb,01\nc,1\nd,1.0\n", ["별로", "01", "1", "1.0"]),
    ] {
        let table = read(name, content.as_bytes())?;
        let found: Vec<&str> = table.rows.iter().map(|row| &*row.label).collect();
        assert_eq!(found, labels, "{name}");
    }
    // Only CSV has texts for missing values; JSON has null.
    assert!(
        error_of("a.csv", b"text,label\na,0\nb,None\n").contains("a.csv:3: the label is missing")
    );
    let json = read(
        "a.jsonl",
        b"{\"text\":\"a\",\"label\":\"None\"}\n{\"text\":\"b\",\"label\":\"x\"}\n",
    )?;
    assert_eq!(rows(&json)[0], ("a", "None"));
    Ok(())
}

#[test]
fn other_encodings_and_formats_are_named_with_a_remedy() {
    let utf16: Vec<u8> =
        "\u{feff}text\tlabel\n좋다\t1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(error_of("a.txt", &utf16).contains("UTF-16 (little-endian), but UTF-8"));
    assert!(error_of("a.csv", &utf16[2..]).contains("iconv -f utf-16le -t utf-8 FILE"));
    // The header 리뷰, 라벨 in CP949.
    let cp949 = b"\xb8\xae\xba\xe4\t\xb6\xf3\xba\xa7\n\xc1\xc1\xb4\xd9\t1\n";
    let message = error_of("a.tsv", cp949);
    assert!(message.contains("its header is not UTF-8 (a CP949 file"), "{message}");
    assert!(message.contains("iconv -f cp949") && !message.contains("first line"), "{message}");
    assert!(error_of("a.tsv", b"text\tlabel\ra\t1\r").contains("tr '\\r' '\\n'"));
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\0";
    assert!(error_of("a.tsv", gzip).contains("its content is gzip. Rename the file to a.tsv.gz"));
    assert!(
        error_of("a.csv.zst", gzip).contains("its content is gzip. Rename the file to a.csv.gz")
    );
    assert!(error_of("a.parquet", gzip).contains("its content is gzip"));
    assert!(error_of("a.bin", gzip).contains("its content is gzip"));
    assert!(error_of("a.tsv.gz", b"text\tlabel\na\t1\n").contains("not gzip"));
    assert!(error_of("a.csv", b"PAR1....").contains("ends in .parquet"));
    assert!(error_of("a.csv", b"PK\x03\x04....").contains(".xlsx"));
    // A long line is cut, perhaps within a character, but is not called invalid UTF-8.
    let long = format!("text\tlabel\n{}\t1\n", "가".repeat(500_000));
    let message = error_of("a.tsv", long.as_bytes());
    assert!(message.contains("a.tsv:2: the row is longer than 1 MiB"), "{message}");
    let folder = tempfile::tempdir().expect("a folder");
    let read = |path: &Path| {
        let read = read_files(&[path.to_path_buf()], &ColumnNames::default(), Quoting::Auto, false);
        read.map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert!(read(folder.path()).contains("a folder. Pass a file in it"));
    let endless = folder.path().join("a.tsv");
    std::os::unix::fs::symlink("/dev/zero", &endless).expect("a link");
    assert!(read(&endless).contains("a pipe or device"));
}
