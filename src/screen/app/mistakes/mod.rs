//! The mistakes page: the reviews behind the numbers of an evaluation.

mod actions;
mod files;
mod filter;

pub use actions::{MistakesAction, MistakesRequest};
pub use files::{FileReport, FileTask, LoadedPredictions};
pub use filter::{ReviewFilter, ReviewOrder, ShownReviews, UnknownFilter};

use crate::core::data::slice_columns::SliceColumn;
use crate::core::label_errors::{
    is_better_than_chance, reliable_confidence, shared_by_all, suspected,
};
use crate::core::train::Outcomes;
use crate::run::predictions::corrections::{self, Changes, Corrections};
use crate::run::predictions::slices::{Slice, slices};
use crate::run::predictions::{KeptEvaluation, Predictions, Review};
use std::sync::Arc;
use tui_input::Input;

/// The most evaluations whose answers are shown for a review.
pub const MAX_SHOWN_ANSWERS: usize = 8;

/// Whether the predictions of the run are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Not yet.
    #[default]
    NotRead,
    /// They are being read.
    UnderWay,
    /// They are read.
    Done,
    /// The run keeps none.
    NotKept,
    /// They cannot be read, for this reason.
    Failed(String),
}

/// Whether the corrected labels are written to their file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Saving {
    /// They are.
    #[default]
    Done,
    /// They are not, and are not being written.
    Due,
    /// They are being written.
    UnderWay,
    /// They are being written, and were changed since.
    UnderWayAndDue,
}

/// The reviews of the evaluations, and which of them are shown.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    predictions: Option<Arc<Predictions>>,
    /// Whether the predictions are read.
    pub reading: Reading,
    /// Whether there may be more predictions than are read.
    is_stale: bool,
    /// The last evaluation that the run has reported.
    last_step: u64,
    /// The evaluation of the model in memory, which is not the last one if the best model was loaded.
    current_step: u64,
    /// The evaluation that the user has chosen.
    chosen_step: Option<u64>,
    /// The class that each review likely has instead of its label.
    suspected: Vec<Option<u32>>,
    /// Whether the model is better than chance, without which its answers say nothing about labels.
    pub is_better_than_chance: bool,
    /// The indices of the shown reviews, in order.
    shown: Vec<u32>,
    /// The characters of the longest of them.
    longest: usize,
    /// The index of the selected review among those shown.
    pub selected: usize,
    /// The review whose text was scrolled last, and the first line of it that is shown.
    scrolled: Option<(usize, usize)>,
    /// Which reviews are shown.
    pub filter: ReviewFilter,
    /// The order of the reviews.
    pub order: ReviewOrder,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// The text to search for, while it is typed.
    pub input: Option<Input>,
    /// Whether the accuracy of slices is shown instead of the reviews.
    pub slices: bool,
    /// The index of the first slice that is shown.
    pub first_slice: usize,
    corrections: Corrections,
    /// What the user changed of them since they were written last, and what is being written.
    changes: Changes,
    being_saved: Changes,
    /// Whether the corrections in the folder are read.
    has_corrections: bool,
    saving: Saving,
    /// The cell of the confusion matrix that is chosen on its panel: true and predicted class.
    pub cell: Option<(u32, u32)>,
    /// Whether the predict page shows a review of this page.
    pub is_left_for_predict: bool,
}

impl Mistakes {
    /// Notes an evaluation of the run.
    pub fn evaluated(&mut self, step: u64) {
        (self.last_step, self.current_step) = (step, step);
        self.is_stale = true;
    }

    /// Notes that the model of an earlier evaluation was loaded.
    pub fn best_loaded(&mut self, step: u64) {
        self.current_step = step;
        self.run_changed();
    }

    /// Notes that the run went back to a step.
    pub fn rolled_back(&mut self, step: u64) {
        (self.last_step, self.current_step) =
            (self.last_step.min(step), self.current_step.min(step));
        self.chosen_step.take_if(|chosen| *chosen > step);
        self.is_stale = true;
        self.run_changed();
    }

    /// Whether the predictions have to be read before they are shown; then they count as being read.
    pub fn begin_reading(&mut self) -> bool {
        let is_due = self.is_stale || self.reading == Reading::NotRead;
        if self.last_step == 0 || !is_due || self.reading == Reading::UnderWay {
            return false;
        }
        self.is_stale = false;
        self.reading = Reading::UnderWay;
        true
    }

    /// Applies predictions that were read. Returns what could not be read.
    pub fn loaded(&mut self, found: Result<Option<LoadedPredictions>, String>) -> Vec<String> {
        let loaded = match found {
            Ok(Some(loaded)) => loaded,
            Ok(None) => {
                self.reading = Reading::NotKept;
                return Vec::new();
            }
            Err(reason) => {
                self.reading = Reading::Failed(reason);
                return Vec::new();
            }
        };
        self.reading = Reading::Done;
        let mut problems = loaded.predictions.problems.clone();
        if !self.has_corrections {
            match loaded.corrections {
                Ok(corrections) => {
                    self.corrections = corrections;
                    self.has_corrections = true;
                }
                Err(reason) => problems.push(reason),
            }
        }
        self.predictions = Some(loaded.predictions);
        self.run_changed();
        problems
    }

    /// The texts; empty until they are read.
    pub fn reviews(&self) -> &[Review] {
        self.predictions.as_ref().map_or(&[], |predictions| &predictions.reviews)
    }

    /// The evaluations that the run has reported, in the order of their steps.
    pub fn evaluations(&self) -> &[KeptEvaluation] {
        let all = self.predictions.as_ref().map_or(&[][..], |found| &found.evaluations);
        let reported = all.partition_point(|evaluation| evaluation.step <= self.last_step);
        &all[..reported]
    }

    /// The index of the evaluation that is shown: the chosen one, or else that of the model in memory
    /// or the last one before it.
    fn evaluation_index(&self) -> Option<usize> {
        let step = self.chosen_step.unwrap_or(self.current_step);
        let after = self.evaluations().partition_point(|evaluation| evaluation.step <= step);
        after.checked_sub(1).or_else(|| (!self.evaluations().is_empty()).then_some(0))
    }

    /// The evaluation that is shown.
    pub fn evaluation(&self) -> Option<&KeptEvaluation> {
        self.evaluations().get(self.evaluation_index()?)
    }

    /// The evaluations up to the one that is shown.
    pub fn evaluations_so_far(&self) -> &[KeptEvaluation] {
        let count = self.evaluation_index().map_or(0, |index| index + 1);
        &self.evaluations()[..count]
    }

    /// The indices of the shown reviews, in order.
    pub fn shown(&self) -> &[u32] {
        &self.shown
    }

    /// The index of the selected review.
    pub fn selected_review(&self) -> Option<usize> {
        self.shown.get(self.selected).map(|index| *index as usize)
    }

    /// The first line of the selected review that is shown, counted from 0.
    pub fn first_line(&self) -> usize {
        let scrolled = self.scrolled.filter(|(review, _)| Some(*review) == self.selected_review());
        scrolled.map_or(0, |(_, line)| line)
    }

    /// The characters of the longest review that is shown.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The class that a review likely has instead of its label, if its label is likely wrong.
    pub fn likely_class(&self, review: usize) -> Option<u32> {
        self.suspected.get(review).copied().flatten()
    }

    /// The class that the user has given a review instead of its label.
    pub fn corrected_class(&self, review: usize) -> Option<u32> {
        self.corrections.get(&(review as u32)).copied()
    }

    /// Whether the last answers to a review were right, of at most [`MAX_SHOWN_ANSWERS`] evaluations up
    /// to the one that is shown.
    pub fn last_answers(&self, review: usize) -> Vec<bool> {
        let Some(label) = self.reviews().get(review).map(|review| review.label) else {
            return Vec::new();
        };
        let so_far = self.evaluations_so_far();
        let last = &so_far[so_far.len().saturating_sub(MAX_SHOWN_ANSWERS)..];
        let predicted =
            last.iter().filter_map(|evaluation| evaluation.outcomes.predicted().get(review));
        predicted.map(|class| u32::from(*class) == label).collect()
    }

    /// The accuracy of slices of the texts, in the evaluation that is shown.
    pub fn accuracy_of_slices(&self) -> Vec<Slice> {
        match (&self.predictions, self.evaluation()) {
            (Some(all), Some(shown)) => slices(&all.reviews, &all.slices, shown),
            _ => Vec::new(),
        }
    }

    /// The columns that divide the texts into slices.
    pub fn slice_columns(&self) -> &[SliceColumn] {
        self.predictions.as_ref().map_or(&[], |predictions| &predictions.slices.columns)
    }

    /// Whether a text is being typed.
    pub fn is_typing(&self) -> bool {
        self.input.is_some()
    }

    /// Finds likely label errors by all evaluations up to the one that is shown, and the reviews that
    /// are shown.
    fn evaluation_changed(&mut self) {
        let found = self.find_suspected();
        self.is_better_than_chance = found.is_some();
        self.suspected = found.unwrap_or_default();
        self.refresh();
    }

    /// As [`Self::evaluation_changed`] by the run: the first review stays selected, and not the one that was
    /// the first before.
    fn run_changed(&mut self) {
        let is_first = self.selected == 0;
        self.evaluation_changed();
        if is_first {
            self.selected = 0;
        }
    }

    /// The class that each review likely has instead of its label: by the probabilities of all
    /// evaluations together and by those of each one of their later half, where the model is as sure as it
    /// is with reliable answers. `None` if the model is no better than chance.
    fn find_suspected(&self) -> Option<Vec<Option<u32>>> {
        let classes = self.evaluation()?.outcomes.classes();
        let outcomes = |evaluation: &KeptEvaluation| evaluation.outcomes.classes() == classes;
        let evaluations: Vec<&Outcomes> = self
            .evaluations_so_far()
            .iter()
            .filter(|evaluation| outcomes(evaluation))
            .map(|evaluation| &evaluation.outcomes)
            .collect();
        let labels: Vec<u32> = self.reviews().iter().map(|review| review.label).collect();
        let count = evaluations.len().max(1) as f64;
        // Both functions read each mean several times.
        let mean = |review: usize, class: usize| {
            evaluations.iter().map(|one| one.probability(review, class)).sum::<f64>() / count
        };
        let all =
            (0..labels.len()).flat_map(|review| (0..classes).map(move |class| (review, class)));
        let means: Vec<f64> = all.map(|(review, class)| mean(review, class)).collect();
        let probability = |review: usize, class: usize| means[review * classes + class];
        if !is_better_than_chance(&labels, classes, probability) {
            return None;
        }
        let mut together = suspected(&labels, classes, probability);
        let reliable = reliable_confidence(&labels, classes, probability);
        for (review, found) in together.iter_mut().enumerate() {
            found.take_if(|class| probability(review, *class as usize) < reliable);
        }
        // Early evaluations say little.
        let later = evaluations[evaluations.len() / 2..].iter();
        let each = later.map(|one| {
            let own = |review: usize, class: usize| one.probability(review, class);
            suspected(&labels, classes, own)
        });
        Some(shared_by_all(together, each))
    }

    /// Finds the reviews that are shown, and keeps the selected one selected.
    fn refresh(&mut self) {
        let selected = self.shown.get(self.selected).copied();
        self.shown = self.filtered();
        let shown = self.shown.iter().filter_map(|index| self.reviews().get(*index as usize));
        self.longest = shown.map(Review::characters).max().unwrap_or(0);
        let found = self.shown.iter().position(|index| Some(*index) == selected);
        self.selected = found.unwrap_or(0);
    }

    /// The changes of corrections to write, if they are to be written now; they then count as being written.
    pub fn begin_saving(&mut self) -> Option<(Arc<Predictions>, Changes)> {
        if self.saving != Saving::Due {
            return None;
        }
        self.saving = Saving::UnderWay;
        self.being_saved = std::mem::take(&mut self.changes);
        Some((self.predictions.clone()?, self.being_saved.clone()))
    }

    /// Applies the corrections that the file now has, or keeps the changes that could not be written.
    /// Returns the number of corrections.
    ///
    /// # Errors
    /// If they could not be written, with the reason.
    pub fn saved(&mut self, outcome: Result<Corrections, String>) -> Result<usize, String> {
        let being_saved = std::mem::take(&mut self.being_saved);
        let outcome = match outcome {
            Ok(written) => {
                self.corrections = written;
                corrections::apply(&mut self.corrections, &self.changes);
                Ok(self.corrections.len())
            }
            Err(reason) => {
                for (index, class) in being_saved {
                    self.changes.entry(index).or_insert(class);
                }
                Err(reason)
            }
        };
        self.saving = match self.saving {
            Saving::UnderWayAndDue => Saving::Due,
            _ => Saving::Done,
        };
        outcome
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
