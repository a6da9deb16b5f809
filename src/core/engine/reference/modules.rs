//! The parameters of a model as variables, and the modules that several parts of it have.

use super::functions::{layer_norm, linear};
use crate::core::model::{ModelConfig, SequenceClassifier};
use crate::core::ops::backend;
use candle_core::{Device, Result, Tensor, Var};

/// Copies of a model's parameters, for automatic differentiation.
pub(super) struct ParameterVars {
    starts: Vec<usize>,
    vars: Vec<Var>,
}

impl ParameterVars {
    pub(super) fn copy(model: &SequenceClassifier, device: &Device) -> Result<Self> {
        let tensors = model.parameters().iter();
        let copy = |tensor: &Tensor| Var::from_tensor(&tensor.to_device(device)?);
        Ok(Self {
            starts: model.layout().parameters.iter().map(|parameter| parameter.start).collect(),
            vars: tensors.map(|(_, tensor)| copy(tensor)).collect::<Result<_>>()?,
        })
    }

    /// All parameters, in the order of the layout.
    pub(super) fn all(&self) -> &[Var] {
        &self.vars
    }

    /// The parameter that starts at this offset in the flat tensor.
    pub(super) fn at(&self, start: usize) -> Result<Tensor> {
        match self.starts.binary_search(&start) {
            Ok(index) => Ok(self.vars[index].as_tensor().clone()),
            Err(_) => candle_core::bail!("no parameter starts at {start}"),
        }
    }
}

/// A fully connected layer.
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn new(vars: &ParameterVars, layout: backend::LinearLayout) -> Result<Self> {
        Ok(Self { weight: vars.at(layout.weight)?, bias: vars.at(layout.bias)? })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias)
    }
}

/// A layer normalization.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    pub(super) fn new(
        vars: &ParameterVars,
        layout: &backend::LayerNormLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            weight: vars.at(layout.weight)?,
            bias: vars.at(layout.bias)?,
            epsilon: config.encoder.layer_norm_eps,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}
