//! Graphs of the emulated GPU: calls that are listed, and made when the graph is launched.

use super::Emulated;
use crate::core::ops::cuda::commands::Commands;
use crate::core::ops::cuda::driver::{KernelArgument, Launch};
use candle_core::{Result, bail};
use std::sync::{MutexGuard, PoisonError};

/// The names of calls for graphs, in counts and faults.
pub(crate) const BEGIN_CAPTURE: &str = "begin a capture";
pub(crate) const END_CAPTURE: &str = "end a capture";
pub(crate) const UPDATE_GRAPH: &str = "update a graph";
pub(crate) const LAUNCH_GRAPH: &str = "launch a graph";

impl Emulated {
    fn capture(&self) -> MutexGuard<'_, Option<Commands>> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call to the graph that is being captured; `false` if none is.
    pub(super) fn captures(&self, add: impl FnOnce(&mut Commands)) -> bool {
        self.capture().as_mut().map(add).is_some()
    }

    /// Fails while a graph is being captured.
    pub(super) fn forbid_in_capture(&self, what: &str) -> Result<()> {
        if self.capture().is_some() {
            bail!("{what} while a graph is captured");
        }
        Ok(())
    }

    pub(super) fn start_capture(&self) -> Result<()> {
        self.forbid_in_capture(BEGIN_CAPTURE)?;
        self.note_launch(BEGIN_CAPTURE)?;
        *self.capture() = Some(Commands::default());
        Ok(())
    }

    pub(super) fn finish_capture(&self) -> Result<Commands> {
        let captured = self.capture().take();
        self.note_launch(END_CAPTURE)?;
        captured.map_or_else(|| bail!("no graph is captured"), Ok)
    }

    /// Replaces a launch; if that is wrong, without its arguments of type `double`.
    pub(super) fn update(
        &self,
        graph: &mut Commands,
        kernel: usize,
        new: Launch<'_>,
    ) -> Result<()> {
        let is_wrong = self.note_launch(UPDATE_GRAPH)?;
        let mut arguments: Vec<_> = new.arguments.iter().map(|new| new.detached()).collect();
        let old = graph.launches().nth(kernel).map_or(&[][..], |old| old.arguments);
        for (argument, old) in arguments.iter_mut().zip(old) {
            if is_wrong && matches!(argument, KernelArgument::Double(_)) {
                *argument = old.detached();
            }
        }
        graph.replace(kernel, Launch { arguments: &arguments, ..new })
    }
}
