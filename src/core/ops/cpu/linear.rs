//! Linear layers as matrix products.

use super::activation;
use super::device::Cpu;
use super::matmul::{Matrix, matmul};
use super::memory::resize;
use crate::core::ops::backend::{
    LinearBackwardInput, LinearBackwardWeight, LinearForward, LinearLayout, LinearOps,
};
use candle_core::Result;

fn weight<'a>(parameters: &'a [f32], layer: &LinearLayout) -> Matrix<'a> {
    let values = &parameters[layer.weight..][..layer.weight_len()];
    Matrix::new(values, layer.outputs, layer.inputs)
}

fn bias<'a>(parameters: &'a [f32], layer: &LinearLayout) -> &'a [f32] {
    &parameters[layer.bias..][..layer.outputs]
}

impl LinearOps for Cpu {
    fn linear(&self, arguments: LinearForward<'_, Self>) -> Result<()> {
        let LinearForward { parameters, layer, biased, rows, x, out } = arguments;
        let out = resize(out, rows * layer.outputs);
        if parameters.quantized.multiply(layer, &x[..rows * layer.inputs], out)? {
            if biased {
                parameters.read(|p| {
                    for row in out.chunks_exact_mut(layer.outputs) {
                        activation::add(row, bias(p, layer));
                    }
                    Ok(())
                })?;
            }
            return Ok(());
        }
        parameters.read(|p| {
            if biased {
                for row in out.chunks_exact_mut(layer.outputs) {
                    row.copy_from_slice(bias(p, layer));
                }
            }
            let version = parameters.version();
            let matrix = Matrix::new(x, rows, layer.inputs);
            if let Some(bf16) = &parameters.bf16 {
                bf16.forward(version, layer, p, matrix, out, biased);
                return Ok(());
            }
            let own = &p[layer.weight..][..layer.weight_len()];
            let x = &x[..rows * layer.inputs];
            let kept = parameters.kept.as_ref();
            if !kept.is_some_and(|kept| kept.multiply(layer, own, x, out, biased)) {
                matmul(matrix, weight(p, layer).transposed(), out, biased);
            }
            Ok(())
        })
    }

    fn linear_backward_input(&self, arguments: LinearBackwardInput<'_, Self>) -> Result<()> {
        let LinearBackwardInput { parameters, layer, accumulate, rows, grad, dx } = arguments;
        let dx = if accumulate { dx } else { resize(dx, rows * layer.inputs) };
        parameters.read(|p| {
            let grad = Matrix::new(grad, rows, layer.outputs);
            match &parameters.bf16 {
                Some(bf16) => bf16.backward(parameters.version(), layer, p, grad, dx, accumulate),
                None => matmul(grad, weight(p, layer), dx, accumulate),
            }
            Ok(())
        })
    }

    fn linear_backward_weight(&self, arguments: LinearBackwardWeight<'_, Self>) -> Result<()> {
        let LinearBackwardWeight { layer, biased, again, rows, x, grad, gradients } = arguments;
        let before = gradients.accumulate;
        let accumulate = before || again;
        gradients.accumulate = accumulate;
        let dweight = gradients.at(layer.weight, layer.weight_len());
        let slopes = Matrix::new(grad, rows, layer.outputs).transposed();
        let x = Matrix::new(x, rows, layer.inputs);
        match &self.bf16 {
            Some(bf16) => bf16.product(slopes, x, dweight, accumulate),
            None => matmul(slopes, x, dweight, accumulate),
        }
        if biased {
            activation::column_sums(layer.outputs, grad, &mut gradients.partials);
            gradients.add_up(layer.outputs, 0, layer.bias, layer.outputs);
        }
        gradients.accumulate = before;
        Ok(())
    }
}
