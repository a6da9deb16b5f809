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

/// A range of probabilities of the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfidenceBand {
    /// The least probability in percent.
    pub from: u32,
    /// The limit in percent, which is not part of the range unless it is 100.
    pub to: u32,
}

impl ConfidenceBand {
    /// The bands, from unsure to sure.
    pub const ALL: [Self; 6] = [
        Self { from: 0, to: 60 },
        Self { from: 60, to: 70 },
        Self { from: 70, to: 80 },
        Self { from: 80, to: 90 },
        Self { from: 90, to: 99 },
        Self { from: 99, to: 100 },
    ];
}

/// The property of the texts of a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SliceKind {
    /// All texts.
    All,
    /// The texts with this label.
    Label(u32),
    /// The texts with this answer.
    Answer(u32),
    /// The texts of a range of lengths.
    Length(LengthBand),
    /// The texts whose answer has such a probability.
    Confidence(ConfidenceBand),
    /// The texts with unknown tokens, or those without.
    Unknown(bool),
    /// The texts with emoji, or those without.
    Emoji(bool),
    /// The texts with exclamation or question marks, or those without.
    Marks(bool),
    /// The texts with digits, or those without.
    Digits(bool),
    /// The texts with Latin letters, or those without.
    Latin(bool),
    /// The texts with this label, of a range of lengths.
    LabelLength(u32, LengthBand),
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

/// The most classes that are divided by length.
const MAX_DIVIDED: u32 = 4;

/// The slices of an evaluation: of all texts, by label, by answer, by length, by confidence, by what the
/// texts contain, by the values of slice columns, and by label and length. Slices without texts are left
/// out.
pub fn slices(
    reviews: &[Review],
    columns: &ReviewSlices,
    evaluation: &KeptEvaluation,
) -> Vec<Slice> {
    let outcomes = &evaluation.outcomes;
    let classes = outcomes.classes() as u32;
    let both = [false, true];
    let kinds: Vec<SliceKind> = std::iter::once(SliceKind::All)
        .chain((0..classes).map(SliceKind::Label))
        .chain((0..classes).map(SliceKind::Answer))
        .chain(LengthBand::ALL.map(SliceKind::Length))
        .chain(ConfidenceBand::ALL.map(SliceKind::Confidence))
        .chain(both.map(SliceKind::Unknown))
        .chain(both.map(SliceKind::Emoji))
        .chain(both.map(SliceKind::Marks))
        .chain(both.map(SliceKind::Digits))
        .chain(both.map(SliceKind::Latin))
        .collect();
    let divided = (0..classes).filter(|_| classes <= MAX_DIVIDED);
    let divided =
        divided.flat_map(|label| LengthBand::ALL.map(|band| SliceKind::LabelLength(label, band)));
    let mut slices: Vec<Slice> =
        kinds.into_iter().map(|kind| Slice { kind, right: 0, total: 0 }).collect();
    let mut divided: Vec<Slice> = divided.map(|kind| Slice { kind, right: 0, total: 0 }).collect();
    for (index, (review, predicted)) in reviews.iter().zip(outcomes.predicted()).enumerate() {
        let answer = u32::from(*predicted);
        let confidence = outcomes.probability(index, usize::from(*predicted));
        let text = Properties::of(review, answer, confidence);
        let is_right = answer == review.label;
        for slice in slices.iter_mut().chain(&mut divided) {
            let is_inside = text.has(slice.kind);
            slice.total += u64::from(is_inside);
            slice.right += u64::from(is_inside && is_right);
        }
    }
    let is_right = reviews
        .iter()
        .zip(outcomes.predicted())
        .map(|(review, predicted)| u32::from(*predicted) == review.label);
    slices.extend(value_slices(&columns.columns, columns.rows.iter().zip(is_right)));
    slices.extend(divided);
    slices.retain(|slice| slice.total > 0);
    slices
}

/// What decides about the slices of a text.
struct Properties {
    label: u32,
    answer: u32,
    characters: usize,
    percent: f64,
    unknown: bool,
    emoji: bool,
    marks: bool,
    digits: bool,
    latin: bool,
}

impl Properties {
    fn of(review: &Review, answer: u32, confidence: f64) -> Self {
        let mut found = Self {
            label: review.label,
            answer,
            characters: review.characters(),
            percent: 100.0 * confidence,
            unknown: review.unknown > 0,
            emoji: false,
            marks: false,
            digits: false,
            latin: false,
        };
        let texts = [Some(review.text.as_str()), review.text_pair.as_deref()];
        for character in texts.into_iter().flatten().flat_map(str::chars) {
            found.emoji |= is_emoji(character);
            found.marks |= matches!(character, '!' | '?' | '\u{ff01}' | '\u{ff1f}');
            found.digits |= character.is_ascii_digit();
            found.latin |= character.is_ascii_alphabetic();
        }
        found
    }

    /// Whether the text is in a slice, other than those by value.
    fn has(&self, kind: SliceKind) -> bool {
        let is_within = |band: LengthBand| {
            self.characters >= band.from && band.to.is_none_or(|to| self.characters <= to)
        };
        match kind {
            SliceKind::All => true,
            SliceKind::Label(label) => self.label == label,
            SliceKind::Answer(answer) => self.answer == answer,
            SliceKind::Length(band) => is_within(band),
            SliceKind::Confidence(ConfidenceBand { from, to }) => {
                let is_below = to == 100 || self.percent < f64::from(to);
                self.percent >= f64::from(from) && is_below
            }
            SliceKind::Unknown(unknown) => self.unknown == unknown,
            SliceKind::Emoji(emoji) => self.emoji == emoji,
            SliceKind::Marks(marks) => self.marks == marks,
            SliceKind::Digits(digits) => self.digits == digits,
            SliceKind::Latin(latin) => self.latin == latin,
            SliceKind::LabelLength(label, band) => self.label == label && is_within(band),
            SliceKind::Value { .. } => false,
        }
    }
}

/// Whether a character is a pictograph. Hearts, stars and notes of older fonts count, letters do not.
fn is_emoji(character: char) -> bool {
    matches!(character, '\u{2600}'..='\u{27bf}' | '\u{2b50}' | '\u{2b55}' | '\u{1f000}'..='\u{1faff}')
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
            review("시간이 아깝다😡!", 0, 1),
        ];
        let outcomes = Outcomes::from_parts(
            2,
            vec![1, 0, 0],
            vec![0.1; 3],
            vec![65535, 0, 45875, 19660, 0, 0],
        );
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
        assert_eq!(
            (counts(SliceKind::Answer(0)), counts(SliceKind::Marks(true))),
            ((1, 2), (1, 1))
        );
        assert_eq!(
            (counts(SliceKind::Digits(false)), counts(SliceKind::Latin(true))),
            ((2, 3), (0, 0))
        );
        let band = |index| counts(SliceKind::Confidence(ConfidenceBand::ALL[index]));
        assert_eq!([band(0), band(2), band(5)], [(2, 2), (0, 1), (0, 0)]);
        assert_eq!(counts(SliceKind::LabelLength(1, LengthBand::ALL[1])), (0, 1));
        assert!(found.iter().all(|slice| slice.total > 0 && slice.interval().is_some()));
    }
}
