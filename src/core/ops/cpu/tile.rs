//! A tile of a matrix product: the rows and columns of the result that fit into the registers of
//! AVX-512. [`super::bf16`] and [`super::few_rows`] fill tiles.

/// Rows of a tile.
pub(super) const ROWS: usize = 8;

/// Columns of a tile.
pub(super) const COLUMNS: usize = 48;

/// The product of up to [`ROWS`] rows of the left matrix and a panel of the right one.
pub(super) struct Tile<'a, T> {
    /// Element `(row, k)` is `left[row × row_stride + k × stride]`.
    pub left: &'a [T],
    pub row_stride: usize,
    pub stride: usize,
    /// The panel, `[depth, COLUMNS]`.
    pub right: &'a [T],
    pub rows: usize,
    pub columns: usize,
    /// Element `(row, column)` is `out[row × out_stride + column]`.
    pub out: &'a mut [f32],
    pub out_stride: usize,
    /// Whether to add to `out` instead of overwriting it.
    pub add: bool,
}

impl<T> Tile<'_, T> {
    /// Checks that all elements are within their slices.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn check(&self) {
        let depth = self.right.len() / COLUMNS;
        let last = |count: usize, stride: usize| count.saturating_sub(1) * stride;
        assert!(
            (1..=ROWS).contains(&self.rows)
                && (1..=COLUMNS).contains(&self.columns)
                && (depth == 0
                    || last(self.rows, self.row_stride) + last(depth, self.stride)
                        < self.left.len())
                && last(self.rows, self.out_stride) + self.columns <= self.out.len(),
            "a tile beyond its matrices"
        );
    }

    /// Computes the tile in plain Rust, for processors without the instructions; `product`
    /// multiplies an element of the left matrix with one of the right.
    pub(super) fn compute_plainly(&mut self, product: impl Fn(&T, &T) -> f32) {
        for row in 0..self.rows {
            let out = &mut self.out[row * self.out_stride..][..self.columns];
            for (column, to) in out.iter_mut().enumerate() {
                let left = self.left[row * self.row_stride..].iter().step_by(self.stride);
                let right = self.right.chunks_exact(COLUMNS).map(|values| &values[column]);
                let sum: f32 = right.zip(left).map(|(right, left)| product(left, right)).sum();
                *to = if self.add { *to + sum } else { sum };
            }
        }
    }
}

/// Calls `$function::<R>(tile)` with the number of rows of the tile as `R`.
#[cfg(target_arch = "x86_64")]
macro_rules! with_rows {
    ($function:path, $tile:expr) => {{
        use $function as function;
        match $tile.rows {
            8 => function::<8>($tile),
            7 => function::<7>($tile),
            6 => function::<6>($tile),
            5 => function::<5>($tile),
            4 => function::<4>($tile),
            3 => function::<3>($tile),
            2 => function::<2>($tile),
            _ => function::<1>($tile),
        }
    }};
}
#[cfg(target_arch = "x86_64")]
pub(super) use with_rows;

/// The registers of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) mod registers {
    #![expect(unsafe_code, reason = "vector instructions that not every processor has")]

    use super::{COLUMNS, Tile};
    use std::arch::x86_64::{
        __m512, __mmask16, _mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    };

    /// Elements in a register.
    pub(in crate::core::ops::cpu) const LANES: usize = 16;

    /// Registers in a row of a tile.
    pub(in crate::core::ops::cpu) const REGISTERS: usize = COLUMNS / LANES;

    /// The mask of the first `count` lanes, at most all.
    pub(in crate::core::ops::cpu) fn first_lanes(count: usize) -> __mmask16 {
        if count >= LANES { __mmask16::MAX } else { (1 << count) - 1 }
    }

    /// Writes the sums of a tile to its result.
    ///
    /// # Safety
    /// The processor has AVX-512, `R` is the number of rows, and [`Tile::check`] has passed.
    #[target_feature(enable = "avx512f")]
    pub(in crate::core::ops::cpu) unsafe fn store<const R: usize, T>(
        tile: &mut Tile<'_, T>,
        sums: [[__m512; REGISTERS]; R],
    ) {
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
