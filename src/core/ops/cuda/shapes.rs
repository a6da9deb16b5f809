//! How work is cut into blocks and threads; `kernels/prototypes.h` says what each kernel expects.

use candle_core::{Result, bail};

/// The widest row that one block takes.
const WIDEST_ROW: usize = 4096;

/// Four neighbouring columns are a thread's.
pub(super) fn groups(width: usize) -> usize {
    width.div_ceil(4)
}

/// The threads of a block that takes a whole row.
///
/// # Errors
/// If a row is too wide.
pub(super) fn row(width: usize) -> Result<[usize; 3]> {
    if width > WIDEST_ROW {
        bail!("rows of {width} numbers; a GPU takes at most {WIDEST_ROW}");
    }
    Ok([32 * width.div_ceil(128), 1, 1])
}

/// The grid and the threads of a block, where each thread takes four columns of a row.
pub(super) fn columns(rows: usize, width: usize, threads: usize) -> ([usize; 3], [usize; 3]) {
    ([rows, groups(width).div_ceil(threads), 1], [threads, 1, 1])
}

/// How rows are split where sums over them are taken in two stages. The split depends on nothing
/// but their number, so that the order of additions is the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// The rows of a chunk.
    pub rows: usize,
    /// How many chunks.
    pub count: usize,
}

impl Chunks {
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
            let Chunks { rows: chunk, count } = Chunks::new(rows);
            assert!(chunk * count >= rows && count <= 256);
            assert!(count == 0 || chunk * (count - 1) < rows, "none is empty");
        }
    }

    #[test]
    fn rows_that_are_too_wide_are_refused() {
        assert!(row(4097).is_err());
        assert_eq!(row(4096).ok(), Some([1024, 1, 1]));
        assert_eq!(row(1).ok(), Some([32, 1, 1]));
    }
}
