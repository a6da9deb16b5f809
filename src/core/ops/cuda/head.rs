//! The classification head: pooling of the tokens, the last layer and the loss.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::batch::DeviceBatch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::{Act, DeviceBuffer, LaunchShape};
use super::shapes;
use crate::core::data::batching::BatchRole;
use crate::core::ops::backend::{
    ClassifyBackward, ClassifyForward, CrossEntropy, Divergence, HeadOps,
};
use candle_core::Result;

impl<D: Driver> HeadOps for CudaBackend<D> {
    fn gather_first(
        &self,
        batch: &DeviceBatch<D>,
        width: usize,
        x: &DeviceBuffer<D, Act>,
        out: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let (context, sequences) = (&self.context, batch.sequences());
        let x = x.slice(0..batch.rows() * width)?;
        let out = out.resize_rows(context, sequences, width)?;
        let shape = shapes::columns(sequences, width, 128);
        let arguments = arguments![batch.starts()?, width, x, out];
        // SAFETY: `x` is `[rows, width]`, `out` is `[sequences, width]`, and starts are rows.
        unsafe { context.launch("gather_first", shape, arguments) }
    }

    fn scatter_add_first(
        &self,
        batch: &DeviceBatch<D>,
        width: usize,
        grad: &DeviceBuffer<D, Act>,
        dx: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let (context, sequences) = (&self.context, batch.sequences());
        let grad = grad.slice(0..sequences * width)?;
        let dx = dx.slice_mut(0..batch.rows() * width)?;
        let shape = shapes::columns(sequences, width, 128);
        let arguments = arguments![batch.starts()?, width, grad, dx];
        // SAFETY: `grad` is `[sequences, width]`, `dx` is `[rows, width]`, and starts are distinct
        // rows.
        unsafe { context.launch("scatter_add_first", shape, arguments) }
    }

    fn mean_rows(
        &self,
        batch: &DeviceBatch<D>,
        width: usize,
        x: &DeviceBuffer<D, Act>,
        out: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let (context, sequences) = (&self.context, batch.sequences());
        let x = x.slice(0..batch.rows() * width)?;
        let out = out.resize_rows(context, sequences, width)?;
        let shape = shapes::columns(sequences, width, 128);
        let arguments = arguments![batch.starts()?, width, x, out];
        // SAFETY: `x` is `[rows, width]`, `out` is `[sequences, width]`, and starts are rows, one
        // more than there are sequences.
        unsafe { context.launch("mean_rows", shape, arguments) }
    }

    fn mean_rows_backward(
        &self,
        batch: &DeviceBatch<D>,
        width: usize,
        grad: &DeviceBuffer<D, Act>,
        dx: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let (context, sequences) = (&self.context, batch.sequences());
        let grad = grad.slice(0..sequences * width)?;
        let dx = dx.resize_rows(context, batch.rows(), width)?;
        let shape = shapes::columns(sequences, width, 128);
        let arguments = arguments![batch.starts()?, width, grad, dx];
        // SAFETY: `grad` is `[sequences, width]`, `dx` is `[rows, width]`, and starts are rows, one
        // more than there are sequences.
        unsafe { context.launch("mean_rows_backward", shape, arguments) }
    }

    fn classify(&self, arguments: ClassifyForward<'_, Self>) -> Result<()> {
        let ClassifyForward { parameters, layer, rows, x, logits } = arguments;
        let (context, inputs, outputs) = (&self.context, layer.inputs, layer.outputs);
        let arguments = arguments![
            parameters.floats(layer.weight, layer.weight_len())?,
            parameters.floats(layer.bias, outputs)?,
            inputs,
            outputs,
            x.slice(0..rows * inputs)?,
            logits.resize(context, rows * outputs)?,
        ];
        let grid = [rows, outputs.div_ceil(4), 1];
        let shape = LaunchShape { grid, block: [32, 4, 1], shared: 0 };
        // SAFETY: the weight is `[outputs, inputs]` and the bias `[outputs]`; `x` is
        // `[rows, inputs]`, and the logits are `[rows, outputs]`.
        unsafe { context.launch("classify", shape, arguments) }
    }

    fn classify_backward(&self, arguments: ClassifyBackward<'_, Self>) -> Result<()> {
        let ClassifyBackward { parameters, layer, rows, x, grad, dx, gradients } = arguments;
        let (context, inputs, outputs) = (&self.context, layer.inputs, layer.outputs);
        let grad = grad.slice(0..rows * outputs)?;
        let arguments = arguments![
            parameters.floats(layer.weight, layer.weight_len())?,
            inputs,
            outputs,
            grad,
            dx.resize_rows(context, rows, inputs)?,
        ];
        let grid = [rows, inputs.div_ceil(128), 1];
        let shape = LaunchShape { grid, block: [128, 1, 1], shared: 0 };
        // SAFETY: the weight is `[outputs, inputs]`, `grad` is `[rows, outputs]`, and `dx` is
        // `[rows, inputs]`.
        unsafe { context.launch("classify_backward_input", shape, arguments)? };
        let accumulate = gradients.dense.accumulate;
        let arguments = arguments![
            rows,
            inputs,
            outputs,
            x.slice(0..rows * inputs)?,
            grad,
            gradients.dense.at(layer.weight, layer.weight_len())?,
            accumulate,
        ];
        let grid = [outputs, inputs.div_ceil(32), 1];
        let shape = LaunchShape { grid, block: [32, 8, 1], shared: 0 };
        // SAFETY: `x` is `[rows, inputs]`, `grad` is `[rows, outputs]`, and the gradient of the
        // weight is `[outputs, inputs]`.
        unsafe { context.launch("classify_backward_weight", shape, arguments)? };
        gradients.dense.add_partials(context, grad, (rows, outputs), &[layer.bias])
    }

    fn cross_entropy(&self, arguments: CrossEntropy<'_, Self>) -> Result<()> {
        let CrossEntropy { classes, smoothing, scale, batch, logits, grad, gradients } = arguments;
        let (context, rows) = (&self.context, batch.sequences());
        let before = gradients.predictions;
        let after = before + rows;
        gradients.predicted.grow(context, after, before)?;
        let arguments = arguments![
            rows,
            classes,
            smoothing,
            scale,
            batch.role() != BatchRole::PseudoLabelled,
            batch.labels()?,
            batch.weights()?,
            logits.slice(0..rows * classes)?,
            grad.resize(context, rows * classes)?,
            gradients.predicted.slice_mut(before..after)?,
            gradients.loss.all_mut(),
        ];
        let shape = LaunchShape { grid: [1, 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: there are `rows` labels, predictions and weights, if any; logits and `grad` are
        // `[rows, classes]`, and the loss is one element.
        unsafe { context.launch("cross_entropy", shape, arguments)? };
        gradients.predictions = after;
        Ok(())
    }

    fn divergence(&self, arguments: Divergence<'_, Self>) -> Result<()> {
        let Divergence { classes, scale, batch, logits, grad, gradients } = arguments;
        let (context, rows) = (&self.context, batch.sequences());
        let arguments = arguments![
            rows / 2,
            classes,
            scale,
            batch.weights()?,
            logits.slice(0..rows * classes)?,
            grad.slice_mut(0..rows * classes)?,
            gradients.loss.all_mut(),
        ];
        let shape = LaunchShape { grid: [1, 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: there are `rows` weights, if any; logits and `grad` are `[rows, classes]`, and
        // the loss is one element.
        unsafe { context.launch("divergence", shape, arguments) }
    }
}
