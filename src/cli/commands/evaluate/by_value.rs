//! The accuracy by the values of columns of the evaluation rows.

use super::on_rows::RowResult;
use crate::core::data::Sample;
use crate::core::data::slice_columns::SliceColumn;
use crate::core::text::{align_left, truncate_width};
use crate::run::predictions::slices::{Slice, SliceKind, value_slices};
use serde_json::{Value, json};
use std::io::Write;

/// The accuracy by the values of columns.
pub(super) struct ByValue {
    columns: Vec<SliceColumn>,
    slices: Vec<Slice>,
}

impl ByValue {
    /// The accuracy by the values of `columns`, given the result for each row.
    pub fn new(columns: Vec<SliceColumn>, samples: &[Sample], results: &[RowResult]) -> Self {
        let rows = samples.iter().zip(results);
        let rows = rows.map(|(sample, result)| (&sample.slices, result.is_right(sample)));
        let slices = value_slices(&columns, rows);
        Self { columns, slices }
    }

    /// The name of a slice's column and its value.
    fn names(&self, slice: &Slice) -> Option<[&str; 2]> {
        let SliceKind::Value { column, value } = slice.kind else { return None };
        let column = self.columns.get(column)?;
        Some([&column.name, column.values.get(value)?])
    }

    /// Adds the slices to the JSON object of the metrics, if there are columns.
    pub fn add_to(&self, values: &mut Value) {
        if self.columns.is_empty() {
            return;
        }
        let slice = |slice: &Slice| {
            let [column, value] = self.names(slice)?;
            Some(json!({
                "column": column,
                "value": value,
                "accuracy": slice.accuracy(),
                "accuracy_ci95": slice.interval(),
                "samples": slice.total,
            }))
        };
        values["slices"] = self.slices.iter().filter_map(slice).collect();
    }

    /// Writes the slices as a table, if there are columns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{:<32}{:>8}{:>10}  95 % interval (Wilson)", "slice", "texts", "accuracy")?;
        for slice in &self.slices {
            let Some([column, value]) = self.names(slice) else { continue };
            let name = align_left(&format!("{} {value}", truncate_width(column, 16)), 32);
            let [low, high] = slice.interval().unwrap_or([0.0, 1.0]);
            writeln!(
                out,
                "{name}{:>8}{:>10.4}  {low:.4} to {high:.4}",
                slice.total,
                slice.accuracy()
            )?;
        }
        Ok(())
    }
}
