//! The loops over words of two bfloat16: with AVX512-BF16, and in plain Rust for tests on other
//! processors.

#![expect(unsafe_code, reason = "vector instructions that not every processor has")]

use super::{COLUMNS, ROWS};
use half::bf16;

/// The product of up to [`ROWS`] rows and a panel.
pub(super) struct Tile<'a> {
    /// Word `(row, pair)` is `left[row × row_stride + pair × pair_stride]`.
    pub left: &'a [u32],
    pub row_stride: usize,
    pub pair_stride: usize,
    /// `[pairs, COLUMNS]`.
    pub right: &'a [u32],
    pub rows: usize,
    pub columns: usize,
    /// Element `(row, column)` is `out[row × out_stride + column]`.
    pub out: &'a mut [f32],
    pub out_stride: usize,
    /// Whether to add to `out` instead of overwriting it.
    pub add: bool,
}

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

/// Computes a tile.
pub(super) fn tile(tile: &mut Tile<'_>) {
    let pairs = tile.right.len() / COLUMNS;
    let last = |count: usize, stride: usize| count.saturating_sub(1) * stride;
    assert!(
        (1..=ROWS).contains(&tile.rows)
            && (1..=COLUMNS).contains(&tile.columns)
            && (pairs == 0
                || last(tile.rows, tile.row_stride) + last(pairs, tile.pair_stride)
                    < tile.left.len())
            && last(tile.rows, tile.out_stride) + tile.columns <= tile.out.len(),
        "a tile beyond its matrices"
    );
    #[cfg(target_arch = "x86_64")]
    if is_supported() {
        // SAFETY: the processor has the instructions, and the assertion above checks that all
        // elements are within their slices.
        return unsafe {
            match tile.rows {
                8 => x86::tile::<8>(tile),
                7 => x86::tile::<7>(tile),
                6 => x86::tile::<6>(tile),
                5 => x86::tile::<5>(tile),
                4 => x86::tile::<4>(tile),
                3 => x86::tile::<3>(tile),
                2 => x86::tile::<2>(tile),
                _ => x86::tile::<1>(tile),
            }
        };
    }
    tile_plainly(tile);
}

fn tile_plainly(tile: &mut Tile<'_>) {
    let halves = |word: u32| [word << 16, word & 0xffff_0000].map(f32::from_bits);
    for row in 0..tile.rows {
        let out = &mut tile.out[row * tile.out_stride..][..tile.columns];
        for (column, to) in out.iter_mut().enumerate() {
            let mut sum = 0f32;
            for (pair, right) in tile.right.chunks_exact(COLUMNS).enumerate() {
                let left = tile.left[row * tile.row_stride + pair * tile.pair_stride];
                let ([a, b], [c, d]) = (halves(left), halves(right[column]));
                sum += a * c + b * d;
            }
            *to = if tile.add { *to + sum } else { sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLUMNS, Tile, pair_neighbours_plainly};
    use std::arch::x86_64::{
        __m256bh, __m256i, __m512bh, __m512i, __mmask16, _mm512_add_ps, _mm512_cvtepu16_epi32,
        _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        _mm512_or_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_slli_epi32,
        _mm512_storeu_si512,
    };
    use std::mem::transmute;

    /// Elements in a register.
    const LANES: usize = 16;
    /// Registers in a row of a tile.
    const REGISTERS: usize = COLUMNS / LANES;

    /// The mask of the first `count` lanes, at most all.
    fn first_lanes(count: usize) -> __mmask16 {
        if count >= LANES { __mmask16::MAX } else { (1 << count) - 1 }
    }

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
    /// The processor has the instructions, `R` is the number of rows, and all elements of the tile
    /// are within its slices.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn tile<const R: usize>(tile: &mut Tile<'_>) {
        let mut sums = [[_mm512_setzero_ps(); REGISTERS]; R];
        for (pair, panel) in tile.right.chunks_exact(COLUMNS).enumerate() {
            // SAFETY: the caller has checked the range of `left`, and a row of the panel has all
            // columns. The two types of a register have the same bits.
            unsafe {
                let right: [__m512bh; REGISTERS] = std::array::from_fn(|register| {
                    let from = panel.as_ptr().add(register * LANES);
                    transmute::<__m512i, _>(_mm512_loadu_si512(from.cast()))
                });
                let left = tile.left.as_ptr().add(pair * tile.pair_stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both = (*left.add(row * tile.row_stride)).cast_signed();
                    let left: __m512bh = transmute::<__m512i, _>(_mm512_set1_epi32(both));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = _mm512_dpbf16_ps(*sum, left, right);
                    }
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (register, mut sum) in sums.into_iter().enumerate() {
                let mask = first_lanes(tile.columns.saturating_sub(register * LANES));
                if mask == 0 {
                    break;
                }
                // SAFETY: the lanes of the mask are within `out`, which the caller has checked.
                unsafe {
                    let out = tile.out.as_mut_ptr();
                    let out = out.add(row * tile.out_stride + register * LANES);
                    if tile.add {
                        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out));
                    }
                    _mm512_mask_storeu_ps(out, mask, sum);
                }
            }
        }
    }
}
