//! Products of matrices that are too small for a general GEMM: the scores and the weighted sums of
//! one attention head.

/// Columns that are computed in registers at a time.
pub(super) const LANES: usize = 16;
/// Rows that are computed in registers at a time.
const ROWS: usize = 4;

/// The left matrix: coefficient `(i, l)` is `values[i × row_stride + l × column_stride]`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub values: &'a [f32],
    pub row_stride: usize,
    pub column_stride: usize,
}

/// The right matrix: row `l` starts at `values[l × stride]`.
#[derive(Clone, Copy)]
pub(super) struct RowMajor<'a> {
    pub values: &'a [f32],
    pub stride: usize,
}

/// `out[i × out_stride + j] = Σ_l left(i, l) × right(l, j)` for `i < m`, `j < n`, `l < k`.
///
/// Call it inside [`super::numeric::vectorized`].
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn product(
    (m, n, k): (usize, usize, usize),
    left: Strided<'_>,
    right: RowMajor<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut i = 0;
    while i < m {
        let height = ROWS.min(m - i);
        let rows = Strided { values: &left.values[i * left.row_stride..], ..left };
        let out = &mut out[i * out_stride..];
        let mut j = 0;
        while j + LANES <= n {
            match height {
                4 => tile::<4>(k, rows, right, j, out, out_stride),
                3 => tile::<3>(k, rows, right, j, out, out_stride),
                2 => tile::<2>(k, rows, right, j, out, out_stride),
                _ => tile::<1>(k, rows, right, j, out, out_stride),
            }
            j += LANES;
        }
        for row in 0..height {
            for j in j..n {
                let mut sum = 0f32;
                for l in 0..k {
                    sum += rows.values[row * left.row_stride + l * left.column_stride]
                        * right.values[l * right.stride + j];
                }
                out[row * out_stride + j] = sum;
            }
        }
        i += ROWS;
    }
}

/// `rows` transposed, each row of the result padded with zeros to `padded`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn transpose<'a>(
    rows: RowMajor<'_>,
    (length, width, padded): (usize, usize, usize),
    out: &'a mut Vec<f32>,
) -> RowMajor<'a> {
    out.clear();
    out.resize(width * padded, 0.0);
    for j in 0..length {
        let row = &rows.values[j * rows.stride..][..width];
        for (i, value) in row.iter().enumerate() {
            out[i * padded + j] = *value;
        }
    }
    RowMajor { values: out, stride: padded }
}

/// Computes a tile of `R × LANES` elements.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn tile<const R: usize>(
    k: usize,
    left: Strided<'_>,
    right: RowMajor<'_>,
    j: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut sums = [[0f32; LANES]; R];
    for l in 0..k {
        let lanes = &right.values[l * right.stride + j..][..LANES];
        for (row, sums) in sums.iter_mut().enumerate() {
            let factor = left.values[row * left.row_stride + l * left.column_stride];
            for (sum, lane) in sums.iter_mut().zip(lanes) {
                *sum += factor * lane;
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        out[row * out_stride + j..][..LANES].copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ops::testing::normal_values;

    #[test]
    fn products_of_every_shape_are_correct() {
        for (m, n, k) in [(1, 1, 1), (5, 16, 3), (7, 40, 11), (4, 33, 24), (2, 7, 0)] {
            let (a, b) = (normal_values(m * k, 1.0, 1), normal_values(k * (n + 3), 1.0, 2));
            for transposed in [false, true] {
                let (row_stride, column_stride) = if transposed { (1, m) } else { (k, 1) };
                let left = Strided { values: &a, row_stride, column_stride };
                let mut out = vec![9f32; m * (n + 1)];
                product((m, n, k), left, RowMajor { values: &b, stride: n + 3 }, &mut out, n + 1);
                for i in 0..m {
                    for j in 0..n {
                        let expected: f32 = (0..k)
                            .map(|l| a[i * row_stride + l * column_stride] * b[l * (n + 3) + j])
                            .sum();
                        assert!((out[i * (n + 1) + j] - expected).abs() < 1e-5);
                    }
                    assert_eq!(out[i * (n + 1) + n], 9.0);
                }
            }
        }
    }
}
