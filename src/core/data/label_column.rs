//! The labels of one split while its files are read: declared names, and one type for the others.

use super::label_values::{LabelType, TypeInference, canonical, is_missing};
use super::table::DataRow;
use crate::core::text::sanitize_for_terminal;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

/// The longest label, in bytes; anything longer is not a class name.
const MAX_LABEL_BYTES: usize = 256;

/// Reads labels, file after file.
pub(super) struct LabelColumn {
    /// The names of the current file's integer labels, if they are known.
    names: Option<Vec<String>>,
    /// Whether texts such as `NA` are missing labels in the current file.
    has_missing_values: bool,
    /// The ranges of rows whose labels are not declared names, and the type of these labels.
    unnamed: Vec<Range<usize>>,
    inference: TypeInference,
}

impl LabelColumn {
    pub fn new() -> Self {
        let inference = TypeInference::new();
        Self { names: None, has_missing_values: false, unnamed: Vec::new(), inference }
    }

    /// Forgets what holds for the last file only.
    pub fn start_file(&mut self) {
        (self.names, self.has_missing_values) = (None, false);
    }

    /// Reads texts such as `NA` as missing labels in the current file.
    pub fn read_missing_values(&mut self) {
        self.has_missing_values = true;
    }

    /// Sets the names of the current file's integer labels. Returns them, unless two are the same:
    /// then they are not used.
    pub fn declare(&mut self, names: Vec<String>) -> &[String] {
        let distinct: BTreeSet<&String> = names.iter().collect();
        if distinct.len() == names.len() {
            self.names = Some(names);
        }
        self.names.as_deref().unwrap_or_default()
    }

    /// Whether the current file's integer labels have names.
    pub fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// Checks that the text is a label.
    ///
    /// # Errors
    /// If it is missing or too long.
    pub fn check(&self, label: &str) -> Result<(), String> {
        if label.is_empty() {
            return Err("the label is empty".to_owned());
        }
        if self.has_missing_values && is_missing(label) {
            return Err(format!("the label is missing (pandas reads {label} as a missing value)"));
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(format!("the label is longer than {MAX_LABEL_BYTES} bytes"));
        }
        Ok(())
    }

    /// The label of the row with this index: the declared name, or the label itself, whose type is
    /// inferred at the end.
    ///
    /// # Errors
    /// If it is an integer without a declared name, where names are declared.
    pub fn read(&mut self, label: &str, row: usize) -> Result<String, String> {
        if let Some(names) = &self.names
            && let Some(number) = canonical(label).and_then(|label| label.parse::<i64>().ok())
        {
            let name = usize::try_from(number).ok().and_then(|number| names.get(number));
            return name.cloned().ok_or_else(|| match number {
                -1 => "the label is -1, which marks a row without one".to_owned(),
                _ => format!("the label is {number}, but the file declares {} names", names.len()),
            });
        }
        let label = sanitize_for_terminal(label).into_owned();
        self.inference.observe(&label);
        match self.unnamed.last_mut() {
            Some(range) if range.end == row => range.end = row + 1,
            _ => self.unnamed.push(row..row + 1),
        }
        Ok(label)
    }

    /// Gives the labels that are not declared names one type. Returns the indices of the rows whose
    /// labels are invalid then, in order, each with the reason.
    pub fn unify(self, rows: &mut [DataRow]) -> Vec<(usize, String)> {
        let label_type = self.inference.label_type();
        let mut invalid = Vec::new();
        if label_type == LabelType::Names {
            return invalid;
        }
        for index in self.unnamed.into_iter().flatten() {
            match label_type.label(&rows[index].label) {
                Ok(Cow::Borrowed(_)) => {}
                Ok(Cow::Owned(label)) => rows[index].label = label,
                Err(reason) => invalid.push((index, reason)),
            }
        }
        invalid
    }
}
