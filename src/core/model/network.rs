//! A model as a graph of plain operations, with variables of its own.

use super::classifier::SequenceClassifier;
use super::embeddings::Embeddings;
use super::encoder::Layer;
use super::head::Head;
use super::layout::Parameter;
use crate::core::data::batching::Batch;
use crate::core::ops::Dropouts;
use crate::core::ops::reference::Rows;
use candle_core::{Device, Result, Tensor, Var};

/// Copies of a model's parameters that gradients can be taken by.
pub struct Variables {
    starts: Vec<usize>,
    variables: Vec<Var>,
}

impl Variables {
    fn copy(model: &SequenceClassifier, device: &Device) -> Result<Self> {
        let tensors = model.parameters().iter();
        let copy = |tensor: &Tensor| Var::from_tensor(&tensor.to_device(device)?);
        Ok(Self {
            starts: model.layout().parameters.iter().map(|parameter| parameter.start).collect(),
            variables: tensors.map(|(_, tensor)| copy(tensor)).collect::<Result<_>>()?,
        })
    }

    /// The parameter that starts at this number of the flat row.
    pub(super) fn at(&self, start: usize) -> Result<Tensor> {
        match self.starts.binary_search(&start) {
            Ok(index) => Ok(self.variables[index].as_tensor().clone()),
            Err(_) => candle_core::bail!("no parameter starts at {start}"),
        }
    }
}

/// What holds for one forward pass over a padded batch.
pub(super) struct Pass<'a> {
    pub(super) lengths: &'a [u32],
    pub(super) rows: Rows,
    pub(super) dropouts: &'a Dropouts,
}

impl<'a> Pass<'a> {
    fn new(batch: &'a Batch, dropouts: &'a Dropouts) -> Self {
        let mut next = 0;
        let starts = batch.lengths.iter().map(|&length| {
            next += length as usize;
            next - length as usize
        });
        let rows = Rows { starts: starts.collect(), length: batch.length };
        Self { lengths: &batch.lengths, rows, dropouts }
    }
}

/// Hugging Face's `BertForSequenceClassification`, `RobertaForSequenceClassification` or
/// `ElectraForSequenceClassification`.
pub struct ReferenceNetwork {
    variables: Variables,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    head: Head,
}

impl ReferenceNetwork {
    /// A copy of `model` on `device`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(model: &SequenceClassifier, device: &Device) -> Result<Self> {
        let (config, layout) = (model.config(), model.layout());
        let variables = Variables::copy(model, device)?;
        let layers = layout.layers.iter();
        Ok(Self {
            embeddings: Embeddings::new(&variables, layout, config)?,
            layers: layers
                .map(|layer| Layer::new(&variables, layer, config))
                .collect::<Result<_>>()?,
            head: Head::new(&variables, layout, config)?,
            variables,
        })
    }

    /// Every variable, with what the layout says of it.
    pub fn variables<'a>(
        &'a self,
        model: &'a SequenceClassifier,
    ) -> impl Iterator<Item = (&'a Parameter, &'a Var)> {
        model.layout().parameters.iter().zip(&self.variables.variables)
    }

    /// The embeddings' output and each layer's, `[batch, length, hidden]` each, as
    /// `output_hidden_states` gives them.
    ///
    /// # Errors
    /// If an id lies outside the vocabulary or the rows are longer than there are positions.
    pub fn hidden_states(&self, batch: &Batch, dropouts: &Dropouts) -> Result<Vec<Tensor>> {
        self.states(batch, &Pass::new(batch, dropouts))
    }

    /// The logits, `[batch, labels]`.
    ///
    /// # Errors
    /// As [`Self::hidden_states`].
    pub fn forward(&self, batch: &Batch, dropouts: &Dropouts) -> Result<Tensor> {
        let pass = Pass::new(batch, dropouts);
        let states = self.states(batch, &pass)?;
        self.head.forward(&states[states.len() - 1].narrow(1, 0, 1)?.squeeze(1)?, &pass)
    }

    fn states(&self, batch: &Batch, pass: &Pass<'_>) -> Result<Vec<Tensor>> {
        let mut states = vec![self.embeddings.forward(&batch.input_ids, pass)?];
        for layer in &self.layers {
            let next = layer.forward(&states[states.len() - 1], pass)?;
            states.push(next);
        }
        Ok(states)
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
