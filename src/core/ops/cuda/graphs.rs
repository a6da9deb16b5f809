//! CUDA graphs of training steps: what a step adds to the queue is launched as one.
//!
//! A small model is bound by the launches of its kernels. Within a step, kernels, products, copies and
//! clears are therefore collected in a list instead of the queue, until something else follows: an
//! upload, a download, memory that is freed, or the end of the step. Usually that is everything from
//! the embeddings to the update. The list is then submitted in one of three ways:
//!
//! - If a graph was captured of a list of the same shape (the same kernels and, address by address, the
//!   same products), the kernels whose arguments differ get the new ones, and the graph is launched.
//!   Number of tokens, keys of dropout, places in the batch, learning rate and whatever else varies from
//!   step to step are arguments of kernels: nothing about them is assumed.
//! - If a list of this shape comes for the second time, a graph is captured of it. By then libraries have
//!   loaded and allocated what they need for it.
//! - Otherwise each call is made.
//!
//! Products are cuBLAS's, and their sizes cannot be changed. So that batches of any lengths have few
//! shapes, products compute a multiple of 64 rows, or of more in large batches, on memory after the rows
//! that is set to zero where it is added up; nothing reads the other rows of their results.
//!
//! A buffer that is allocated anew has another address, so that graphs of the old one are not found any
//! more. If a graph cannot be captured, changed or launched, the list is submitted call by call, and no
//! graphs are used from then on. Where ranks add up gradients by NCCL, in a queue of its own beside this
//! one, nothing is collected.

#![expect(unsafe_code, reason = "the driver takes addresses")]

use super::commands::{Commands, is_same};
use super::driver::Driver;
use candle_core::{Error, Result};
use std::collections::HashSet;

/// The rows of products are multiples of this or, where that is more, of one part in so many of the next
/// power of two: at most one row in 32 is padding in large batches.
const ROW_MULTIPLE: usize = 64;

/// Shorter lists are submitted call by call.
const MIN_COMMANDS: usize = 8;

/// The most graphs; the one that was not used for the longest time makes way for a new one.
const MAX_GRAPHS: usize = 48;

/// The most shapes that are remembered until they come again.
const MAX_SEEN: usize = 1024;

/// The rows that products compute for this many.
pub(super) fn padded_rows(rows: usize) -> usize {
    rows.next_multiple_of(ROW_MULTIPLE.max(rows.next_power_of_two() / ROW_MULTIPLE))
}

/// A graph of a list of commands.
struct Captured<D: Driver> {
    graph: D::Graph,
    commands: Commands,
    /// When it was launched last.
    used: u64,
}

/// The commands that were collected, and the graphs of earlier ones.
pub(super) struct Graphs<D: Driver> {
    captured: Vec<Captured<D>>,
    /// The shapes that came once.
    seen: HashSet<u64>,
    /// What is not in the queue yet.
    pending: Commands,
    is_collecting: bool,
    is_enabled: bool,
    /// The number of graphs that were launched.
    launches: u64,
    /// Why there are no graphs any more, if it was not told yet.
    warning: Option<String>,
    /// An error of commands that were submitted where it could not be returned.
    failure: Option<Error>,
}

impl<D: Driver> Default for Graphs<D> {
    fn default() -> Self {
        Self {
            captured: Vec::new(),
            seen: HashSet::new(),
            pending: Commands::default(),
            is_collecting: false,
            is_enabled: false,
            launches: 0,
            warning: None,
            failure: None,
        }
    }
}

impl<D: Driver> Graphs<D> {
    /// Allows graphs or, what is captured being lost, forbids them.
    pub(super) fn enable(&mut self, is_enabled: bool) {
        self.is_enabled = is_enabled;
        self.is_collecting &= is_enabled;
        if !is_enabled {
            self.captured.clear();
            self.seen.clear();
        }
    }

    /// Begins or ends collecting; nothing is collected without graphs. What was collected is submitted.
    pub(super) fn collect(&mut self, collects: bool, driver: &D) -> Result<()> {
        self.is_collecting = collects && self.is_enabled;
        self.submit(driver)
    }

    /// The list to add commands to, where they are collected.
    pub(super) fn list(&mut self) -> Option<&mut Commands> {
        self.is_collecting.then_some(&mut self.pending)
    }

    /// The number of graphs that were launched.
    pub(super) fn launches(&self) -> u64 {
        self.launches
    }

    /// Why there are no graphs any more, the first time that it is asked.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    /// Adds what was collected to the queue, and returns an error at the next [`Self::submit`].
    pub(super) fn submit_and_keep_error(&mut self, driver: &D) {
        if let Err(error) = self.submit(driver) {
            self.failure = Some(error);
        }
    }

    /// Adds what was collected to the queue.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn submit(&mut self, driver: &D) -> Result<()> {
        if let Some(error) = self.failure.take() {
            self.pending.clear();
            return Err(error);
        }
        if self.pending.len() == 0 {
            return Ok(());
        }
        let mut commands = std::mem::take(&mut self.pending);
        let mut outcome = Ok(false);
        if self.is_enabled && commands.len() >= MIN_COMMANDS {
            // SAFETY: memory is not freed before the commands that use it are submitted; what they were
            // given was checked where they were collected.
            outcome = unsafe { self.launch(&mut commands, driver) };
        }
        let submitted = match outcome {
            Ok(true) => Ok(()),
            // SAFETY: as above.
            Ok(false) => unsafe { commands.submit(driver) },
            Err(error) => {
                self.enable(false);
                // SAFETY: as above; a graph that fails has added nothing to the queue.
                let submitted = unsafe { commands.submit(driver) };
                self.warning = Some(format!(
                    "CUDA graphs fail on this GPU ({error}), so kernels are launched one by one; please \
                     report this"
                ));
                submitted
            }
        };
        commands.clear();
        self.pending = commands;
        submitted
    }

    /// Launches a graph of these commands, which are replaced by older ones; `false` if there is none and
    /// they came for the first time.
    ///
    /// # Safety
    /// Each command is as the driver requires.
    unsafe fn launch(&mut self, commands: &mut Commands, driver: &D) -> Result<bool> {
        let found = self.captured.iter().position(|known| known.commands.has_shape_of(commands));
        let index = if let Some(index) = found {
            let Captured { graph, commands: old, .. } = &mut self.captured[index];
            let pairs = old.launches().zip(commands.launches()).enumerate();
            for (kernel, (_, new)) in pairs.filter(|(_, (old, new))| !is_same(*old, *new)) {
                // SAFETY: both are of the same kernel; the caller guarantees the launch.
                unsafe { driver.update_graph(graph, kernel, new)? };
            }
            std::mem::swap(old, commands);
            index
        } else {
            let shape = commands.shape();
            if !self.seen.remove(&shape) {
                if self.seen.len() >= MAX_SEEN {
                    self.seen.clear();
                }
                self.seen.insert(shape);
                return Ok(false);
            }
            // SAFETY: the caller guarantees the commands.
            let graph = unsafe { capture(commands, driver)? };
            self.make_room();
            self.captured.push(Captured { graph, commands: commands.clone(), used: 0 });
            self.captured.len() - 1
        };
        let known = &mut self.captured[index];
        // SAFETY: the graph's calls are the commands.
        let launched = unsafe { driver.launch_graph(&known.graph) };
        if let Err(error) = launched {
            if found.is_some() {
                std::mem::swap(&mut known.commands, commands);
            }
            return Err(error);
        }
        self.launches += 1;
        known.used = self.launches;
        Ok(true)
    }

    /// Makes room for one more graph.
    fn make_room(&mut self) {
        if self.captured.len() >= MAX_GRAPHS {
            let used = self.captured.iter().enumerate().map(|(index, known)| (known.used, index));
            if let Some((_, oldest)) = used.min() {
                self.captured.swap_remove(oldest);
            }
        }
    }
}

/// A graph of these commands; none of them is added to the queue.
///
/// # Safety
/// Each command is as the driver requires.
unsafe fn capture<D: Driver>(commands: &Commands, driver: &D) -> Result<D::Graph> {
    driver.begin_capture()?;
    // SAFETY: the caller guarantees the commands.
    let submitted = unsafe { commands.submit(driver) };
    let graph = driver.end_capture();
    submitted.and(graph)
}

#[cfg(test)]
#[cfg(unix)]
#[path = "graphs_tests.rs"]
mod tests;
