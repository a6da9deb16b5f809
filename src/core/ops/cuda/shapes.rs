//! Launch shapes; `kernels/prototypes.h` documents what each kernel expects.

use super::memory::LaunchShape;
use candle_core::{Result, bail};

/// The widest row that one block handles.
const MAX_ROW_WIDTH: usize = 4096;

/// The number of groups of four neighbouring columns, of which each thread handles one.
pub(super) fn groups(width: usize) -> usize {
    width.div_ceil(4)
}

/// One thread per element, with a grid-stride loop over the rest.
pub(super) fn elements(n: usize) -> LaunchShape {
    LaunchShape { grid: [n.div_ceil(256).min(4096), 1, 1], block: [256, 1, 1], shared: 0 }
}

/// `blocks` blocks, each of which handles whole rows.
///
/// # Errors
/// If a row is too wide.
pub(super) fn whole_rows(blocks: usize, width: usize) -> Result<LaunchShape> {
    if width > MAX_ROW_WIDTH {
        bail!("rows of {width} elements are too wide for a GPU; the maximum is {MAX_ROW_WIDTH}");
    }
    let block = [32 * width.div_ceil(128), 1, 1];
    Ok(LaunchShape { grid: [blocks, 1, 1], block, shared: 0 })
}

/// Blocks of `threads` threads, each of which handles four columns of a row.
pub(super) fn columns(rows: usize, width: usize, threads: usize) -> LaunchShape {
    let grid = [rows, groups(width).div_ceil(threads), 1];
    LaunchShape { grid, block: [threads, 1, 1], shared: 0 }
}

/// The split of rows for sums over them in two stages. It depends on nothing but their number, so
/// that the order of additions is the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowChunks {
    /// The rows of a chunk.
    pub rows: usize,
    /// The number of chunks.
    pub count: usize,
}

impl RowChunks {
    pub(super) fn new(rows: usize) -> Self {
        let chunk = rows.div_ceil(256).max(4);
        Self { rows: chunk, count: rows.div_ceil(chunk) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_in_a_chunk_and_there_are_at_most_256() {
        for rows in [0, 1, 4, 5, 1023, 1024, 1025, 100_000] {
            let RowChunks { rows: chunk, count } = RowChunks::new(rows);
            assert!(chunk * count >= rows && count <= 256);
            assert!(count == 0 || chunk * (count - 1) < rows, "no chunk is empty");
        }
    }

    #[test]
    fn rows_that_are_too_wide_are_rejected() {
        assert!(whole_rows(1, 4097).is_err());
        let threads = |width| whole_rows(1, width).ok().map(|shape| shape.block);
        assert_eq!(threads(4096), Some([1024, 1, 1]));
        assert_eq!(threads(1), Some([32, 1, 1]));
    }
}
