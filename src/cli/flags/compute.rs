//! Flags that say what computes.

use super::values::{count, truth};
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{EngineOptions, Ops};
use clap::{ArgAction, Args};

/// What computes, and how.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Compute {
    /// Where to compute: a GPU if there is one that this build can use, `cpu`, `cuda` or `cuda:N`
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Computing")]
    pub device: DeviceChoice,
    /// Threads of the CPU [default: one for each core]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Computing")]
    pub threads: Option<usize>,
    /// Compute in bfloat16 on a GPU, with weights, moments and sums in float32
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Computing")]
    pub bf16: bool,
    /// Multiply in TensorFloat-32 on a GPU
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Computing")]
    pub tf32: bool,
    /// Which operations: `plain` is slow and there to settle a doubt
    #[arg(long, value_name = "OPS", default_value = "fused", help_heading = "Computing")]
    pub ops: Ops,
}

impl Compute {
    /// The same for an engine, without what only training asks for.
    pub fn options(&self) -> EngineOptions {
        EngineOptions {
            ops: self.ops,
            device: self.device,
            bf16: self.bf16,
            tf32: self.tf32,
            int8: false,
            threads: self.threads.unwrap_or(0),
            gradient_checkpointing: false,
        }
    }
}
