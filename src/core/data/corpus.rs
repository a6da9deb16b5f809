//! The files of the embedded corpus, and looking reviews up in them.
//!
//! The two files are the published ones, unchanged, compressed with `zstd --ultra -22`. A file is
//! decompressed when it is read.

use super::zstd::ZstdDecoder;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};

/// The names of the labels 0 and 1.
pub(super) const NAMES: [&str; 2] = ["negative", "positive"];

/// The first line of both files.
pub(super) const HEADER: &[u8] = b"id\tdocument\tlabel";

/// The compressed training split.
pub(super) const TRAIN: &[u8] = include_bytes!("../../../assets/nsmc/ratings_train.txt.zst");

/// The compressed test split.
pub(super) const TEST: &[u8] = include_bytes!("../../../assets/nsmc/ratings_test.txt.zst");

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
    use crate::core::data::{DataError, Split, nsmc::load};

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
}
