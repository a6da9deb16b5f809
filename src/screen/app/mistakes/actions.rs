//! The actions of the page.

use super::filter::{ReviewFilter, ShownReviews, UnknownFilter};
use super::{Mistakes, Saving};
use crate::run::predictions::corrections;
use crate::run::predictions::slices::LengthBand;
use crate::screen::app::editor;
use tui_input::{Input, InputRequest};

/// An action of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MistakesAction {
    /// Move the selection by this many reviews.
    Move(isize),
    /// Select the first review.
    First,
    /// Select the last review.
    Last,
    /// Show what follows in the text of the selected review (1), or what precedes it (-1), by nearly as
    /// many lines as are shown.
    ScrollReview(isize),
    /// Show the selected review on the predict page.
    Open,
    /// Copy the selected review.
    Copy,
    /// Order the reviews by the next quantity.
    NextOrder,
    /// Reverse the order.
    Reverse,
    /// Show the next kind of reviews.
    NextKind,
    /// Show the reviews of the next cell of the confusion matrix with mistakes, or of all cells.
    NextCell,
    /// Show the reviews of the next range of lengths, or of all lengths.
    NextLength,
    /// Show the reviews with another share of unknown tokens, or with any.
    NextUnknown,
    /// Type a text to search for.
    Search,
    /// Keep what is typed.
    ApplyInput,
    /// Show what was shown before typing began.
    CancelInput,
    /// Show the evaluation this many after the current one.
    Evaluation(isize),
    /// Give the selected review the next class as its label, or its own again.
    Relabel,
    /// Show the accuracy of slices, or the reviews again.
    Slices,
    /// Show the mistakes of all reviews again.
    ShowAll,
}

/// What the page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MistakesRequest {
    /// Classify this text on the predict page.
    Predict(String),
    /// Copy this text.
    Copy(String),
}

impl Mistakes {
    /// Whether an action has an effect on the page as it is shown: the table of slices hides the
    /// reviews, their order and their filter.
    pub fn is_effective(&self, action: MistakesAction) -> bool {
        use MistakesAction::{
            ApplyInput, CancelInput, Copy, Evaluation, First, Last, Move, Open, Relabel,
            ScrollReview, Search, ShowAll, Slices,
        };
        let is_for_slices = matches!(
            action,
            Move(_)
                | First
                | Last
                | Evaluation(_)
                | Slices
                | ShowAll
                | Search
                | ApplyInput
                | CancelInput
        );
        let is_for_review = matches!(action, Open | Copy | Relabel | ScrollReview(_));
        let has_review = self.selected_review().is_some();
        if self.slices { is_for_slices } else { has_review || !is_for_review }
    }

    /// Whether it shows anything else than all mistakes of the last evaluation.
    pub fn is_narrowed(&self) -> bool {
        self.slices || self.chosen_step.is_some() || self.filter != ReviewFilter::default()
    }

    /// Scrolls the table of slices.
    fn scroll_slices(&mut self, action: MistakesAction) {
        let last = self.accuracy_of_slices().len().saturating_sub(1);
        self.first_slice = match action {
            MistakesAction::Move(by) => self.first_slice.saturating_add_signed(by).min(last),
            MistakesAction::Last => last,
            _ => 0,
        };
    }

    /// Scrolls the text of the selected review by nearly as many lines as are shown; `limit` is the last
    /// line that can be the first one.
    pub fn scroll_review(&mut self, by: isize, limit: usize, shown: usize) {
        let Some(review) = self.selected_review() else { return };
        let page = isize::try_from(shown.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
        let first = self.first_line().saturating_add_signed(by.saturating_mul(page));
        self.scrolled = Some((review, first.min(limit)));
    }

    /// Applies an action.
    pub fn apply(&mut self, action: MistakesAction) -> Option<MistakesRequest> {
        let last = self.shown.len().saturating_sub(1);
        if !self.is_effective(action) {
            return None;
        }
        match action {
            MistakesAction::Move(_) | MistakesAction::First | MistakesAction::Last
                if self.slices =>
            {
                self.scroll_slices(action);
            }
            MistakesAction::Move(by) => {
                self.selected = self.selected.saturating_add_signed(by).min(last);
            }
            // It depends on the lines on the screen.
            MistakesAction::ScrollReview(_) => {}
            MistakesAction::First => self.selected = 0,
            MistakesAction::Last => self.selected = last,
            MistakesAction::Open => {
                let review = self.reviews().get(self.selected_review()?)?;
                return Some(MistakesRequest::Predict(review.line()));
            }
            MistakesAction::Copy => {
                let review = self.reviews().get(self.selected_review()?)?;
                return Some(MistakesRequest::Copy(review.line()));
            }
            MistakesAction::NextOrder => {
                (self.order, self.is_reversed) = (self.order.next(), false);
                self.show_first();
            }
            MistakesAction::Reverse => {
                self.is_reversed = !self.is_reversed;
                self.show_first();
            }
            MistakesAction::NextKind => {
                self.filter.kind = self.filter.kind.next();
                self.refresh();
            }
            MistakesAction::NextCell => {
                let cells = self.wrong_cells();
                self.filter.cell = next_of(&cells, self.filter.cell);
                self.refresh();
            }
            MistakesAction::NextLength => {
                self.filter.length = next_of(&LengthBand::ALL, self.filter.length);
                self.refresh();
            }
            MistakesAction::NextUnknown => {
                let shares = [UnknownFilter::Some, UnknownFilter::Many, UnknownFilter::None];
                self.filter.unknown = next_of(&shares, self.filter.unknown);
                self.refresh();
            }
            MistakesAction::Search => {
                self.slices = false;
                self.input = Some(Input::new(self.filter.search.clone()));
            }
            MistakesAction::ApplyInput => self.input = None,
            MistakesAction::CancelInput => {
                self.input = None;
                self.filter.search.clear();
                self.refresh();
            }
            MistakesAction::Evaluation(by) => self.choose_evaluation(by),
            MistakesAction::Relabel => self.relabel(),
            MistakesAction::Slices => {
                self.slices = !self.slices;
                self.first_slice = 0;
            }
            MistakesAction::ShowAll => {
                self.slices = false;
                self.filter = ReviewFilter::default();
                self.chosen_step = None;
                self.evaluation_changed();
            }
        }
        None
    }

    /// Shows the reviews of a cell of the confusion matrix: true and predicted class.
    pub fn show_cell(&mut self, cell: (u32, u32)) {
        let kind = ShownReviews::All;
        self.filter = ReviewFilter { kind, cell: Some(cell), ..ReviewFilter::default() };
        (self.slices, self.chosen_step) = (false, None);
        self.evaluation_changed();
        self.selected = 0;
    }

    /// Edits the text being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(input) = &mut self.input {
            editor::edit(input, request);
        }
        self.search_as_typed();
    }

    /// Pastes into the text being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            editor::paste(input, text);
        }
        self.search_as_typed();
    }

    fn search_as_typed(&mut self) {
        if let Some(input) = &self.input {
            input.value().clone_into(&mut self.filter.search);
            self.refresh();
        }
    }

    fn show_first(&mut self) {
        self.refresh();
        self.selected = 0;
    }

    fn choose_evaluation(&mut self, by: isize) {
        let Some(index) = self.evaluation_index() else { return };
        let last = self.evaluations().len().saturating_sub(1);
        let chosen = index.saturating_add_signed(by).min(last);
        self.chosen_step = self.evaluations().get(chosen).map(|evaluation| evaluation.step);
        self.evaluation_changed();
    }

    fn relabel(&mut self) {
        let Some(index) = self.selected_review() else { return };
        let Some(own) = self.reviews().get(index).map(|review| review.label) else { return };
        let classes = self.evaluation().map_or(0, |shown| shown.outcomes.classes() as u32);
        // The predicted or likely class first.
        let predicted = self.evaluation().and_then(|shown| shown.outcomes.predicted().get(index));
        let first = self.likely_class(index).or(predicted.map(|class| u32::from(*class)));
        let first = first.filter(|class| *class != own);
        let others = (0..classes).filter(|class| *class != own && Some(*class) != first);
        let order: Vec<u32> = first.into_iter().chain(others).collect();
        let class = next_of(&order, self.corrected_class(index));
        self.changes.insert(index as u32, class);
        corrections::apply(&mut self.corrections, &self.changes);
        self.saving = match self.saving {
            Saving::Done | Saving::Due => Saving::Due,
            Saving::UnderWay | Saving::UnderWayAndDue => Saving::UnderWayAndDue,
        };
        // The review stays in the list until another kind of reviews is shown.
    }
}

/// The value after the current one; `None` after the last one, which the first one follows.
fn next_of<T: Copy + PartialEq>(values: &[T], current: Option<T>) -> Option<T> {
    match current {
        None => values.first().copied(),
        Some(current) => {
            let at = values.iter().position(|value| *value == current)?;
            values.get(at + 1).copied()
        }
    }
}
