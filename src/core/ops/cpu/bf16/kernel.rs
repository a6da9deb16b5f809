//! The loops over words of two bfloat16: with AVX512-BF16, and in plain Rust for tests on other
//! processors.

#![expect(unsafe_code, reason = "vector instructions that not every processor has")]

use super::super::tile::Tile;
#[cfg(target_arch = "x86_64")]
use super::super::tile::with_rows;
use half::bf16;

/// Whether the processor has the instructions.
pub(in crate::core::ops::cpu) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Two bfloat16 in one word.
fn word(first: f32, second: f32) -> u32 {
    u32::from(bf16::from_f32(first).to_bits()) | u32::from(bf16::from_f32(second).to_bits()) << 16
}

/// Pairs neighbouring values; an odd last one is paired with zero.
pub(super) fn pair_neighbours(values: &[f32], words: &mut [u32]) {
    assert_eq!(words.len(), values.len().div_ceil(2));
    #[cfg(target_arch = "x86_64")]
    if is_supported() {
        // SAFETY: the processor has the instructions, and the lengths match.
        return unsafe { x86::pair_neighbours(values, words) };
    }
    pair_neighbours_plainly(values, words);
}

fn pair_neighbours_plainly(values: &[f32], words: &mut [u32]) {
    for (pair, to) in values.chunks(2).zip(words) {
        *to = word(pair[0], pair.get(1).copied().unwrap_or(0.0));
    }
}

/// Pairs the values of two rows column by column; `None` is a row of zeros.
pub(super) fn pair_rows(first: &[f32], second: Option<&[f32]>, words: &mut [u32]) {
    assert!(first.len() == words.len() && second.is_none_or(|row| row.len() == words.len()));
    #[cfg(target_arch = "x86_64")]
    if is_supported() {
        // SAFETY: the processor has the instructions, and the lengths match.
        return unsafe { x86::pair_rows(first, second, words) };
    }
    for (column, to) in words.iter_mut().enumerate() {
        *to = word(first[column], second.map_or(0.0, |row| row[column]));
    }
}

/// Computes a tile of words.
pub(super) fn tile(tile: &mut Tile<'_, u32>) {
    tile.check();
    #[cfg(target_arch = "x86_64")]
    if is_supported() {
        // SAFETY: the processor has the instructions, and the tile is checked.
        return unsafe { with_rows!(x86::tile, tile) };
    }
    let halves = |word: u32| [word << 16, word & 0xffff_0000].map(f32::from_bits);
    tile.compute_plainly(|&left, &right| {
        let ([a, b], [c, d]) = (halves(left), halves(right));
        a * c + b * d
    });
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::pair_neighbours_plainly;
    use crate::core::ops::cpu::tile::registers::{LANES, REGISTERS, first_lanes, store};
    use crate::core::ops::cpu::tile::{COLUMNS, Tile};
    use std::arch::x86_64::{
        __m256bh, __m256i, __m512bh, __m512i, _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh,
        _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
        _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_set1_epi32,
        _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_si512,
    };
    use std::mem::transmute;

    /// # Safety
    /// The processor has the instructions, and `words` has half as many elements as `values`,
    /// rounded up.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn pair_neighbours(values: &[f32], words: &mut [u32]) {
        let whole = values.len() / (2 * LANES) * LANES;
        let (head, tail) = words.split_at_mut(whole);
        for (to, from) in head.chunks_exact_mut(LANES).zip(values.chunks_exact(2 * LANES)) {
            // SAFETY: `from` has 32 values, and `to` has 16 words. The two types of a register have
            // the same bits.
            unsafe {
                let low = _mm512_loadu_ps(from.as_ptr());
                let high = _mm512_loadu_ps(from.as_ptr().add(LANES));
                let both: __m512i = transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(to.as_mut_ptr().cast(), both);
            }
        }
        pair_neighbours_plainly(&values[2 * whole..], tail);
    }

    /// # Safety
    /// The processor has the instructions, and the rows have as many elements as `words`.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn pair_rows(first: &[f32], second: Option<&[f32]>, words: &mut [u32]) {
        let rounded = |row: &[f32], at: usize, mask| {
            // SAFETY: the lanes of the mask are within the row. The two types of a register have
            // the same bits.
            unsafe {
                let values = _mm512_maskz_loadu_ps(mask, row.as_ptr().add(at));
                _mm512_cvtepu16_epi32(transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(values)))
            }
        };
        for at in (0..words.len()).step_by(LANES) {
            let mask = first_lanes(words.len() - at);
            let mut both = rounded(first, at, mask);
            if let Some(second) = second {
                both = _mm512_or_si512(both, _mm512_slli_epi32::<16>(rounded(second, at, mask)));
            }
            // SAFETY: the lanes of the mask are within `words`.
            unsafe { _mm512_mask_storeu_epi32(words.as_mut_ptr().add(at).cast(), mask, both) };
        }
    }

    /// # Safety
    /// The processor has the instructions, `R` is the number of rows, and [`Tile::check`] has passed.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn tile<const R: usize>(tile: &mut Tile<'_, u32>) {
        let mut sums = [[_mm512_setzero_ps(); REGISTERS]; R];
        for (pair, panel) in tile.right.chunks_exact(COLUMNS).enumerate() {
            // SAFETY: the caller has checked the range of `left`, and a row of the panel has all
            // columns. The two types of a register have the same bits.
            unsafe {
                let right: [__m512bh; REGISTERS] = std::array::from_fn(|register| {
                    let from = panel.as_ptr().add(register * LANES);
                    transmute::<__m512i, _>(_mm512_loadu_si512(from.cast()))
                });
                let left = tile.left.as_ptr().add(pair * tile.stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both = (*left.add(row * tile.row_stride)).cast_signed();
                    let left: __m512bh = transmute::<__m512i, _>(_mm512_set1_epi32(both));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = _mm512_dpbf16_ps(*sum, left, right);
                    }
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { store(tile, sums) };
    }
}
