//! Buffers of the losses of pretraining, which are reused.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{DeviceBuffer, DeviceSlice, GpuContext, LaunchShape};
use candle_core::Result;
use std::sync::Arc;

/// The buffers of the losses of pretraining. All work is in one queue, so that each operation uses
/// them in turn.
pub(super) struct PretrainingBuffers<D: Driver> {
    /// Rows, labels or tokens.
    pub words: DeviceBuffer<D, u32>,
    /// Uniformly distributed numbers, in double.
    pub uniforms: DeviceBuffer<D, f64>,
    /// `[rows, 2]`: the loss of each row, and whether its prediction is right or positive.
    pub losses: DeviceBuffer<D, f32>,
}

impl<D: Driver> Default for PretrainingBuffers<D> {
    fn default() -> Self {
        Self {
            words: DeviceBuffer::default(),
            uniforms: DeviceBuffer::default(),
            losses: DeviceBuffer::default(),
        }
    }
}

impl<D: Driver> PretrainingBuffers<D> {
    /// Copies words to the device.
    pub(super) fn send(
        &mut self,
        context: &Arc<GpuContext<D>>,
        words: &[u32],
    ) -> Result<DeviceSlice<'_, u32>> {
        self.words.resize(context, words.len())?;
        self.words.upload(words)?;
        Ok(self.words.all())
    }

    /// Adds the losses to those of the step: all to the loss, and to part 1 or 2 of it.
    pub(super) fn add_to(
        &self,
        context: &GpuContext<D>,
        (scale, part_scale): (f32, f32),
        part: usize,
        gradients: &mut CudaGradients<D>,
    ) -> Result<()> {
        let rows = self.losses.len() / 2;
        let loss = gradients.loss.all_mut();
        let arguments = arguments![rows, self.losses.all(), scale, part_scale, part, loss];
        let shape = LaunchShape { grid: [1, 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: the losses are `[rows, 2]`, and those of the step have three elements, of which
        // `part` is one.
        unsafe { context.launch("add_losses", shape, arguments) }
    }

    /// Waits for the losses: their sum, and whether each prediction is right or positive.
    pub(super) fn read(&self) -> Result<(f64, Vec<bool>)> {
        let losses = self.losses.to_host()?;
        let sum = losses.chunks_exact(2).map(|row| f64::from(row[0])).sum();
        Ok((sum, losses.chunks_exact(2).map(|row| row[1] > 0.0).collect()))
    }
}
