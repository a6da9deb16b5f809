//! Damaged files of every format give rows or an error: no panic, and no more rows than the bytes
//! can hold. The mutations have a fixed seed; a slow machine does fewer of them.

use super::files::read_files;
use super::quoting::Quoting;
use super::sampling::Generator;
use super::table::{ColumnNames, DataTable};
use super::*;
use crate::core::caught_panic::catch_panic;
use std::path::Path;
use std::time::{Duration, Instant};

/// The time that the mutations of one format take at most.
const TIME: Duration = Duration::from_millis(2500);

/// None has the columns of NSMC, in which reviews would be looked up: that takes most of the time.
const TEXTS: [&str; 6] = [
    "id\tdocument\tlabels\n1\t좋다\t1\n2\t\"그는 \"\"최고\"\"라고\"\t0\n3\t\t1\n",
    "text\tlabel\n\"첫 줄\n둘째 줄\"\tTrue\n별로\tfalse\n\"a\tb\"\tTrue\n",
    "text,label\n\"a, b\",1.0\nc,NaN\n\"d \"\"e\"\"\",-0\n",
    "{\"text\":\"a\\ud83d\\ude00\",\"label\":1}\n{\"label\":true,\"text\":\"b\",\"x\":[[1]]}\n",
    "[{\"text\":\"a\",\"label\":1}]\n",
    "\u{feff}label,text\r\n부정,가\r\n긍정,나\r\n",
];

/// Bytes that matter to one of the readers.
const SPECIAL: &[u8] = b"\"\t\n\r,\\{}[]:0-+.eN\0\xff\xfe\x80\x1f\x7f";

fn below(generator: &mut Generator, limit: usize) -> usize {
    let mut order: Vec<usize> = (0..limit.clamp(1, 64)).collect();
    generator.shuffle(&mut order);
    let high = order[0];
    generator.shuffle(&mut order);
    (high * 64 + order[0]) % limit.max(1)
}

/// Changes, inserts, deletes, repeats or cuts a few bytes.
fn mutate(bytes: &mut Vec<u8>, generator: &mut Generator) {
    for _ in 0..=below(generator, 4) {
        let at = below(generator, bytes.len() + 1).min(bytes.len());
        let special = SPECIAL[below(generator, SPECIAL.len())];
        match below(generator, 6) {
            0 => bytes.insert(at, special),
            1 if at < bytes.len() => bytes[at] = special,
            2 if at < bytes.len() => bytes[at] ^= 1 << below(generator, 8),
            3 if at < bytes.len() => {
                let end = (at + 1 + below(generator, 16)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + below(generator, 40)).min(bytes.len());
                let repeated = bytes[at..end].to_vec();
                let to = below(generator, bytes.len() + 1).min(bytes.len());
                bytes.splice(to..to, repeated);
            }
            _ if below(generator, 8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

/// Reads the file. Fails on a panic, if there are more rows than the bytes can hold, or if a message
/// or a label has control characters.
fn check(file: &Path, bytes: &[u8], quoting: Quoting) {
    // Parquet packs equal values; a row of text takes at least its line end.
    let is_parquet = file.extension().is_some_and(|extension| extension == "parquet");
    let most_rows = bytes.len() * if is_parquet { 64 } else { 1 };
    std::fs::write(file, bytes).expect("a file");
    for skip in [false, true] {
        let read = || read_files(&[file.to_path_buf()], &ColumnNames::default(), quoting, skip);
        let outcome: Result<DataTable, DataError> = match catch_panic(read) {
            Ok(outcome) => outcome,
            Err(panic) => panic!("{panic} for {:?}", bytes.escape_ascii().to_string()),
        };
        let messages = match &outcome {
            Ok(table) => {
                assert!(table.rows.len() + table.skipped <= most_rows);
                table.notes.iter().chain(table.rows.iter().map(|row| &row.label)).cloned().collect()
            }
            Err(error) => vec![error.to_string()],
        };
        let has_control = messages.iter().any(|text| text.chars().any(char::is_control));
        assert!(!has_control, "{messages:?}");
    }
}

fn fuzz(names: &[&str], corpus: &[Vec<u8>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let mut generator = Generator::new(20);
    let choices = [Quoting::Auto, Quoting::None, Quoting::All];
    for round in 0..20_000 {
        let mut bytes = corpus[round % corpus.len()].clone();
        mutate(&mut bytes, &mut generator);
        let file = folder.path().join(names[round % names.len()]);
        check(&file, &bytes, choices[below(&mut generator, 3)]);
        if began.elapsed() > TIME {
            break;
        }
    }
}

fn texts() -> Vec<Vec<u8>> {
    TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn damaged_delimited_text_gives_rows_or_an_error() {
    fuzz(&["a.tsv", "a.csv", "a.txt", "b.tsv"], &texts());
}

#[test]
fn damaged_json_lines_give_rows_or_an_error() {
    fuzz(&["a.jsonl"], &texts()[3..5]);
}

#[test]
fn damaged_parquet_gives_rows_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/data");
    let names = ["class_order_valid", "lz4", "brotli", "panic"];
    let read = |name| std::fs::read(folder.join(format!("{name}.parquet"))).expect("a file");
    fuzz(&["a.parquet"], &names.map(read));
}
