//! Faults of the emulated GPU, and the counts of what was launched.

use super::Emulated;
use candle_core::{Result, bail};
use std::sync::PoisonError;

/// What is wrong with a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It computes something else: its first argument that is a float is larger.
    Wrong,
    /// The device rejects its launch.
    Rejected,
    /// The device rejects its launch and everything after it.
    Lost,
}

/// A kernel, or another call with a name, that has a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultyCall {
    name: &'static str,
    fault: Fault,
    /// The number of calls before the first with the fault.
    after: usize,
}

impl Emulated {
    /// With a fault of this kernel.
    pub(crate) fn with_fault(self, kernel: &'static str, fault: Fault) -> Self {
        self.with_late_fault(kernel, fault, 0)
    }

    /// With a fault of this kernel after so many launches without it.
    pub(crate) fn with_late_fault(self, name: &'static str, fault: Fault, after: usize) -> Self {
        Self { fault: Some(FaultyCall { name, fault, after }), ..self }
    }

    /// Counts a launch; returns whether it is to compute something else.
    pub(super) fn note_launch(&self, kernel: &'static str) -> Result<bool> {
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let count = launches.entry(kernel).or_default();
        *count += 1;
        let faulty = self.fault.filter(|faulty| faulty.name == kernel && *count > faulty.after);
        let fault = faulty.map(|faulty| faulty.fault);
        if matches!(fault, Some(Fault::Rejected | Fault::Lost)) {
            bail!("{kernel} is rejected");
        }
        Ok(fault == Some(Fault::Wrong))
    }

    /// Fails if a fault has made the device fail as a whole.
    pub(super) fn check_loss(&self) -> Result<()> {
        match self.fault {
            Some(FaultyCall { name, fault: Fault::Lost, after }) if self.launches(name) > after => {
                bail!("the emulated device is lost")
            }
            _ => Ok(()),
        }
    }
}
