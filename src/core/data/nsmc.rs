//! The embedded Naver sentiment movie corpus v1.0 (CC0 1.0).

use super::corpus::{NAMES, TEST, TRAIN};
use super::delimited::{self, Dialect};
use super::quoting::Quoting;
use super::row_collector::collect_rows;
use super::table::{ColumnNames, DataTable};
use super::zstd::ZstdDecoder;
use super::{DataError, Split};
use std::io::BufReader;
use std::path::Path;

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
