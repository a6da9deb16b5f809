//! Flags that choose what computes.

use super::values::{choice, flag};
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{Bf16, Ops};
use crate::run::options::{ComputeOptions, Given};
use clap::Args;

/// What computes, and how.
#[derive(Args, Clone, Debug)]
pub struct ComputeFlags {
    /// The device: `auto` (a supported GPU, else the CPU), `cpu`, `cuda` or `cuda:N` [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = flag(ComputeOptions::device), help_heading = "Computing")]
    pub device: Option<Given<DeviceChoice>>,
    /// Threads of the CPU [default: one for each core]
    #[arg(long, value_name = "N", value_parser = flag(ComputeOptions::threads), help_heading = "Computing")]
    pub threads: Option<Given<usize>>,
    /// Multiply matrices in bfloat16, with weights, moments and sums in float32: on a GPU, or on a
    /// processor with AVX512-BF16; `auto` on such a processor only [default: auto to fine-tune the
    /// embedded model, else false]
    #[arg(long, value_name = "BOOL|auto", num_args = 0..=1, default_missing_value = "true", value_parser = flag(ComputeOptions::bf16), help_heading = "Computing")]
    pub bf16: Option<Given<Bf16>>,
    /// Use TensorFloat-32 for matrix products on a GPU
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(ComputeOptions::tf32), help_heading = "Computing")]
    pub tf32: Option<Given<bool>>,
    /// Implementation of the operations; `reference` is slow and exists to verify `fused` [default: fused]
    #[arg(long, value_name = "OPS", value_parser = choice(ComputeOptions::ops), help_heading = "Computing")]
    pub ops: Option<Given<Ops>>,
}

impl From<ComputeFlags> for ComputeOptions {
    fn from(flags: ComputeFlags) -> Self {
        let ComputeFlags { device, threads, bf16, tf32, ops } = flags;
        Self { device, threads, bf16, tf32, ops }
    }
}
