//! Weights in eight bits, for answers: blocks of 32 numbers with one scale, as candle's `Q8_0`.
//!
//! A sentence has few rows, so that reading the weights is most of the work, and there are a
//! quarter as many bytes of them.

use crate::core::ops::backend::Dense;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use std::collections::HashMap;

/// Copies of some layers' weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Quantized {
    layers: HashMap<Dense, QMatMul>,
}

impl Quantized {
    /// Copies the weights of these layers; one whose rows cannot be cut into blocks is left out.
    pub(super) fn new(parameters: &[f32], layers: &[Dense]) -> Result<Self> {
        let mut copies = HashMap::new();
        for dense in layers {
            if !dense.inputs.is_multiple_of(GgmlDType::Q8_0.block_size()) {
                continue;
            }
            let weight = &parameters[dense.weight..][..dense.outputs * dense.inputs];
            let weight = Tensor::from_slice(weight, (dense.outputs, dense.inputs), &Device::Cpu)?;
            let weight = QTensor::quantize(&weight, GgmlDType::Q8_0)?;
            copies.insert(*dense, QMatMul::from_qtensor(weight)?);
        }
        Ok(Self { layers: copies })
    }

    /// `x Wᵀ` into `out`, if this layer has a copy.
    pub(super) fn multiply(&self, dense: &Dense, x: &[f32], out: &mut [f32]) -> Result<bool> {
        let Some(weight) = self.layers.get(dense) else {
            return Ok(false);
        };
        let rows = x.len() / dense.inputs;
        let x = Tensor::from_slice(x, (rows, dense.inputs), &Device::Cpu)?;
        out.copy_from_slice(&weight.forward(&x)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(true)
    }
}
