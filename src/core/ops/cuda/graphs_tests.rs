//! Which lists become graphs, and how many are kept.

use super::*;
use crate::core::ops::cuda::Precision;
use crate::core::ops::cuda::commands::FixedCall;
use crate::core::ops::cuda::driver::{DevicePointer, Launch};
use crate::core::ops::cuda::emulator::{BEGIN_CAPTURE, Emulated, LAUNCH_GRAPH};

const MEMORY: usize = 4096;

/// Graphs of clears of one piece of memory.
struct Clears {
    graphs: Graphs<Emulated>,
    driver: Emulated,
    start: DevicePointer,
}

impl Clears {
    fn new() -> Result<Self> {
        let driver = Emulated::new(Precision::Full);
        let start = driver.allocate(MEMORY)?;
        let mut graphs = Graphs::default();
        graphs.enable(true);
        Ok(Self { graphs, driver, start })
    }

    /// Submits a list of `count` clears of so many bytes.
    fn submit(&mut self, count: usize, bytes: usize) -> Result<()> {
        self.graphs.collect(true, &self.driver)?;
        let list = self.graphs.list().expect("a list");
        (0..count).for_each(|_| list.call(FixedCall::Clear { start: self.start, bytes }));
        self.graphs.collect(false, &self.driver)
    }

    /// How many graphs were captured and launched.
    fn counts(&self) -> [usize; 2] {
        [BEGIN_CAPTURE, LAUNCH_GRAPH].map(|call| self.driver.launches(call))
    }
}

impl Drop for Clears {
    fn drop(&mut self) {
        // SAFETY: it was allocated in `new`, and nothing uses it any more.
        unsafe { self.driver.free(self.start) };
    }
}

#[test]
fn a_list_that_comes_again_is_captured_unless_it_is_short() -> Result<()> {
    let mut clears = Clears::new()?;
    for expected in [[0, 0], [1, 1], [1, 2], [1, 3]] {
        clears.submit(MIN_COMMANDS, 100)?;
        assert_eq!(clears.counts(), expected);
    }
    for _ in 0..3 {
        clears.submit(MIN_COMMANDS - 1, 100)?;
    }
    // Other bytes are another list.
    clears.submit(MIN_COMMANDS, 101)?;
    assert_eq!(clears.counts(), [1, 3]);
    // Without graphs nothing is collected.
    clears.graphs.enable(false);
    clears.graphs.collect(true, &clears.driver)?;
    assert!(clears.graphs.list().is_none());
    Ok(())
}

#[test]
fn the_graph_that_was_not_used_for_the_longest_time_makes_way() -> Result<()> {
    let mut clears = Clears::new()?;
    for bytes in 1..=MAX_GRAPHS {
        clears.submit(MIN_COMMANDS, bytes)?;
        clears.submit(MIN_COMMANDS, bytes)?;
    }
    assert_eq!(clears.counts(), [MAX_GRAPHS, MAX_GRAPHS]);
    // The first one is used again, so that the second makes way.
    clears.submit(MIN_COMMANDS, 1)?;
    clears.submit(MIN_COMMANDS, MAX_GRAPHS + 1)?;
    clears.submit(MIN_COMMANDS, MAX_GRAPHS + 1)?;
    assert_eq!(clears.graphs.captured.len(), MAX_GRAPHS);
    let [captured, launched] = clears.counts();
    clears.submit(MIN_COMMANDS, 1)?;
    assert_eq!(clears.counts(), [captured, launched + 1]);
    clears.submit(MIN_COMMANDS, 2)?;
    assert_eq!(clears.counts(), [captured, launched + 1], "its graph is gone");
    clears.submit(MIN_COMMANDS, 2)?;
    assert_eq!(clears.counts(), [captured + 1, launched + 2]);
    Ok(())
}

#[test]
fn an_error_that_cannot_be_returned_is_returned_by_the_next_call() -> Result<()> {
    let mut clears = Clears::new()?;
    clears.graphs.collect(true, &clears.driver)?;
    let (kernel, arguments) = ("no such kernel", &[][..]);
    let launch = Launch { kernel, grid: [1; 3], block: [1; 3], shared: 0, arguments };
    clears.graphs.list().expect("a list").launch(launch);
    clears.graphs.submit_and_keep_error(&clears.driver);
    let error = clears.graphs.submit(&clears.driver).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("no such kernel")));
    assert!(clears.graphs.submit(&clears.driver).is_ok(), "once");
    Ok(())
}

#[test]
fn products_have_few_sizes_and_little_padding() {
    let rows = [0, 1, 64, 65, 640, 641, 4096, 4097, 25_600, 25_601];
    let expected = [0, 64, 64, 128, 640, 704, 4096, 4224, 25_600, 26_112];
    assert_eq!(rows.map(padded_rows), expected);
    assert!((4096..100_000).all(|rows| (padded_rows(rows) - rows) * 32 <= rows));
}
