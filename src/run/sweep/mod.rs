//! Sweeps: runs with several seeds and settings, each in a process of its own, and the mean of a
//! metric for each configuration.
//!
//! A sweep's folder has its plan (`sweep.toml`) and an ordinary run folder for each trial. What a
//! trial has done is read from its journal and its lock, and recorded nowhere else. A sweep is
//! therefore resumed by reading its folder again.

mod best;
mod metric;
mod of_all;
mod plan;
mod plan_file;
mod runner;
mod search;
mod setting;
mod table;
mod trial;

pub use best::{BEST, write_best};
pub use metric::SweepMetric;
pub use plan::{PlanError, PlanRequest, SweepPlan};
pub use plan_file::PLAN;
pub use runner::{SweepEnd, SweepHost, SweepJobs, SweepRunner, TrialStart, lock_sweep};
pub use search::{SearchKind, budgets};
pub use setting::{Configuration, SweptSetting};
pub use table::{ConfigurationRow, FailedTrial, SweepTable, TrialValue};
pub use trial::{Trial, TrialState};
