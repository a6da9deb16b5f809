//! Relative positions in attention (He et al., 2021): rows of a table for the distances of tokens.

use super::Device;
use crate::core::ops::dropout::Dropout;
use candle_core::Result;
use std::ops::Range;

/// The rows of a table of relative positions, by distance: the position of a query minus that of a key.
/// The row of a longer distance is the same or a later one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelativeRows {
    /// `[2 × longest - 1]`: the row of each distance from `1 - longest` on.
    rows: Vec<u32>,
}

impl RelativeRows {
    /// The rows of the distances from `1 - longest` to `longest - 1`.
    pub fn new(rows: Vec<u32>) -> Self {
        Self { rows }
    }

    /// The number of tokens of the longest sequence whose distances are here.
    pub fn longest(&self) -> usize {
        self.rows.len().div_ceil(2)
    }

    /// The row of each distance.
    pub fn all(&self) -> &[u32] {
        &self.rows
    }

    /// The row of a distance.
    pub fn row(&self, distance: isize) -> usize {
        let middle = self.rows.len() / 2;
        self.rows[middle.saturating_add_signed(distance)] as usize
    }

    /// The rows of the distances between the tokens of a sequence.
    pub fn range(&self, length: usize) -> Range<usize> {
        let reach = length.cast_signed() - 1;
        if reach < 0 { 0..0 } else { self.row(-reach)..self.row(reach) + 1 }
    }
}

/// The matrix of relative positions of one layer: `rows` rows, of which each has the keys and queries of
/// all heads, those that the model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeColumns {
    /// The width of the matrix.
    pub stride: usize,
    /// The first column of the queries, which the keys of tokens are multiplied with.
    pub queries: Option<usize>,
    /// The first column of the keys, which the queries of tokens are multiplied with.
    pub keys: Option<usize>,
    /// The row of the table that is row 0 of the matrix.
    pub first_row: usize,
    /// The number of rows.
    pub rows: usize,
}

/// The relative positions of an attention: the score of a query `i` and a key `j` is
/// `q_i · k_j + q_i · K_r[row(i - j)] + k_j · Q_r[row(i - j)]`.
pub struct Relative<'a, D: Device + ?Sized> {
    /// The columns of the matrix.
    pub columns: RelativeColumns,
    /// The rows by distance.
    pub rows: &'a D::RelativeRows,
    /// The matrix.
    pub matrix: &'a D::Buffer,
}

impl<D: Device + ?Sized> Clone for Relative<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Device + ?Sized> Copy for Relative<'_, D> {}

/// The arguments of [`RelativeOps::drop_rows`].
pub struct DropRows<'a, D: Device + ?Sized> {
    /// The dropout; its rows are those of `x`.
    pub dropout: Dropout,
    /// The rows of `x`.
    pub rows: usize,
    /// The width of a row.
    pub width: usize,
    /// Whether to add to `out` instead of overwriting it.
    pub accumulate: bool,
    /// `[rows, width]`.
    pub x: &'a D::Buffer,
    /// Output, `[rows, width]`.
    pub out: &'a mut D::Buffer,
}

/// The operations on a table of relative positions.
pub trait RelativeOps: Device {
    /// Copies the rows of distances to the device.
    fn send_relative_rows(&self, rows: &RelativeRows, to: &mut Self::RelativeRows) -> Result<()>;

    /// `out` = these parameters.
    fn parameter_rows(
        &self,
        parameters: &Self::Parameters,
        range: Range<usize>,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::parameter_rows`], for a part of the parameters `all`: the others of them get
    /// no gradient.
    fn parameter_rows_backward(
        &self,
        grad: &Self::Buffer,
        range: Range<usize>,
        all: Range<usize>,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// `out = dropout(x)`, or `out += dropout(x)`; this is its own backward operation.
    fn drop_rows(&self, arguments: DropRows<'_, Self>) -> Result<()>;
}
