//! The event that tells how busy the computer of a run is.

use crate::core::number;
use serde::{Deserialize, Serialize};

/// The most GPUs that are listed.
pub const MAX_LISTED_GPUS: usize = 64;

/// The load of the computer since the event before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemMeasured {
    /// The last step.
    pub step: u64,
    /// Seconds since training began, excluding pauses.
    #[serde(with = "number")]
    pub elapsed: f64,
    /// The mean load of all CPU cores, from 0 to 1.
    #[serde(with = "number")]
    pub cpu: f64,
    /// The CPU cores that the process used on average.
    #[serde(with = "number")]
    pub process_cpu: f64,
    /// Used memory in bytes; that of the container, if it has a limit.
    pub memory_used: u64,
    /// Total memory in bytes.
    pub memory_total: u64,
    /// Memory of the process in bytes.
    pub process_memory: u64,
    /// The NVIDIA GPUs in the driver's order, at most [`MAX_LISTED_GPUS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<GpuMeasured>,
}

/// The load of a GPU; `None` for values that its driver does not report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuMeasured {
    /// The driver's index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The share of time in which it computed, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Used memory in bytes.
    pub memory_used: u64,
    /// Total memory in bytes; 0 if unknown.
    pub memory_total: u64,
    /// Temperature in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// Power draw in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    /// Power limit in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_limit_watts: Option<f64>,
}
