//! Linear layers as matrix products.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{
    Act, DeviceBuffer, DeviceSlice, DeviceSliceMut, Epilogue, Gemm, GemmOutput, LaunchShape,
    Operand,
};
use super::shapes::{self, RowChunks, groups};
use crate::core::ops::backend::{
    LinearBackwardInput, LinearBackwardWeight, LinearForward, LinearLayout, LinearOps,
};
use candle_core::Result;

/// `out = x Wᵀ`.
fn product<'a>(
    layer: &LinearLayout,
    rows: usize,
    x: DeviceSlice<'a, Act>,
    weight: DeviceSlice<'a, Act>,
    out: DeviceSliceMut<'a, Act>,
) -> Gemm<'a> {
    Gemm {
        rows,
        columns: layer.outputs,
        inner: layer.inputs,
        a: Operand::Stored(x),
        b: Operand::Transposed(weight),
        out: GemmOutput::Activations(out),
        accumulate: false,
    }
}

/// `out = gradᵀ x`, or `out += gradᵀ x`.
fn weight_gradient<'a>(
    (layer, rows, accumulate): (&LinearLayout, usize, bool),
    grad: DeviceSlice<'a, Act>,
    x: DeviceSlice<'a, Act>,
    out: DeviceSliceMut<'a, f32>,
) -> Gemm<'a> {
    Gemm {
        rows: layer.outputs,
        columns: layer.inputs,
        inner: rows,
        a: Operand::Transposed(grad),
        b: Operand::Stored(x),
        out: GemmOutput::Floats(out),
        accumulate,
    }
}

impl<D: Driver> LinearOps for CudaBackend<D> {
    fn linear(&self, arguments: LinearForward<'_, Self>) -> Result<()> {
        let LinearForward { parameters, layer, biased, rows, x, out } = arguments;
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let context = &self.context;
        out.resize_rows(context, rows, outputs)?;
        let padded = self.padded_rows(rows, [(x, inputs), (out, outputs)]);
        let weight = parameters.operands(context, layer.weight, layer.weight_len())?;
        let x = x.product_rows((rows, padded), inputs)?;
        if biased && self.has_fused_products {
            let bias = Epilogue::AddBias(parameters.operands(context, layer.bias, outputs)?);
            let to = out.product_rows_mut((rows, padded), outputs)?;
            if context.multiply_with(product(layer, padded, x, weight, to), bias)? {
                return Ok(());
            }
        }
        let to = out.product_rows_mut((rows, padded), outputs)?;
        context.multiply(product(layer, padded, x, weight, to))?;
        if !biased {
            return Ok(());
        }
        let out = out.slice_mut(0..rows * outputs)?;
        let bias = parameters.floats(layer.bias, outputs)?;
        let shape = shapes::columns(rows, outputs, 128);
        // SAFETY: `out` is `[rows, outputs]`, and the bias `[outputs]`.
        unsafe { context.launch("add_bias", shape, arguments![out, bias, outputs]) }
    }

    fn linear_backward_input(&self, arguments: LinearBackwardInput<'_, Self>) -> Result<()> {
        let LinearBackwardInput { parameters, layer, accumulate, rows, grad, dx } = arguments;
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let context = &self.context;
        if !accumulate {
            dx.resize_rows(context, rows, inputs)?;
        }
        let padded = self.padded_rows(rows, [(grad, outputs), (dx, inputs)]);
        let grad = grad.product_rows((rows, padded), outputs)?;
        let dx = dx.product_rows_mut((rows, padded), inputs)?;
        let weight = parameters.operands(context, layer.weight, layer.weight_len())?;
        context.multiply(Gemm {
            rows: padded,
            columns: inputs,
            inner: outputs,
            a: Operand::Stored(grad),
            b: Operand::Stored(weight),
            out: GemmOutput::Activations(dx),
            accumulate,
        })
    }

    fn linear_backward_weight(&self, arguments: LinearBackwardWeight<'_, Self>) -> Result<()> {
        let LinearBackwardWeight { layer, biased, again, rows, x, grad, gradients } = arguments;
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let context = &self.context;
        let padded = self.padded_rows(rows, [(x, inputs), (grad, outputs)]);
        let before = gradients.dense.accumulate;
        let accumulate = before || again;
        let size = (layer, padded, accumulate);
        let grad_rows = grad.slice(0..rows * outputs)?;
        if padded > rows {
            self.clear_padding((x, padded * inputs), (grad, padded * outputs))?;
        }
        let x = x.product_rows((rows, padded), inputs)?;
        let grad = grad.product_rows((rows, padded), outputs)?;
        // The sums of an epilogue are not added to what is there.
        if biased && !accumulate && self.has_fused_products {
            let (weight, bias) = gradients.dense.of_layer(layer)?;
            let product = weight_gradient(size, grad, x, weight);
            if context.multiply_with(product, Epilogue::SumRows(bias))? {
                return Ok(());
            }
        }
        let weight = gradients.dense.at(layer.weight, layer.weight_len())?;
        context.multiply(weight_gradient(size, grad, x, weight))?;
        if !biased {
            return Ok(());
        }
        gradients.dense.accumulate = accumulate;
        let result = self.bias_gradient(layer, rows, grad_rows, gradients);
        gradients.dense.accumulate = before;
        result
    }
}

impl<D: Driver> CudaBackend<D> {
    /// The rows that a product computes for `rows` rows of both matrices, given with their widths: as many,
    /// or those of padding too where there is memory for it, so that products have few sizes.
    fn padded_rows(&self, rows: usize, matrices: [(&DeviceBuffer<D, Act>, usize); 2]) -> usize {
        let padded = self.context.padded_rows(rows);
        let mut matrices = matrices.into_iter();
        let fits = matrices.all(|(matrix, width)| matrix.is_padded((rows, padded), width));
        if fits { padded } else { rows }
    }

    /// Sets the padding of two matrices to zero, up to these numbers of elements: a product that adds up
    /// over rows then adds zeros.
    fn clear_padding(
        &self,
        (first, first_len): (&DeviceBuffer<D, Act>, usize),
        (second, second_len): (&DeviceBuffer<D, Act>, usize),
    ) -> Result<()> {
        let (first, second) = (first.padding(first_len)?, second.padding(second_len)?);
        let [first_len, second_len] = [first.as_slice().len(), second.as_slice().len()];
        let shape = shapes::elements(first_len + second_len);
        let arguments = arguments![first, first_len as u64, second, second_len as u64];
        // SAFETY: both have as many elements as is given with them.
        unsafe { self.context.launch("clear_both", shape, arguments) }
    }

    /// Adds the gradient of a layer's bias: the sums of the columns of `grad`, `[rows, outputs]`.
    pub(super) fn bias_gradient(
        &self,
        layer: &LinearLayout,
        rows: usize,
        grad: DeviceSlice<'_, Act>,
        gradients: &mut CudaGradients<D>,
    ) -> Result<()> {
        let (context, outputs) = (&self.context, layer.outputs);
        let chunks = RowChunks::new(rows);
        let mut partials = gradients.partials.resize(context, chunks.count * outputs)?;
        let grid = [chunks.count, groups(outputs).div_ceil(64), 1];
        let shape = LaunchShape { grid, block: [64, 1, 1], shared: 0 };
        let sums = arguments![grad, rows, outputs, chunks.rows, partials.reborrow()];
        // SAFETY: `grad` is `[rows, outputs]`, and the partial sums `[chunks, outputs]`.
        unsafe { context.launch("column_sums", shape, sums)? };
        let (partials, size) = (partials.as_slice(), (chunks.count, outputs));
        gradients.dense.add_partials(context, partials, size, &[layer.bias])
    }
}
