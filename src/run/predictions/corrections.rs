//! Labels that the user has corrected, in a file of the run's folder that `train --train-file` reads.

use super::tsv::{field, quoted};
use super::{Predictions, Review};
use crate::core::atomic_write::write_atomically;
use crate::core::data::files::read_files;
use crate::core::data::quoting::Quoting;
use crate::core::data::table::{ColumnNames, DataRow};
use crate::core::text::sanitize_for_terminal;
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;

/// The file in the folder of a run.
pub const FILE: &str = "corrections.tsv";

/// The most bytes of the file that are read.
const MAX_BYTES: u64 = 64 << 20;

/// The class of each corrected review, by the review's index.
pub type Corrections = BTreeMap<u32, u32>;

/// What the user changed: the class that a review has been given, or `None` where a correction was taken
/// back, by the review's index.
pub type Changes = BTreeMap<u32, Option<u32>>;

/// Writes changes of the corrections of a run into the file in its folder, and returns all corrections
/// that it then has: other programs that show the run may have added some. Its columns are `id`,
/// `document` and `label`, or for pairs `id`, `text`, `text_pair` and `label`, with the names of the
/// classes, `labels`. Rows of the file whose texts or classes the run does not have remain. An empty file
/// is removed.
///
/// # Errors
/// If the existing file cannot be read, or the file cannot be written or removed; the error is safe to
/// show.
pub fn write(
    run: &Path,
    predictions: &Predictions,
    labels: &[String],
    changes: &Changes,
) -> Result<Corrections, String> {
    let known = Known::new(predictions, labels);
    let existing = rows(run, known.has_pairs)?;
    let mut corrections: Corrections =
        existing.iter().filter_map(|row| Some((known.review(row)?, known.class(row)?))).collect();
    apply(&mut corrections, changes);
    let of_others = existing.iter().filter(|row| match known.review(row) {
        None => true,
        Some(index) => known.class(row).is_none() && !changes.contains_key(&index),
    });
    let mut lines: Vec<[&str; 4]> = of_others
        .map(|row| {
            [&row.id, &row.text, row.text_pair.as_deref().unwrap_or_default(), &row.label]
                .map(|text: &str| text)
        })
        .collect();
    for (index, class) in &corrections {
        let review = predictions.reviews.get(*index as usize);
        if let (Some(review), Some(label)) = (review, labels.get(*class as usize)) {
            let second = review.text_pair.as_deref().unwrap_or_default();
            lines.push([&review.id, &review.text, second, label]);
        }
    }
    let file = run.join(FILE);
    let written = if lines.is_empty() {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    } else {
        write_atomically(&file, table(&lines, known.has_pairs).as_bytes())
    };
    written.map_err(|error| format!("{FILE}: {error}"))?;
    Ok(corrections)
}

/// Applies changes to corrections.
pub fn apply(corrections: &mut Corrections, changes: &Changes) {
    for (index, class) in changes {
        match class {
            Some(class) => corrections.insert(*index, *class),
            None => corrections.remove(index),
        };
    }
}

/// The text of the file. All fields are quoted if any has to be, so that a reader sees at once how the
/// file is quoted.
fn table(lines: &[[&str; 4]], has_pairs: bool) -> String {
    let is_quoted = lines.iter().flatten().any(|text| *field(text) != **text);
    let shown = |text: &str| if is_quoted { quoted(text) } else { text.to_owned() };
    let head = if has_pairs { "id\ttext\ttext_pair\tlabel\n" } else { "id\tdocument\tlabel\n" };
    let mut table = head.to_owned();
    for [id, text, second, label] in lines {
        let texts = if has_pairs { vec![id, text, second, label] } else { vec![id, text, label] };
        let fields: Vec<String> = texts.into_iter().map(|text| shown(text)).collect();
        table += &(fields.join("\t") + "\n");
    }
    table
}

/// Reads the corrections in the folder of a run; `labels` are the names of its classes. Rows of texts
/// or classes that the run does not have are left out.
///
/// # Errors
/// If there is a file that cannot be read; the error is safe to show.
pub fn read(
    run: &Path,
    predictions: &Predictions,
    labels: &[String],
) -> Result<Corrections, String> {
    let known = Known::new(predictions, labels);
    let rows = rows(run, known.has_pairs)?;
    Ok(rows.iter().filter_map(|row| Some((known.review(row)?, known.class(row)?))).collect())
}

/// A text by which a row is recognized: its id and its texts.
type Key<'a> = (&'a str, &'a str, Option<&'a str>);

/// The reviews and classes of a run.
struct Known<'a> {
    has_pairs: bool,
    reviews: HashMap<Key<'a>, u32>,
    classes: HashMap<&'a str, u32>,
}

impl<'a> Known<'a> {
    fn new(predictions: &'a Predictions, labels: &'a [String]) -> Self {
        let key = |review: &'a Review| {
            (review.id.as_str(), review.text.as_str(), review.text_pair.as_deref())
        };
        let reviews = &predictions.reviews;
        Self {
            has_pairs: reviews.iter().any(|review| review.text_pair.is_some()),
            reviews: reviews.iter().zip(0..).map(|(review, index)| (key(review), index)).collect(),
            classes: labels.iter().map(String::as_str).zip(0..).collect(),
        }
    }

    fn review(&self, row: &DataRow) -> Option<u32> {
        let key = (row.id.as_str(), row.text.as_str(), row.text_pair.as_deref());
        self.reviews.get(&key).copied()
    }

    fn class(&self, row: &DataRow) -> Option<u32> {
        self.classes.get(row.label.as_str()).copied()
    }
}

/// The rows of the file; none if there is no file.
fn rows(run: &Path, has_pairs: bool) -> Result<Vec<DataRow>, String> {
    let file = run.join(FILE);
    match std::fs::metadata(&file) {
        Ok(metadata) if metadata.len() <= MAX_BYTES => {}
        Ok(_) => return Err(format!("{FILE} is longer than {} MiB", MAX_BYTES >> 20)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{FILE}: {error}")),
    }
    let named = |name: &str| Some(name.to_owned());
    let columns = ColumnNames {
        text: named(if has_pairs { "text" } else { "document" }),
        text_pair: named("text_pair").filter(|_| has_pairs),
        label: named("label"),
        unlabelled: false,
        slices: None,
        keeps_all: false,
    };
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{FILE}: {error}"))?;
    let is_quoted = text.lines().nth(1).is_some_and(|line| line.starts_with('"'));
    let quoting = if is_quoted { Quoting::All } else { Quoting::None };
    read_files(&[file], &columns, quoting, false)
        .map(|table| table.rows)
        .map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())
}

#[cfg(test)]
#[path = "corrections_tests.rs"]
mod tests;
