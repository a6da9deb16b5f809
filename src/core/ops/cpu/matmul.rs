//! Matrix products, computed by the `gemm` crate.

#![expect(unsafe_code, reason = "gemm takes pointers; the bounds are checked here")]

use gemm::Parallelism;

/// A row-major matrix within a slice, or its transpose.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `values` as `[rows, columns]`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose, over the same values.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The values of a matrix whose rows are contiguous.
    pub(super) fn by_rows(&self) -> &'a [f32] {
        self.values
    }

    /// The values, column after column, if this is a transpose.
    pub(super) fn by_columns(&self) -> Option<&'a [f32]> {
        // The strides of a matrix of one row or column may be those of both.
        (self.row_stride == 1 && self.column_stride == self.rows).then_some(self.values)
    }

    fn fits(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride
                < self.values.len()
    }
}

/// `out = left × right`, or `out += left × right` if `add`, on the threads of the current pool;
/// `out` is row-major. The order of additions does not depend on the number of threads.
///
/// # Panics
/// If the sizes of the matrices do not match.
pub fn matmul(left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], add: bool) {
    let (m, k, n) = (left.rows, left.columns, right.columns);
    assert!(
        left.fits() && right.fits() && right.rows == k && out.len() == m * n,
        "the sizes of the matrices do not match"
    );
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    // SAFETY: the assertion above checks that all three matrices are within their slices; `out` is
    // borrowed mutably, so it overlaps neither factor, and gemm keeps no pointer.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ops::testing::normal_values;

    #[test]
    fn products_are_sums_of_products() {
        let (m, k, n) = (37, 29, 41);
        let (a, b) = (normal_values(m * k, 1.0, 1), normal_values(k * n, 1.0, 2));
        let expected = |i: usize, j: usize| -> f32 {
            (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f32>()
        };
        let mut out = vec![0f32; m * n];
        matmul(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut out, false);
        matmul(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut out, true);
        let mut transposed = vec![0f32; n * m];
        let (left, right) = (Matrix::new(&b, k, n), Matrix::new(&a, m, k));
        matmul(left.transposed(), right.transposed(), &mut transposed, false);
        for i in 0..m {
            for j in 0..n {
                assert!((out[i * n + j] - 2.0 * expected(i, j)).abs() < 1e-4);
                assert!((transposed[j * m + i] - expected(i, j)).abs() < 1e-4);
            }
        }
    }

    #[test]
    #[should_panic(expected = "do not match")]
    fn mismatched_sizes_are_rejected() {
        matmul(Matrix::new(&[0.0; 6], 2, 3), Matrix::new(&[0.0; 6], 2, 3), &mut [0.0; 4], false);
    }
}
