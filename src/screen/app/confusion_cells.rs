//! When the keys of a panel choose among the cells of the confusion matrix.

use super::page::Page;
use super::panels::Panel;
use super::state::State;

impl State {
    /// The number of classes of the last evaluation; 0 without one.
    pub fn evaluated_classes(&self) -> u32 {
        self.evaluated.as_ref().map_or(0, |known| known.metrics.eval_confusion.counts.len() as u32)
    }

    /// Whether the arrow keys choose a cell and Enter shows its reviews.
    pub fn chooses_cells(&self) -> bool {
        let is_focused = self.page == Page::Train && self.panels.focus == Panel::Confusion;
        is_focused && self.evaluated_classes() > 0
    }
}
