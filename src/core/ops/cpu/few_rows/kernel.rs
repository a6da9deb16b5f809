//! The loops with AVX-512, and in plain Rust for tests on other processors.

#![expect(unsafe_code, reason = "vector instructions that not every processor has")]

use super::super::tile::Tile;
#[cfg(target_arch = "x86_64")]
use super::super::tile::with_rows;

/// Whether the processor has the instructions.
pub(super) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Computes a tile; each element is summed in order.
pub(super) fn tile(tile: &mut Tile<'_, f32>) {
    tile.check();
    #[cfg(target_arch = "x86_64")]
    if is_supported() {
        // SAFETY: the processor has the instructions, and the tile is checked.
        return unsafe { with_rows!(x86::tile, tile) };
    }
    tile.compute_plainly(|left, right| left * right);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
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
