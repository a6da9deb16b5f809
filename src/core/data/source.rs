//! Labelled texts from wherever they come from, sampled, and as the model reads them.

use super::batching::Example;
use super::labels::Classes;
use super::sampling::{SampleLimit, sample_indices};
use super::table::{Columns, Row, Table, read_files};
use super::{DataError, Sample, Split, nsmc};
use crate::core::tokenizer::{Tokenizer, TokenizerError};
use std::path::PathBuf;

/// Reads the rows of one split: of these files, or of the embedded corpus if there are none.
///
/// # Errors
/// If a file cannot be read.
pub fn read_split(
    files: &[PathBuf],
    split: Split,
    columns: &Columns,
    skip_bad_rows: bool,
) -> Result<Table, DataError> {
    if files.is_empty() { nsmc::load(split) } else { read_files(files, columns, skip_bad_rows) }
}

/// Draws the sample and numbers its labels.
///
/// # Errors
/// If a label is none of the classes.
pub fn sample(
    rows: Vec<Row>,
    classes: &Classes,
    limit: SampleLimit,
    shuffle_seed: u64,
) -> Result<Vec<Sample>, DataError> {
    let sample = sample_indices(rows.len(), limit.count(), shuffle_seed);
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    sample
        .into_iter()
        .filter_map(|index| rows[index].take())
        .map(|row| match classes.number(&row.label) {
            Some(label) => Ok(Sample { id: row.id, document: row.text, label }),
            None => Err(classes.unknown(&row)),
        })
        .collect()
}

/// Reviews as the model reads them.
///
/// # Errors
/// If a review cannot be tokenized.
pub fn tokenize(
    tokenizer: &Tokenizer,
    reviews: &[Sample],
    max_seq_length: usize,
) -> Result<Vec<Example>, TokenizerError> {
    let texts: Vec<&str> = reviews.iter().map(|r| r.document.as_str()).collect();
    let ids = tokenizer.encode_ids(&texts)?;
    Ok(ids
        .into_iter()
        .zip(reviews)
        .map(|(mut ids, review)| {
            tokenizer.truncate_ids(&mut ids, max_seq_length);
            Example { ids, label: review.label }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        let row = |n: usize| Row {
            from: None,
            id: n.to_string(),
            text: format!("text {n}"),
            label: ["negative", "1"][n % 2].to_owned(),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_sample_is_drawn_from_all_rows_and_numbered() -> Result<(), DataError> {
        let classes =
            Classes::of_model(&["negative".to_owned(), "positive".to_owned()], &Table::default());
        let reviews = sample(rows(10), &classes, SampleLimit::Count(4), 42)?;
        let ids: Vec<String> = reviews.iter().map(|review| review.id.clone()).collect();
        let drawn: Vec<String> =
            sample_indices(10, Some(4), 42).iter().map(ToString::to_string).collect();
        assert_eq!(ids, drawn);
        for review in &reviews {
            let n: u32 = review.id.parse().unwrap_or_default();
            assert_eq!((review.label, &review.document), (n % 2, &format!("text {n}")));
        }
        assert_eq!(sample(rows(3000), &classes, SampleLimit::Count(2000), 42)?.len(), 2000);
        assert_eq!(sample(rows(3000), &classes, SampleLimit::All, 42)?.len(), 3000);
        Ok(())
    }

    #[test]
    fn a_label_that_is_no_class_is_named_with_its_row() {
        let classes = Classes::of_model(&["a".to_owned(), "b".to_owned()], &Table::default());
        let message =
            sample(rows(1), &classes, SampleLimit::All, 42).err().map(|error| error.to_string());
        let expected = "the row with id 0 has the label \"negative\", but the classes are a, b. ";
        assert!(message.is_some_and(|message| message.starts_with(expected)));
    }
}
