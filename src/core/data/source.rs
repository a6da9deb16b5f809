//! Loading a split, drawing a sample of it, and tokenizing it.

use super::batching::Example;
use super::files::read_files;
use super::labels::Classes;
use super::quoting::Quoting;
use super::sampling::{SampleLimit, sample_indices};
use super::table::{ColumnNames, DataRow, DataTable};
use super::{DataError, Sample, Split, nsmc};
use crate::core::tokenizer::{EncodedPair, Tokenizer, TokenizerError};
use std::path::PathBuf;

/// Reads the rows of one split from these files, or from the embedded NSMC if there are none.
///
/// # Errors
/// If a file cannot be read.
pub fn read_split(
    files: &[PathBuf],
    split: Split,
    columns: &ColumnNames,
    quoting: Quoting,
    skip_bad_rows: bool,
) -> Result<DataTable, DataError> {
    if files.is_empty() {
        nsmc::load(split)
    } else {
        read_files(files, columns, quoting, skip_bad_rows)
    }
}

/// Draws a sample and converts its labels to class indices.
///
/// # Errors
/// If a label is not one of the classes.
pub fn sample(
    rows: Vec<DataRow>,
    classes: &Classes,
    limit: SampleLimit,
    shuffle_seed: u64,
) -> Result<Vec<Sample>, DataError> {
    let sample = sample_indices(rows.len(), limit.count(), shuffle_seed);
    let mut rows: Vec<Option<DataRow>> = rows.into_iter().map(Some).collect();
    sample
        .into_iter()
        .filter_map(|index| rows[index].take())
        .map(|row| match classes.index(&row.label) {
            Some(label) => {
                let DataRow { id, text: document, text_pair, slices, .. } = row;
                Ok(Sample { id, document, text_pair, label, slices })
            }
            None => Err(classes.unknown_label(&row)),
        })
        .collect()
}

/// Tokenizes samples, each a text or a pair of texts, truncated to `max_seq_length` tokens.
///
/// # Errors
/// If a text cannot be tokenized, or the tokenizer cannot encode pairs of this length.
pub fn tokenize(
    tokenizer: &Tokenizer,
    samples: &[Sample],
    max_seq_length: usize,
) -> Result<Vec<Example>, TokenizerError> {
    if samples.iter().any(|sample| sample.text_pair.is_some()) {
        let pairs = tokenizer.encode_pairs(&pairs(samples), max_seq_length)?;
        let examples = pairs.into_iter().zip(samples);
        return Ok(examples
            .map(|(EncodedPair { ids, type_ids, .. }, sample)| Example {
                type_ids,
                ..Example::new(ids, sample.label)
            })
            .collect());
    }
    let texts: Vec<&str> = samples.iter().map(|sample| sample.document.as_str()).collect();
    let ids = tokenizer.encode_ids(&texts)?;
    Ok(ids
        .into_iter()
        .zip(samples)
        .map(|(mut ids, sample)| {
            tokenizer.truncate_ids(&mut ids, max_seq_length);
            Example::new(ids, sample.label)
        })
        .collect())
}

/// Both texts of each sample.
pub(super) fn pairs(samples: &[Sample]) -> Vec<(&str, &str)> {
    samples
        .iter()
        .map(|sample| (sample.document.as_str(), sample.text_pair.as_deref().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<DataRow> {
        let row = |n: usize| DataRow {
            location: None,
            id: n.to_string(),
            text: format!("text {n}"),
            text_pair: None,
            label: ["negative", "1"][n % 2].to_owned(),
            slices: Box::default(),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_sample_is_drawn_from_all_rows_with_class_indices() -> Result<(), DataError> {
        let classes = Classes::of_model(
            &["negative".to_owned(), "positive".to_owned()],
            &DataTable::default(),
        );
        let samples = sample(rows(10), &classes, SampleLimit::Count(4), 42)?;
        let ids: Vec<String> = samples.iter().map(|row| row.id.clone()).collect();
        let drawn: Vec<String> =
            sample_indices(10, Some(4), 42).iter().map(ToString::to_string).collect();
        assert_eq!(ids, drawn);
        for drawn in &samples {
            let n: u32 = drawn.id.parse().unwrap_or_default();
            assert_eq!((drawn.label, &drawn.document), (n % 2, &format!("text {n}")));
        }
        assert_eq!(sample(rows(3000), &classes, SampleLimit::Count(2000), 42)?.len(), 2000);
        assert_eq!(sample(rows(3000), &classes, SampleLimit::All, 42)?.len(), 3000);
        Ok(())
    }

    #[test]
    fn both_texts_of_a_pair_are_tokenized() -> anyhow::Result<()> {
        let pair = |second: &str| Sample {
            id: "1".to_owned(),
            document: "영화".to_owned(),
            text_pair: Some(second.to_owned()),
            label: 1,
            slices: Box::default(),
        };
        let samples = [pair("최고의 영화"), pair("")];
        let tokenizer = Tokenizer::small()?;
        let examples = tokenize(&tokenizer, &samples, 160)?;
        for (example, sample) in examples.iter().zip(&samples) {
            let second = sample.text_pair.as_deref().unwrap_or_default();
            let EncodedPair { ids, type_ids, .. } = tokenizer.encode_pair(("영화", second), 160)?;
            assert_eq!(*example, Example { ids, type_ids, label: 1 });
        }
        assert!(examples[0].ids.len() > examples[1].ids.len());
        let cut = tokenize(&tokenizer, &samples, 5)?;
        assert_eq!((cut[0].ids.len(), &cut[0].type_ids[..]), (5, &[0, 0, 0, 1, 1][..]));
        let single = Sample { text_pair: None, ..pair("") };
        assert!(tokenize(&tokenizer, &[single], 160)?[0].type_ids.is_empty());
        Ok(())
    }

    #[test]
    fn an_unknown_label_is_an_error_that_names_its_row() {
        let classes = Classes::of_model(&["a".to_owned(), "b".to_owned()], &DataTable::default());
        let message =
            sample(rows(1), &classes, SampleLimit::All, 42).err().map(|error| error.to_string());
        let expected = "the row with id 0 has the label \"negative\", but the classes are a, b. ";
        assert!(message.is_some_and(|message| message.starts_with(expected)));
    }
}
