//! Buffers of relative positions.

use super::driver::Driver;
use super::memory::DeviceBuffer;

/// The rows of a table of relative positions by distance, on the device.
pub struct DeviceRelativeRows<D: Driver> {
    pub(super) rows: DeviceBuffer<D, u32>,
    /// The number of tokens of the longest sequence whose distances are here.
    pub(super) longest: usize,
}

impl<D: Driver> Default for DeviceRelativeRows<D> {
    fn default() -> Self {
        Self { rows: DeviceBuffer::default(), longest: 0 }
    }
}

/// The terms of scores and the gradients of scores, `[query rows, heads, longest]`.
pub(super) struct RelativeScratch<D: Driver> {
    pub scores: DeviceBuffer<D, f32>,
    pub dscores: DeviceBuffer<D, f32>,
}

impl<D: Driver> Default for RelativeScratch<D> {
    fn default() -> Self {
        Self { scores: DeviceBuffer::default(), dscores: DeviceBuffer::default() }
    }
}
