//! The loops with AVX-512, and in plain Rust for tests on other processors.

#![expect(unsafe_code, reason = "vector instructions that not every processor has")]

use super::{COLUMNS, ROWS};

/// The product of up to [`ROWS`] rows and a panel.
pub(super) struct Tile<'a> {
    /// `[rows, inputs]`.
    pub x: &'a [f32],
    /// `[inputs, COLUMNS]`.
    pub panel: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    /// Element `(row, column)` is `out[row × out_stride + column]`.
    pub out: &'a mut [f32],
    pub out_stride: usize,
    /// Whether to add to `out` instead of overwriting it.
    pub add: bool,
}

/// Whether the processor has the instructions.
pub(super) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Computes a tile; each element is summed in order.
pub(super) fn tile(tile: &mut Tile<'_>) {
    let inputs = tile.panel.len() / COLUMNS;
    assert!(
        (1..=ROWS).contains(&tile.rows)
            && (1..=COLUMNS).contains(&tile.columns)
            && tile.x.len() >= tile.rows * inputs
            && tile.out.len() >= (tile.rows - 1) * tile.out_stride + tile.columns,
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
    let inputs = tile.panel.len() / COLUMNS;
    for row in 0..tile.rows {
        let x = &tile.x[row * inputs..][..inputs];
        let out = &mut tile.out[row * tile.out_stride..][..tile.columns];
        for (column, to) in out.iter_mut().enumerate() {
            let weights = tile.panel.iter().skip(column).step_by(COLUMNS);
            let sum: f32 = x.iter().zip(weights).map(|(x, weight)| x * weight).sum();
            *to = if tile.add { *to + sum } else { sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLUMNS, Tile};
    use std::arch::x86_64::{
        __mmask16, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
        _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    };

    /// Elements in a register.
    const LANES: usize = 16;
    /// Registers in a row of a tile.
    const REGISTERS: usize = COLUMNS / LANES;

    /// # Safety
    /// The processor has the instructions, `R` is the number of rows, and all elements of the tile
    /// are within its slices.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn tile<const R: usize>(tile: &mut Tile<'_>) {
        let inputs = tile.panel.len() / COLUMNS;
        let mut sums = [[_mm512_setzero_ps(); REGISTERS]; R];
        for (input, panel) in tile.panel.chunks_exact(COLUMNS).enumerate() {
            // SAFETY: the caller has checked that `x` has all rows, and a row of the panel has all
            // columns.
            unsafe {
                let weights: [_; REGISTERS] = std::array::from_fn(|register| {
                    _mm512_loadu_ps(panel.as_ptr().add(register * LANES))
                });
                let x = tile.x.as_ptr().add(input);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let factor = _mm512_set1_ps(*x.add(row * inputs));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = _mm512_fmadd_ps(factor, weight, *sum);
                    }
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (register, mut sum) in sums.into_iter().enumerate() {
                let columns = tile.columns.saturating_sub(register * LANES);
                if columns == 0 {
                    break;
                }
                let mask = if columns >= LANES { __mmask16::MAX } else { (1 << columns) - 1 };
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
