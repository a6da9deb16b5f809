//! Which reviews are shown, and in which order.

use super::Mistakes;
use crate::core::train::Outcomes;
use crate::run::predictions::slices::LengthBand;
use crate::run::predictions::{KeptEvaluation, Review};

/// A kind of reviews.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownReviews {
    /// The misclassified ones.
    #[default]
    Mistakes,
    /// Those whose labels are suspected to be wrong.
    LabelErrors,
    /// Those whose labels the user has corrected.
    Corrected,
    /// All.
    All,
}

impl ShownReviews {
    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mistakes => "mistakes",
            Self::LabelErrors => "suspected label errors",
            Self::Corrected => "corrected labels",
            Self::All => "all reviews",
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Mistakes => Self::LabelErrors,
            Self::LabelErrors => Self::Corrected,
            Self::Corrected => Self::All,
            Self::All => Self::Mistakes,
        }
    }
}

/// A share of unknown tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFilter {
    /// No token is unknown.
    None,
    /// At least one is.
    Some,
    /// At least a tenth is.
    Many,
}

impl UnknownFilter {
    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "without [UNK]",
            Self::Some => "with [UNK]",
            Self::Many => "10 % [UNK] or more",
        }
    }

    fn contains(self, review: &Review) -> bool {
        match self {
            Self::None => review.unknown == 0,
            Self::Some => review.unknown > 0,
            Self::Many => review.unknown_share() >= 0.1,
        }
    }
}

/// The order of the reviews.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewOrder {
    /// The highest loss first.
    #[default]
    Loss,
    /// The most confident prediction first.
    Confidence,
    /// The longest text first.
    Length,
    /// The text first whose probability of its label has changed most from one evaluation to the next,
    /// in all.
    Change,
}

impl ReviewOrder {
    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Loss => "by loss",
            Self::Confidence => "by confidence",
            Self::Length => "by length",
            Self::Change => "by change",
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Loss => Self::Confidence,
            Self::Confidence => Self::Length,
            Self::Length => Self::Change,
            Self::Change => Self::Loss,
        }
    }
}

/// Which reviews are shown: those that pass every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    /// The kind of reviews.
    pub kind: ShownReviews,
    /// A cell of the confusion matrix: true and predicted class.
    pub cell: Option<(u32, u32)>,
    /// A range of lengths.
    pub length: Option<LengthBand>,
    /// A share of unknown tokens.
    pub unknown: Option<UnknownFilter>,
    /// A text that occurs in the review, in any case.
    pub search: String,
}

impl Mistakes {
    /// The indices of the reviews that pass the filter, in order.
    pub(super) fn filtered(&self) -> Vec<u32> {
        let Some(shown) = self.evaluation() else { return Vec::new() };
        let outcomes = &shown.outcomes;
        let search = self.filter.search.to_lowercase();
        let reviews = self.reviews().iter().enumerate();
        let mut found: Vec<u32> = reviews
            .filter(|(index, review)| self.passes(*index, review, outcomes, &search))
            .map(|(index, _)| index as u32)
            .collect();
        let key = |index: u32| {
            let index = index as usize;
            match self.order {
                ReviewOrder::Loss => loss_rank(outcomes, index),
                ReviewOrder::Confidence => confidence(outcomes, index),
                ReviewOrder::Change => self.change(index),
                ReviewOrder::Length => {
                    self.reviews().get(index).map_or(0.0, |review| review.characters() as f64)
                }
            }
        };
        let mut keyed: Vec<(f64, u32)> = found.iter().map(|index| (key(*index), *index)).collect();
        keyed.sort_by(|one, other| other.0.total_cmp(&one.0));
        found = keyed.into_iter().map(|(_, index)| index).collect();
        if self.is_reversed {
            found.reverse();
        }
        found
    }

    /// The changes of a review's probability of its label, from one evaluation to the next, added up.
    fn change(&self, index: usize) -> f64 {
        let label = self.reviews().get(index).map_or(0, |review| review.label as usize);
        let p = |one: &KeptEvaluation| one.outcomes.probability(index, label);
        let changes = self.evaluations_so_far().windows(2).map(|pair| p(&pair[1]) - p(&pair[0]));
        changes.map(f64::abs).filter(|change| change.is_finite()).sum()
    }

    fn passes(&self, index: usize, review: &Review, outcomes: &Outcomes, search: &str) -> bool {
        let filter = &self.filter;
        let predicted = outcomes.predicted().get(index).map_or(u32::MAX, |class| u32::from(*class));
        let is_of_kind = match filter.kind {
            ShownReviews::Mistakes => predicted != review.label,
            ShownReviews::LabelErrors => self.likely_class(index).is_some(),
            ShownReviews::Corrected => self.corrected_class(index).is_some(),
            ShownReviews::All => true,
        };
        is_of_kind
            && filter.cell.is_none_or(|cell| cell == (review.label, predicted))
            && filter.length.is_none_or(|band| band.contains(review))
            && filter.unknown.is_none_or(|unknown| unknown.contains(review))
            && (search.is_empty() || review.line().to_lowercase().contains(search))
    }

    /// The cells of the confusion matrix with misclassified reviews, the fullest first.
    pub(super) fn wrong_cells(&self) -> Vec<(u32, u32)> {
        let Some(shown) = self.evaluation() else { return Vec::new() };
        let mut counts = std::collections::BTreeMap::new();
        for (review, predicted) in self.reviews().iter().zip(shown.outcomes.predicted()) {
            let predicted = u32::from(*predicted);
            if predicted != review.label {
                *counts.entry((review.label, predicted)).or_insert(0u64) += 1;
            }
        }
        let mut cells: Vec<((u32, u32), u64)> = counts.into_iter().collect();
        cells.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        cells.into_iter().map(|(cell, _)| cell).collect()
    }
}

/// A loss for sorting: NaN is higher than any other.
fn loss_rank(outcomes: &Outcomes, review: usize) -> f64 {
    let loss = outcomes.losses().get(review).copied().unwrap_or(0.0);
    if loss.is_nan() { f64::INFINITY } else { f64::from(loss) }
}

/// The probability of the predicted class.
pub(super) fn confidence(outcomes: &Outcomes, review: usize) -> f64 {
    let predicted = outcomes.predicted().get(review).copied().unwrap_or(0);
    outcomes.probability(review, usize::from(predicted))
}
