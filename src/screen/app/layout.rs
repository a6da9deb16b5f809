//! The layout of the last frame. Drawing returns it, and the update of the state receives it with
//! [`Message::Drawn`](super::Message::Drawn).

pub use super::area::Area;
use super::panels::Panel;
use std::collections::BTreeMap;

/// The positions of panels and charts in a frame, and how far its views can scroll.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameLayout {
    /// The area of each panel in view.
    pub panels: Vec<(Panel, Area)>,
    /// The plot area of each chart in view, without axes.
    pub plots: Vec<(Panel, Area)>,
    /// The y range of each chart; the next frame reuses it while the values fit.
    pub y_ranges: BTreeMap<Panel, [f64; 2]>,
    /// The panels of each page of the training page.
    pub pages: Vec<Vec<Panel>>,
    /// The maximum scroll position in lines; `None` if nothing scrolls.
    pub scroll_limit: Option<usize>,
    /// Of the selected review on the mistakes page, the last line that can be the first one shown, and
    /// how many lines are shown.
    pub review_lines: Option<(usize, usize)>,
    /// Columns of the text field of the predict page.
    pub prompt_columns: Option<usize>,
    /// Whether the screen is too small to show the page, so that no key but those that hold anywhere
    /// has an effect.
    pub is_too_small: bool,
    /// Serial numbers of the first and the last log line that are fully visible.
    pub log_lines: Option<(usize, usize)>,
}

impl FrameLayout {
    /// The layout before the next frame: y ranges and the pages of panels are copied, the rest is
    /// empty.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { y_ranges: self.y_ranges.clone(), pages: self.pages.clone(), ..Self::default() }
    }
}
