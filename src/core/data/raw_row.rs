//! What the readers of all formats find in a file: its columns, and the values of a row.

use std::borrow::Cow;

/// The indices of the columns that are read.
pub(super) struct ColumnIndices {
    pub text: usize,
    pub text_pair: Option<usize>,
    /// `None` if labels are not read.
    pub label: Option<usize>,
    pub id: Option<usize>,
    /// The slice columns; `None` for one that this file does not have.
    pub slices: Vec<Option<usize>>,
}

impl ColumnIndices {
    /// The values of these columns. `fields` has a value for each column of the file.
    pub fn select<'a>(&self, fields: &[&'a str]) -> RawRow<'a> {
        RawRow {
            id: self.id.map(|id| fields[id].into()),
            text: fields[self.text].into(),
            text_pair: self.text_pair.map(|pair| fields[pair].into()),
            label: self.label.map_or("", |label| fields[label]).into(),
            slices: self.slices.iter().map(|slice| slice.map(|at| fields[at].into())).collect(),
            kept: String::new(),
        }
    }
}

/// The values of a row, not yet validated.
pub(super) struct RawRow<'a> {
    pub id: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    pub text_pair: Option<Cow<'a, str>>,
    pub label: Cow<'a, str>,
    /// The values in the slice columns; empty if none are read.
    pub slices: Vec<Option<Cow<'a, str>>>,
    /// Its values in all columns, encoded; empty unless they are kept.
    pub kept: String,
}
