//! Weights in eight bits for inference: blocks of 32 values with one scale, as candle's `Q8_0`.
//!
//! A single text has few rows, so that reading the weights takes most of the time; eight bits need
//! a quarter of the bytes of `f32`.

use crate::core::ops::backend::LinearLayout;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use std::collections::HashMap;

/// Copies of the weights of some layers.
#[derive(Clone, Debug, Default)]
pub(super) struct Quantized {
    layers: HashMap<LinearLayout, QMatMul>,
}

impl Quantized {
    /// Copies the weights of these layers, except those whose row length is not a multiple of the
    /// block size.
    pub(super) fn new(parameters: &[f32], layers: &[LinearLayout]) -> Result<Self> {
        let mut copies = HashMap::new();
        for layer in layers {
            if !layer.inputs.is_multiple_of(GgmlDType::Q8_0.block_size()) {
                continue;
            }
            let weight = &parameters[layer.weight..][..layer.weight_len()];
            let weight = Tensor::from_slice(weight, (layer.outputs, layer.inputs), &Device::Cpu)?;
            let weight = QTensor::quantize(&weight, GgmlDType::Q8_0)?;
            copies.insert(*layer, QMatMul::from_qtensor(weight)?);
        }
        Ok(Self { layers: copies })
    }

    /// Writes `x Wᵀ` to `out` if this layer has a copy, and returns whether it has.
    pub(super) fn multiply(
        &self,
        layer: &LinearLayout,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<bool> {
        let Some(weight) = self.layers.get(layer) else {
            return Ok(false);
        };
        let rows = x.len() / layer.inputs;
        let x = Tensor::from_slice(x, (rows, layer.inputs), &Device::Cpu)?;
        out.copy_from_slice(&weight.forward(&x)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(true)
    }
}
