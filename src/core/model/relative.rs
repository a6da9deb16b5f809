//! Relative positions in attention: the disentangled attention of `DeBERTa` (He et al., 2021,
//! "Decoding-enhanced BERT with Disentangled Attention", and its logarithmic buckets of version 2).
//!
//! A table has a row for each bucket of distances. From its rows, each layer computes keys `K_r`, which
//! the queries of tokens are multiplied with (`c2p`), and queries `Q_r`, which the keys of tokens are
//! multiplied with (`p2c`):
//!
//! ```text
//! score(i, j) = q_i · k_j + q_i · K_r[row(i - j)] + k_j · Q_r[row(i - j)]
//! ```
//!
//! In transformers the last index is that of the opposite distance, `j - i`, with the sign changed, which
//! is the same row.

use crate::core::ops::backend::RelativeRows;
use std::ops::Range;

/// How a model uses relative positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativePositions {
    /// The row of distance 0: half of the table's rows.
    pub span: usize,
    /// The number of logarithmic buckets; `None` if each distance up to the span has a row of its own.
    pub buckets: Option<usize>,
    /// The longest distance that the buckets tell apart.
    pub max_distance: usize,
    /// Whether `c2p` is in `pos_att_type`.
    pub keys: bool,
    /// Whether `p2c` is in `pos_att_type`.
    pub queries: bool,
    /// Whether keys and queries of positions are computed with the weights of the tokens' own.
    pub shared: bool,
    /// Whether the table's rows are normalized.
    pub normed: bool,
}

impl RelativePositions {
    /// The number of rows of the table.
    pub fn table_rows(&self) -> usize {
        2 * self.span
    }

    /// The row of the table for a distance: position of the query minus position of the key.
    pub fn row(&self, distance: isize) -> u32 {
        let bucket = match self.buckets {
            Some(buckets) => logarithmic_bucket(distance, buckets, self.max_distance),
            None => distance,
        };
        let last = self.table_rows().cast_signed() - 1;
        bucket.saturating_add(self.span.cast_signed()).clamp(0, last) as u32
    }

    /// The rows of the table for the distances within sequences of up to this many tokens.
    pub fn range(&self, longest: usize) -> Range<usize> {
        let reach = longest.cast_signed() - 1;
        if reach < 0 { 0..0 } else { self.row(-reach) as usize..self.row(reach) as usize + 1 }
    }

    /// The rows for all distances between tokens of sequences of up to this many tokens.
    pub fn rows(&self, longest: usize) -> RelativeRows {
        let reach = longest.cast_signed();
        RelativeRows::new((1 - reach..reach).map(|distance| self.row(distance)).collect())
    }

    /// The number of projections of the table that a layer has: its keys and its queries.
    pub fn projections(&self) -> usize {
        usize::from(self.keys) + usize::from(self.queries)
    }
}

/// transformers' `make_log_bucket_position`, with its rounding: distances up to half of the buckets are
/// their own buckets, longer ones share buckets whose sizes grow exponentially.
fn logarithmic_bucket(distance: isize, buckets: usize, max_distance: usize) -> isize {
    let middle = buckets / 2;
    if distance.unsigned_abs() <= middle {
        return distance;
    }
    let half = middle as f32;
    let longest = (((max_distance - 1) as f64 / middle as f64) as f32).ln();
    let position = (distance.unsigned_abs() as f32 / half).ln() / longest * (half - 1.0);
    (position.ceil() + half) as isize * distance.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `build_relative_position` of transformers 5.24, for a query at position 0 or at the end.
    #[test]
    fn buckets_are_those_of_transformers() {
        let of = |buckets, max_distance| {
            move |distances: &[isize]| -> Vec<isize> {
                let bucket = |&distance| logarithmic_bucket(distance, buckets, max_distance);
                distances.iter().map(bucket).collect()
            }
        };
        let distances = [0, 1, 8, 9, 10, 11, 12, 15, 20, 26, 39, 60, -8, -9, -39];
        let expected: &[isize] = &[0, 1, 8, 9, 9, 10, 10, 11, 13, 14, 15, 17, -8, -9, -15];
        assert_eq!(of(16, 40)(&distances), expected);
        let distances = [127, 128, 129, 130, 200, 300, 400, 511, 512, 600, -129, -511];
        assert_eq!(
            of(256, 512)(&distances),
            [127, 128, 129, 130, 169, 207, 233, 255, 256, 270, -129, -255]
        );
    }

    #[test]
    fn rows_never_decrease_and_stay_within_the_table() {
        let relative = RelativePositions {
            span: 16,
            buckets: Some(16),
            max_distance: 40,
            keys: true,
            queries: true,
            shared: true,
            normed: false,
        };
        let apart = RelativePositions { buckets: None, span: 12, ..relative };
        for relative in [relative, apart] {
            let rows = relative.rows(100);
            assert_eq!(rows.longest(), 100);
            let all: Vec<usize> = (-99..100).map(|distance| rows.row(distance)).collect();
            assert!(all.is_sorted());
            assert!(all.iter().all(|&row| row < relative.table_rows()));
            assert_eq!(rows.row(0), relative.span);
            assert_eq!((rows.range(100), rows.range(0)), (relative.range(100), relative.range(0)));
        }
        assert_eq!(apart.rows(100).row(99), 23);
        assert_eq!(apart.rows(100).row(-99), 0);
    }
}
