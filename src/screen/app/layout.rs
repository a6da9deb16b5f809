//! The layout of the last frame. Drawing returns it, and the update of the state receives it with
//! [`Message::Drawn`](super::Message::Drawn).

use super::panels::Panel;
use std::collections::BTreeMap;

/// A rectangle of terminal cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// The first column.
    pub x: u16,
    /// The first row.
    pub y: u16,
    /// Number of columns.
    pub width: u16,
    /// Number of rows.
    pub height: u16,
}

impl Area {
    /// Whether a cell is inside.
    pub fn contains(self, column: u16, row: u16) -> bool {
        let within = |at: u16, from: u16, size: u16| at >= from && at - from < size;
        within(column, self.x, self.width) && within(row, self.y, self.height)
    }
}

/// The positions of panels and charts in a frame, and how far its views can scroll.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameLayout {
    /// The area of each panel in view.
    pub panels: Vec<(Panel, Area)>,
    /// The plot area of each chart in view, without axes.
    pub plots: Vec<(Panel, Area)>,
    /// The y range of each chart; the next frame reuses it while the values fit.
    pub y_ranges: BTreeMap<Panel, [f64; 2]>,
    /// Panels on one page of the training grid.
    pub panels_per_page: usize,
    /// The maximum scroll position in lines; `None` if nothing scrolls.
    pub scroll_limit: Option<usize>,
    /// Columns of the text field of the predict page.
    pub prompt_columns: Option<usize>,
    /// Serial numbers of the first and the last log line that are fully visible.
    pub log_lines: Option<(usize, usize)>,
}

impl FrameLayout {
    /// The layout before the next frame: y ranges and panels per page are copied, the rest is
    /// empty.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            y_ranges: self.y_ranges.clone(),
            panels_per_page: self.panels_per_page,
            ..Self::default()
        }
    }
}
