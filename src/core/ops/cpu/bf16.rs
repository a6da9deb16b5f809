//! Matrix products in bfloat16 with sums in float32, for processors with AVX512-BF16.
//!
//! An instruction multiplies pairs: `sum += a₀ b₀ + a₁ b₁`, where both factors are neighbours along
//! the dimension that is summed over. So matrices are copied into words of two bfloat16 first: the
//! right one in panels of [`COLUMNS`] columns, the left one by rows, or, if it is a transpose, in
//! panels of [`ROWS`] rows. Each element of the result is summed in order by one thread, so that it
//! does not depend on the number of threads.

mod kernel;

use super::matmul::Matrix;
use super::tile::{COLUMNS, ROWS, Tile};
use rayon::prelude::*;

pub(super) use kernel::is_supported;

/// Rows of the result per task.
const ROWS_PER_TASK: usize = 8 * ROWS;

/// The right matrix of a product in panels of columns: word `(pair, column)` of a panel holds two
/// neighbours of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedPanels {
    words: Vec<u32>,
    rows: usize,
    columns: usize,
}

impl PackedPanels {
    /// Copies `matrix`, `[rows, columns]`, which may be a transpose.
    pub(super) fn pack(&mut self, matrix: Matrix<'_>) {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let pairs = rows.div_ceil(2);
        (self.rows, self.columns) = (rows, columns);
        self.words.resize(columns.div_ceil(COLUMNS) * pairs * COLUMNS, 0);
        let panels = self.words.par_chunks_mut((pairs * COLUMNS).max(1));
        panels.enumerate().for_each(|(panel, words)| {
            let first = panel * COLUMNS;
            let width = (columns - first).min(COLUMNS);
            if let Some(values) = matrix.by_columns() {
                // Each column is contiguous.
                let mut column_words = vec![0; pairs];
                for column in 0..width {
                    let values = &values[(first + column) * rows..][..rows];
                    kernel::pair_neighbours(values, &mut column_words);
                    let places = words.iter_mut().skip(column).step_by(COLUMNS);
                    for (to, from) in places.zip(&column_words) {
                        *to = *from;
                    }
                }
            } else {
                let values = matrix.by_rows();
                for (pair, words) in words.chunks_exact_mut(COLUMNS).enumerate() {
                    pair_rows(values, (rows, columns), pair, first, &mut words[..width]);
                }
            }
        });
    }
}

/// The left matrix of a product.
#[derive(Debug, Default)]
pub(super) struct PackedRows {
    words: Vec<u32>,
    rows: usize,
    columns: usize,
    /// The words from a row to the next, and from a pair to the next.
    row_stride: usize,
    pair_stride: usize,
}

impl PackedRows {
    /// Copies `matrix`, `[rows, columns]`, which may be a transpose.
    pub(super) fn pack(&mut self, matrix: Matrix<'_>) {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let pairs = columns.div_ceil(2);
        (self.rows, self.columns) = (rows, columns);
        self.words.resize(rows.div_ceil(ROWS) * ROWS * pairs, 0);
        let groups = self.words.par_chunks_mut((ROWS * pairs).max(1)).enumerate();
        if let Some(values) = matrix.by_columns() {
            (self.row_stride, self.pair_stride) = (1, ROWS);
            groups.for_each(|(group, words)| {
                let first = group * ROWS;
                let width = (rows - first).min(ROWS);
                for (pair, words) in words.chunks_exact_mut(ROWS).enumerate() {
                    pair_rows(values, (columns, rows), pair, first, &mut words[..width]);
                }
            });
        } else {
            (self.row_stride, self.pair_stride) = (pairs, 1);
            let values = matrix.by_rows();
            groups.for_each(|(group, words)| {
                let values = values[group * ROWS * columns..].chunks_exact(columns);
                for (values, words) in values.zip(words.chunks_exact_mut(pairs)) {
                    kernel::pair_neighbours(values, words);
                }
            });
        }
    }
}

/// Pairs row `2 × pair` of a row-major matrix with the next row, or with zeros after the last:
/// `words.len()` columns from `first` on.
fn pair_rows(
    values: &[f32],
    (rows, columns): (usize, usize),
    pair: usize,
    first: usize,
    words: &mut [u32],
) {
    let row = |index: usize| &values[index * columns + first..][..words.len()];
    let second = (2 * pair + 1 < rows).then(|| row(2 * pair + 1));
    kernel::pair_rows(row(2 * pair), second, words);
}

/// `out = left × right`, or `out += left × right` if `add`, on the threads of the current pool;
/// `out` is row-major.
///
/// # Panics
/// If the sizes of the matrices do not match.
pub(super) fn multiply(left: &PackedRows, right: &PackedPanels, out: &mut [f32], add: bool) {
    let (columns, pairs) = (right.columns, right.rows.div_ceil(2));
    assert!(
        left.columns == right.rows && out.len() == left.rows * columns,
        "the sizes of the matrices do not match"
    );
    if out.is_empty() {
        return;
    }
    out.par_chunks_mut(ROWS_PER_TASK * columns).enumerate().for_each(|(task, out)| {
        for panel in 0..columns.div_ceil(COLUMNS) {
            let right = &right.words[panel * pairs * COLUMNS..][..pairs * COLUMNS];
            let first = panel * COLUMNS;
            for (group, out) in out.chunks_mut(ROWS * columns).enumerate() {
                let group = task * ROWS_PER_TASK / ROWS + group;
                kernel::tile(&mut Tile {
                    left: &left.words[group * ROWS * pairs..],
                    row_stride: left.row_stride,
                    stride: left.pair_stride,
                    right,
                    rows: out.len() / columns,
                    columns: (columns - first).min(COLUMNS),
                    out: &mut out[first..],
                    out_stride: columns,
                    add,
                });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ops::testing::normal_values;
    use half::bf16;

    fn rounded(values: &[f32]) -> Vec<f32> {
        values.iter().map(|&value| bf16::from_f32(value).to_f32()).collect()
    }

    fn product(left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], add: bool) {
        let (mut rows, mut panels) = (PackedRows::default(), PackedPanels::default());
        rows.pack(left);
        panels.pack(right);
        multiply(&rows, &panels, out, add);
    }

    #[test]
    fn products_are_sums_of_products_of_rounded_values() {
        for (m, n, k) in [(1, 1, 1), (17, 50, 31), (8, 48, 64), (70, 100, 7), (129, 96, 40)] {
            let (a, b) = (normal_values(m * k, 1.0, 1), normal_values(k * n, 1.0, 2));
            let (left, right) = (rounded(&a), rounded(&b));
            let mut results = vec![vec![0f32; m * n]; 3];
            product(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut results[0], false);
            product(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut results[0], true);
            let by_columns = Matrix::new(&b, n, k).transposed();
            product(Matrix::new(&a, m, k), by_columns, &mut results[1], false);
            let turned = Matrix::new(&a, k, m).transposed();
            product(turned, Matrix::new(&b, k, n), &mut results[2], false);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let sum = |f: &dyn Fn(usize) -> f32| (0..k).map(f).sum::<f32>();
                let expected = [
                    2.0 * sum(&|l| left[i * k + l] * right[l * n + j]),
                    sum(&|l| left[i * k + l] * right[j * k + l]),
                    sum(&|l| left[l * m + i] * right[l * n + j]),
                ];
                for (result, expected) in results.iter().zip(expected) {
                    let difference = (result[i * n + j] - expected).abs();
                    assert!(difference < 1e-4, "{m} {n} {k}: {difference}");
                }
            }
        }
    }

    #[test]
    fn empty_products_are_zero() {
        let mut out = [1f32; 6];
        product(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3), &mut out, false);
        assert_eq!(out, [0.0; 6]);
        product(Matrix::new(&[], 0, 4), Matrix::new(&[1.0; 12], 4, 3), &mut [], false);
    }

    #[test]
    #[should_panic(expected = "do not match")]
    fn mismatched_sizes_are_rejected() {
        product(Matrix::new(&[0.0; 6], 2, 3), Matrix::new(&[0.0; 6], 2, 3), &mut [0.0; 4], false);
    }
}
