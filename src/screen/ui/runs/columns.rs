//! The columns of the list of runs that depend on the runs: their tags, and each setting in which
//! they differ.

use crate::core::text::align_left;
use crate::run::run_index::{RunSummary, distinguishing_settings};
use crate::screen::lang::Lang;
use ratatui::text::Span;

/// The most columns of a value.
const MAX_WIDTH: usize = 18;

/// The columns of the number of hidden settings.
const HIDDEN_WIDTH: usize = 6;

/// A column of the list.
pub(super) enum ExtraColumn {
    /// The tags, with the title and the width.
    Tags(String, usize),
    /// The setting with a name, and the width.
    Setting(String, usize),
}

impl ExtraColumn {
    /// The title.
    pub fn title(&self) -> &str {
        match self {
            Self::Tags(title, _) | Self::Setting(title, _) => title,
        }
    }

    /// The value of a run.
    pub fn value(&self, run: &RunSummary) -> String {
        match self {
            Self::Tags(..) => run.notes.tags.join(" "),
            Self::Setting(name, _) => run.setting(name).unwrap_or("-").to_owned(),
        }
    }

    /// A text as wide as the column, with the space before it.
    pub fn cell(&self, text: &str) -> String {
        format!("  {}", align_left(text, self.width()))
    }

    fn width(&self) -> usize {
        match self {
            Self::Tags(_, width) | Self::Setting(_, width) => *width,
        }
    }
}

/// The columns of these runs: their tags, if any, and each setting in which they differ.
pub(super) fn extra_columns(runs: &[&RunSummary], lang: Lang) -> Vec<ExtraColumn> {
    let mut columns = Vec::new();
    if runs.iter().any(|run| !run.notes.tags.is_empty()) {
        columns.push(ExtraColumn::Tags(lang.tr("tags").to_owned(), 0));
    }
    let settings = distinguishing_settings(runs);
    columns.extend(settings.into_iter().map(|name| ExtraColumn::Setting(name, 0)));
    for column in &mut columns {
        let widest = widest(column, runs);
        let (ExtraColumn::Tags(_, width) | ExtraColumn::Setting(_, width)) = column;
        *width = widest;
    }
    columns
}

/// The terminal cells that columns need.
pub(super) fn needed_width(columns: &[ExtraColumn]) -> usize {
    columns.iter().map(|column| 2 + column.width()).sum()
}

/// Leaves out the last columns until the others fit into a width, with space for the number of
/// those left out. Returns that number.
pub(super) fn leave_out(columns: &mut Vec<ExtraColumn>, available: usize) -> usize {
    let all = columns.len();
    let reserved = |left: usize| if left == all { 0 } else { HIDDEN_WIDTH };
    while !columns.is_empty() && needed_width(columns) + reserved(columns.len()) > available {
        columns.pop();
    }
    all - columns.len()
}

/// The width of a column's title and values.
fn widest(column: &ExtraColumn, runs: &[&RunSummary]) -> usize {
    let width = |text: &str| Span::raw(text).width();
    let values = runs.iter().map(|run| width(&column.value(run)));
    values.chain([width(column.title())]).max().unwrap_or(0).min(MAX_WIDTH)
}

/// The number of settings that have no column, if it fits into the rest of the line.
pub(super) fn hidden_note(hidden: usize, available: usize) -> String {
    let note = format!("  +{hidden}");
    if hidden > 0 && note.len() <= available { note } else { String::new() }
}
