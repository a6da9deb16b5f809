//! The embedded Naver sentiment movie corpus v1.0 (CC0 1.0).
//!
//! The two files are the published ones, unchanged, compressed with `zstd --ultra -22`. A file is
//! decompressed when its split is loaded.

use super::delimited::{self, Dialect};
use super::quoting::Quoting;
use super::row_collector::collect_rows;
use super::table::{ColumnNames, DataTable};
use super::zstd::ZstdDecoder;
use super::{DataError, Split};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The names of the labels 0 and 1.
pub(super) const NAMES: [&str; 2] = ["negative", "positive"];

/// The first line of both files.
pub(super) const HEADER: &[u8] = b"id\tdocument\tlabel";

const TRAIN: &[u8] = include_bytes!("../../../assets/nsmc/ratings_train.txt.zst");
const TEST: &[u8] = include_bytes!("../../../assets/nsmc/ratings_test.txt.zst");

/// Reads one split of the embedded corpus.
///
/// # Errors
/// Only if the program file is damaged.
pub fn load(split: Split) -> Result<DataTable, DataError> {
    let (name, compressed) = match split {
        Split::Train => ("ratings_train.txt", TRAIN),
        Split::Test => ("ratings_test.txt", TEST),
    };
    let name = Path::new("embedded NSMC").join(name);
    let lines = BufReader::new(ZstdDecoder::new(compressed));
    let table = collect_rows(&name, &ColumnNames::default(), false, |collector| {
        collector.declare_names(NAMES.map(str::to_owned).to_vec());
        delimited::read(lines, Dialect::Tsv, Quoting::None, collector)
    })?;
    // How the quotation marks of the published files are read is no news.
    Ok(DataTable { notes: Vec::new(), ..table })
}

/// How many of these lines, without their line ends, are lines of the corpus.
pub(super) fn count_lines(lines: &[&[u8]]) -> usize {
    let mut wanted: HashSet<&[u8]> = lines.iter().copied().collect();
    let total = wanted.len();
    for compressed in [TRAIN, TEST] {
        let mut source = BufReader::with_capacity(1 << 16, ZstdDecoder::new(compressed));
        let mut line = Vec::new();
        // The embedded files can be decompressed; `load` reports an error otherwise.
        while !wanted.is_empty() && source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            wanted.remove(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
    }
    total - wanted.len()
}

/// Whether the corpus contains this review. A file that begins with one is a part of NSMC.
pub(super) fn contains(id: &str, document: &str, label: &str) -> bool {
    count_lines(&[format!("{id}\t{document}\t{label}").as_bytes()]) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::sampling::sample_indices;
    use crate::core::data::table::DataRow;

    #[test]
    fn the_splits_are_complete() -> Result<(), DataError> {
        // Counts from the corpus's own README and a count of the published files.
        let (train, test) = (load(Split::Train)?, load(Split::Test)?);
        let names = Some(NAMES.map(str::to_owned).to_vec());
        assert_eq!((&train.declared_names, &test.declared_names), (&names, &names));
        assert!(train.notes.is_empty() && test.notes.is_empty());
        let (train, test) = (train.rows, test.rows);
        assert_eq!((train.len(), test.len()), (150_000, 50_000));
        let positives =
            |rows: &[DataRow]| rows.iter().filter(|row| row.label == "positive").count();
        assert_eq!((positives(&train), positives(&test)), (74_827, 25_173));
        let empty = |rows: &[DataRow]| rows.iter().filter(|row| row.text.is_empty()).count();
        assert_eq!((empty(&train), empty(&test)), (5, 3));
        Ok(())
    }

    #[test]
    fn reviews_are_found_in_both_files() -> Result<(), DataError> {
        for split in [Split::Train, Split::Test] {
            let rows = load(split)?.rows;
            let last = &rows[rows.len() - 1];
            let label = if last.label == "positive" { "1" } else { "0" };
            assert!(contains(&last.id, &last.text, label));
            assert!(!contains(&last.id, &last.text, if label == "1" { "0" } else { "1" }));
        }
        assert!(!contains("1", "무료 쿠폰 당첨", "1"));
        Ok(())
    }

    #[test]
    fn the_sample_equals_that_of_the_tutorial() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/reference/sample_2000.json"))?;
        for (key, split) in [("train", Split::Train), ("test", Split::Test)] {
            let expected: Vec<String> = serde_json::from_value(reference[key]["ids"].clone())?;
            assert_eq!(expected.len(), 2000);
            let rows = load(split)?.rows;
            let ours: Vec<&str> = sample_indices(rows.len(), Some(2000), 42)
                .into_iter()
                .map(|i| rows[i].id.as_str())
                .collect();
            assert_eq!(ours, expected, "{key}");
        }
        Ok(())
    }
}
