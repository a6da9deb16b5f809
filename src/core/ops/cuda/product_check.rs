//! Decides whether the biases of linear layers, and their gradients, are computed along with matrix
//! products: by comparison with separate kernels on the device itself.

use super::device::CudaBackend;
use super::driver::{Driver, Precision};
use super::memory::{Act, DeviceBuffer};
use super::tensor_check::agree;
use crate::core::ops::backend::{
    Device, EmbeddingTables, LinearBackwardWeight, LinearForward, LinearLayout, LinearOps,
    ParameterLayout,
};
use candle_core::{Error, Result, Tensor};

/// The linear layer of the check, and its number of rows.
const LAYER: LinearLayout = LinearLayout { weight: 0, bias: 64 * 48, inputs: 64, outputs: 48 };
const ROWS: usize = 72;

/// Values without a pattern, from -1 to 1.
pub(super) fn values(len: usize, salt: usize) -> Vec<f32> {
    let value = |i: usize| (((i + salt) * 7919 % 10_007) * 31 % 1009) as f32 / 504.0 - 1.0;
    (0..len).map(value).collect()
}

impl<D: Driver> CudaBackend<D> {
    /// Computes biases of linear layers and their gradients along with the products from now on, in bf16
    /// and where the driver can, if the results agree with those of separate kernels on a small problem.
    /// Otherwise separate kernels stay, and the text says why.
    ///
    /// # Errors
    /// If the device fails, so that nothing more can be computed.
    pub fn check_fused_products(&mut self) -> Result<Option<String>> {
        if self.driver().precision() != Precision::Half {
            return Ok(None);
        }
        let separate = self.solve_layer()?;
        self.has_fused_products = true;
        let fused = self.solve_layer();
        self.has_fused_products = false;
        match fused {
            Ok(fused) if agree(&fused, &separate) => {
                self.has_fused_products = true;
                Ok(None)
            }
            Ok(_) => Ok(Some(
                "matrix products with biases, by cuBLASLt, give other results than separate kernels \
                 on this GPU, so separate kernels are used; please report this"
                    .to_owned(),
            )),
            Err(error) => {
                self.driver().synchronize().map_err(|_| {
                    Error::msg(format!(
                        "matrix products with biases, by cuBLASLt, fail on this GPU ({error}): use \
                         --tf32 instead of --bf16, and please report this"
                    ))
                })?;
                Ok(Some(format!(
                    "matrix products with biases, by cuBLASLt, do not run on this GPU ({error}), so \
                     separate kernels are used; please report this"
                )))
            }
        }
    }

    /// The result of the layer and the gradients of its weight and its bias, whatever computes them.
    pub(super) fn solve_layer(&self) -> Result<[Vec<f32>; 3]> {
        let tables = EmbeddingTables::empty(LAYER.inputs);
        let len = LAYER.bias + LAYER.outputs;
        let layout = ParameterLayout { len, tables, decayed: Vec::new(), rates: Vec::new() };
        let flat = Tensor::from_vec(values(len, 1), len, &candle_core::Device::Cpu)?;
        let parameters = &self.parameters(&layout, &flat)?;
        let mut gradients = self.gradients(&layout)?;
        let x = &self.to_activations(&values(ROWS * LAYER.inputs, 2))?;
        let grad = &self.to_activations(&values(ROWS * LAYER.outputs, 3))?;
        let mut out = DeviceBuffer::<D, Act>::default();
        let (layer, biased, rows) = (&LAYER, true, ROWS);
        self.linear(LinearForward { parameters, layer, biased, rows, x, out: &mut out })?;
        self.linear_backward_weight(LinearBackwardWeight {
            layer,
            biased,
            again: false,
            rows,
            x,
            grad,
            gradients: &mut gradients,
        })?;
        let mut weight = self.read_gradients(&gradients)?;
        let bias = weight.split_off(LAYER.bias);
        Ok([self.to_floats(&out)?, weight, bias])
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "product_check_tests.rs"]
mod tests;
