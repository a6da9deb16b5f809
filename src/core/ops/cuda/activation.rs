//! Bias, activation and dropout in one pass.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::{DeviceSliceMut, LaunchShape};
use super::shapes::{self, RowChunks, groups};
use crate::core::ops::backend::{ActivateBackward, ActivateForward, Activation, ActivationOps};
use candle_core::Result;

/// The code of an activation function in `kernels/activation.cu`.
fn kernel_number(activation: Activation) -> i32 {
    match activation {
        Activation::Identity => 0,
        Activation::Gelu => 1,
        Activation::GeluTanh => 2,
        Activation::Relu => 3,
        Activation::Tanh => 4,
    }
}

impl<D: Driver> ActivationOps for CudaBackend<D> {
    fn activate(&self, arguments: ActivateForward<'_, Self>) -> Result<()> {
        let ActivateForward { parameters, bias, activation, dropout, rows, width, x, out } =
            arguments;
        let context = &self.context;
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            bias.map(|bias| parameters.floats(bias, width)).transpose()?,
            kernel_number(activation),
            width,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            x.slice_mut(0..rows * width)?,
            out.resize_rows(context, rows, width)?,
        ];
        // SAFETY: the bias is `[width]`, and `x` and `out` are `[rows, width]`.
        unsafe { context.launch("activate", shapes::columns(rows, width, 128), arguments) }
    }

    fn activate_backward(&self, arguments: ActivateBackward<'_, Self>) -> Result<()> {
        let ActivateBackward { bias, activation, dropout, rows, width, x, grad, gradients } =
            arguments;
        let context = &self.context;
        let chunks = RowChunks::new(rows);
        let mut partials = match bias {
            Some(_) => Some(gradients.partials.resize(context, chunks.count * width)?),
            None => None,
        };
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            kernel_number(activation),
            rows,
            width,
            chunks.rows,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            x.slice(0..rows * width)?,
            grad.slice_mut(0..rows * width)?,
            partials.as_mut().map(DeviceSliceMut::reborrow),
        ];
        let grid = [chunks.count, groups(width).div_ceil(64), 1];
        let shape = LaunchShape { grid, block: [64, 1, 1], shared: 0 };
        // SAFETY: `x` and `grad` are `[rows, width]`, and the partial sums `[chunks, width]`.
        unsafe { context.launch("activate_backward", shape, arguments)? };
        match (bias, partials) {
            (Some(bias), Some(partials)) => {
                let (partials, size) = (partials.as_slice(), (chunks.count, width));
                gradients.dense.add_partials(context, partials, size, &[bias])
            }
            _ => Ok(()),
        }
    }
}
