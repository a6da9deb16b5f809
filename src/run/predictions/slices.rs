//! Accuracy by properties of the texts.

use super::{KeptEvaluation, Review, ReviewSlices};
use crate::core::data::slice_columns::{SliceColumn, SliceValues};
use crate::core::statistics::wilson_interval;

/// A range of lengths in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthBand {
    /// The least length.
    pub from: usize,
    /// The greatest length; `None` without a limit.
    pub to: Option<usize>,
}

impl LengthBand {
    /// The bands, from short to long.
    pub const ALL: [Self; 5] = [
        Self { from: 0, to: Some(9) },
        Self { from: 10, to: Some(19) },
        Self { from: 20, to: Some(39) },
        Self { from: 40, to: Some(79) },
        Self { from: 80, to: None },
    ];

    /// Whether a review has such a length.
    pub fn contains(self, review: &Review) -> bool {
        let characters = review.characters();
        characters >= self.from && self.to.is_none_or(|to| characters <= to)
    }
}

/// The property of the texts of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceKind {
    /// All texts.
    All,
    /// The texts with this label.
    Label(u32),
    /// The texts of a range of lengths.
    Length(LengthBand),
    /// The texts with unknown tokens, or those without.
    Unknown(bool),
    /// The texts with emoji, or those without.
    Emoji(bool),
    /// The texts with a value of a slice column.
    Value {
        /// The index of the column.
        column: usize,
        /// The index of the value.
        value: usize,
    },
}

/// The accuracy on some of the texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// Which texts.
    pub kind: SliceKind,
    /// The number of texts that are classified correctly.
    pub right: u64,
    /// The number of texts.
    pub total: u64,
}

impl Slice {
    /// The accuracy, from 0 to 1; NaN without texts.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.total as f64
    }

    /// The 95 % interval of the accuracy (Wilson); `None` without texts.
    pub fn interval(&self) -> Option<[f64; 2]> {
        wilson_interval(self.right, self.total)
    }
}

/// The accuracy by the values of slice columns, given the values of each text and whether it is
/// classified correctly. The values of a column are in ascending order; those without texts are left
/// out.
pub fn value_slices<'a>(
    columns: &[SliceColumn],
    texts: impl Iterator<Item = (&'a SliceValues, bool)>,
) -> Vec<Slice> {
    let mut counts: Vec<Vec<[u64; 2]>> =
        columns.iter().map(|column| vec![[0, 0]; column.values.len()]).collect();
    for (values, is_right) in texts {
        for (counts, value) in counts.iter_mut().zip(values) {
            if let Some([right, total]) = value.and_then(|value| counts.get_mut(usize::from(value)))
            {
                *total += 1;
                *right += u64::from(is_right);
            }
        }
    }
    let mut slices = Vec::new();
    for (index, (column, counts)) in columns.iter().zip(counts).enumerate() {
        let mut order: Vec<usize> =
            (0..counts.len()).filter(|&value| counts[value][1] > 0).collect();
        order.sort_by(|&one, &other| ascending(&column.values[one], &column.values[other]));
        slices.extend(order.into_iter().map(|value| {
            let [right, total] = counts[value];
            Slice { kind: SliceKind::Value { column: index, value }, right, total }
        }));
    }
    slices
}

/// Numbers by size, then texts.
fn ascending(one: &str, other: &str) -> std::cmp::Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        (one_number, other_number) => {
            other_number.is_ok().cmp(&one_number.is_ok()).then_with(|| one.cmp(other))
        }
    }
}

/// The slices of an evaluation: of all texts, by label, by length, by unknown tokens, by emoji and by
/// the values of slice columns. Slices without texts are left out.
pub fn slices(
    reviews: &[Review],
    columns: &ReviewSlices,
    evaluation: &KeptEvaluation,
) -> Vec<Slice> {
    let classes = evaluation.outcomes.classes() as u32;
    let kinds = std::iter::once(SliceKind::All)
        .chain((0..classes).map(SliceKind::Label))
        .chain(LengthBand::ALL.map(SliceKind::Length))
        .chain([false, true].map(SliceKind::Unknown))
        .chain([false, true].map(SliceKind::Emoji));
    let mut slices: Vec<Slice> = kinds.map(|kind| Slice { kind, right: 0, total: 0 }).collect();
    for (review, predicted) in reviews.iter().zip(evaluation.outcomes.predicted()) {
        let has_emoji = has_emoji(review);
        for slice in &mut slices {
            let is_inside = match slice.kind {
                SliceKind::All => true,
                SliceKind::Label(label) => review.label == label,
                SliceKind::Length(band) => band.contains(review),
                SliceKind::Unknown(unknown) => (review.unknown > 0) == unknown,
                SliceKind::Emoji(emoji) => has_emoji == emoji,
                SliceKind::Value { .. } => false,
            };
            slice.total += u64::from(is_inside);
            slice.right += u64::from(is_inside && u32::from(*predicted) == review.label);
        }
    }
    slices.retain(|slice| slice.total > 0);
    let is_right = reviews
        .iter()
        .zip(evaluation.outcomes.predicted())
        .map(|(review, predicted)| u32::from(*predicted) == review.label);
    slices.extend(value_slices(&columns.columns, columns.rows.iter().zip(is_right)));
    slices
}

/// Whether a review has a pictograph. Hearts, stars and notes of older fonts count, letters do not.
fn has_emoji(review: &Review) -> bool {
    let texts = [Some(review.text.as_str()), review.text_pair.as_deref()];
    texts.into_iter().flatten().flat_map(str::chars).any(|character| {
        matches!(character, '\u{2600}'..='\u{27bf}' | '\u{2b50}' | '\u{2b55}' | '\u{1f000}'..='\u{1faff}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::Outcomes;

    #[test]
    fn slices_count_their_texts() {
        let review = |text: &str, label, unknown| Review {
            id: String::new(),
            text: text.to_owned(),
            text_pair: None,
            label,
            tokens: 4,
            unknown,
        };
        let reviews = [
            review("최고", 1, 0),
            review("정말 재미있는 영화였다 ♥", 1, 1),
            review("시간이 아깝다 😡", 0, 1),
        ];
        let outcomes = Outcomes::from_parts(2, vec![1, 0, 0], vec![0.1; 3], vec![0; 6]);
        let evaluation =
            KeptEvaluation { step: 1, epoch: 1.0, outcomes: outcomes.unwrap_or_default() };
        let year = |values: &[&str]| SliceColumn {
            name: "year".to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let columns = ReviewSlices {
            columns: vec![year(&["2016", "2014", "unknown", "999", "unused"])],
            rows: [Some(0), Some(1), Some(0)].map(|value| [value].into()).to_vec(),
        };
        let found = slices(&reviews, &columns, &evaluation);
        let of_year = |slice: &&Slice| matches!(slice.kind, SliceKind::Value { .. });
        let years: Vec<_> = found.iter().filter(of_year).copied().collect();
        let slice = |value, right, total| {
            let kind = SliceKind::Value { column: 0, value };
            Slice { kind, right, total }
        };
        assert_eq!(years, [slice(1, 0, 1), slice(0, 2, 2)]);
        let rows: [SliceValues; 4] = [0, 1, 2, 3].map(|value| [Some(value)].into());
        let found_values = value_slices(&columns.columns, rows.iter().map(|row| (row, true)));
        let values = found_values.iter().map(|slice| match slice.kind {
            SliceKind::Value { value, .. } => columns.columns[0].values[value].as_str(),
            _ => "",
        });
        assert_eq!(values.collect::<Vec<_>>(), ["999", "2014", "2016", "unknown"]);
        let counts = |kind| {
            let slice = found.iter().find(|slice| slice.kind == kind);
            slice.map_or((0, 0), |slice| (slice.right, slice.total))
        };
        assert_eq!(counts(SliceKind::All), (2, 3));
        assert_eq!((counts(SliceKind::Label(1)), counts(SliceKind::Label(0))), ((1, 2), (1, 1)));
        assert_eq!(counts(SliceKind::Length(LengthBand::ALL[0])), (2, 2));
        assert_eq!(counts(SliceKind::Length(LengthBand::ALL[1])), (0, 1));
        assert_eq!(counts(SliceKind::Unknown(true)), (1, 2));
        assert_eq!(counts(SliceKind::Emoji(true)), (1, 2));
        assert!(found.iter().all(|slice| slice.total > 0 && slice.interval().is_some()));
    }
}
