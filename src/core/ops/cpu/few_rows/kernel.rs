//! The loops with AVX-512 or AVX2, and in plain Rust for tests on other processors.

#![expect(unsafe_code, reason = "vector instructions that not every processor has")]

use super::super::tile::Tile;
#[cfg(target_arch = "x86_64")]
use super::super::tile::with_rows;

/// Whether the processor has the instructions of one of the loops.
pub(super) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") || has_avx2();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Computes a tile; each element is summed in order.
pub(super) fn tile(tile: &mut Tile<'_, f32>) {
    tile.check();
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the instructions, and the tile is checked.
        return unsafe { with_rows!(avx512::tile, tile) };
    } else if has_avx2() {
        // SAFETY: as above.
        return unsafe { avx2::tile(tile) };
    }
    tile.compute_plainly(|left, right| left * right);
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use crate::core::ops::cpu::tile::registers::{LANES, REGISTERS, store};
    use crate::core::ops::cpu::tile::{COLUMNS, Tile};
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps};

    /// # Safety
    /// The processor has the instructions, `R` is the number of rows, and [`Tile::check`] has passed.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn tile<const R: usize>(tile: &mut Tile<'_, f32>) {
        let mut sums = [[_mm512_setzero_ps(); REGISTERS]; R];
        for (k, panel) in tile.right.chunks_exact(COLUMNS).enumerate() {
            // SAFETY: the caller has checked the range of `left`, and a row of the panel has all
            // columns.
            unsafe {
                let right: [_; REGISTERS] = std::array::from_fn(|register| {
                    _mm512_loadu_ps(panel.as_ptr().add(register * LANES))
                });
                let left = tile.left.as_ptr().add(k * tile.stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let left = _mm512_set1_ps(*left.add(row * tile.row_stride));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = _mm512_fmadd_ps(left, right, *sum);
                    }
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { store(tile, sums) };
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use crate::core::ops::cpu::tile::{COLUMNS, Tile};
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    /// Elements in a register.
    const LANES: usize = 8;

    /// Registers in a row of a part of a tile.
    const REGISTERS: usize = 3;

    /// Columns of a part: its sums and what they are made of fit into sixteen registers.
    const PART: usize = REGISTERS * LANES;

    /// Computes a tile in parts of up to four rows.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA, and [`Tile::check`] has passed.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn tile(tile: &mut Tile<'_, f32>) {
        for row in (0..tile.rows).step_by(4) {
            for column in (0..tile.columns).step_by(PART) {
                // SAFETY: as the caller promises; the part begins within the tile.
                unsafe {
                    match tile.rows - row {
                        1 => part::<1>(tile, row, column),
                        2 => part::<2>(tile, row, column),
                        3 => part::<3>(tile, row, column),
                        _ => part::<4>(tile, row, column),
                    }
                }
            }
        }
    }

    /// # Safety
    /// As [`tile`]; the tile has `R` rows from `first` on, and its columns from `column` on, which is
    /// a multiple of [`PART`], are computed up to the next one.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn part<const R: usize>(tile: &mut Tile<'_, f32>, first: usize, column: usize) {
        let mut sums = [[_mm256_setzero_ps(); REGISTERS]; R];
        for (k, panel) in tile.right.chunks_exact(COLUMNS).enumerate() {
            // SAFETY: the caller has checked the range of `left`, and a row of the panel has all
            // columns.
            unsafe {
                let right: [_; REGISTERS] = std::array::from_fn(|register| {
                    _mm256_loadu_ps(panel.as_ptr().add(column + register * LANES))
                });
                let left = tile.left.as_ptr().add(first * tile.row_stride + k * tile.stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let left = _mm256_set1_ps(*left.add(row * tile.row_stride));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = _mm256_fmadd_ps(left, right, *sum);
                    }
                }
            }
        }
        let end = tile.columns.min(column + PART);
        for (row, sums) in sums.into_iter().enumerate() {
            let mut values = [0f32; PART];
            for (register, sum) in sums.into_iter().enumerate() {
                // SAFETY: each register has its part of the values.
                unsafe { _mm256_storeu_ps(values.as_mut_ptr().add(register * LANES), sum) };
            }
            let out = &mut tile.out[(first + row) * tile.out_stride..][column..end];
            for (to, sum) in out.iter_mut().zip(values) {
                *to = if tile.add { *to + sum } else { sum };
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::core::ops::cpu::tile::{COLUMNS, ROWS};
    use crate::core::ops::testing::normal_values;

    #[test]
    fn avx2_computes_every_size_of_a_tile() {
        if !has_avx2() {
            return;
        }
        let depth = 5;
        let (left, right) =
            (normal_values(ROWS * depth, 1.0, 1), normal_values(depth * COLUMNS, 1.0, 2));
        for (rows, columns) in [(1, 1), (2, 24), (3, 25), (4, 23), (5, 47), (7, 8), (8, 48)] {
            for add in [false, true] {
                let compute = |run: &dyn Fn(&mut Tile<'_, f32>)| {
                    let mut out = vec![1f32; ROWS * COLUMNS];
                    run(&mut Tile {
                        left: &left,
                        row_stride: depth,
                        stride: 1,
                        right: &right,
                        rows,
                        columns,
                        out: &mut out,
                        out_stride: COLUMNS,
                        add,
                    });
                    out
                };
                // SAFETY: the processor has the instructions, and the tile is within its slices.
                let found = compute(&|tile| unsafe { avx2::tile(tile) });
                let expected = compute(&|tile| tile.compute_plainly(|left, right| left * right));
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-5, "{rows} x {columns}");
                }
            }
        }
    }
}
