//! A model as a graph of candle's operations, with a copy of the parameters.

use super::functions::{
    PaddedBatch, Positions, activate, attention_probabilities, dropout, embed, layer_norm, linear,
    mean_of_tokens,
};
use super::relative::{RelativeBatch, RelativeProjections, RelativeTable};
use crate::core::data::batching::PackedBatch;
use crate::core::model::layout::{LayerLayout, Parameter};
use crate::core::model::{ModelConfig, ModelLayout, Pooling, SequenceClassifier};
use crate::core::ops::backend::{self, Activation};
use crate::core::ops::{Dropout, DropoutKey, DropoutProbabilities, LayerDropouts, NetworkDropouts};
use candle_core::{Device, Result, Tensor, Var};

/// Copies of a model's parameters, for automatic differentiation.
pub(super) struct ParameterVars {
    starts: Vec<usize>,
    vars: Vec<Var>,
}

impl ParameterVars {
    fn copy(model: &SequenceClassifier, device: &Device) -> Result<Self> {
        let tensors = model.parameters().iter();
        let copy = |tensor: &Tensor| Var::from_tensor(&tensor.to_device(device)?);
        Ok(Self {
            starts: model.layout().parameters.iter().map(|parameter| parameter.start).collect(),
            vars: tensors.map(|(_, tensor)| copy(tensor)).collect::<Result<_>>()?,
        })
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

/// Token, position and token-type embeddings with layer normalization. `DistilBERT` has no token
/// types, and `DeBERTa` may have neither types nor positions; ELECTRA projects the embeddings to the encoder's width if the widths differ.
struct Embeddings {
    tokens: Tensor,
    positions: Option<Tensor>,
    position: Positions,
    max_positions: usize,
    types: Option<Tensor>,
    norm: LayerNorm,
    project: Option<Linear>,
}

impl Embeddings {
    fn new(vars: &ParameterVars, layout: &ModelLayout, config: &ModelConfig) -> Result<Self> {
        Ok(Self {
            tokens: vars.at(layout.tables.tokens)?,
            positions: layout.tables.positions.map(|table| vars.at(table)).transpose()?,
            max_positions: layout.tables.max_positions,
            position: match layout.tables.padding_position {
                Some(padding) => Positions::CountedWithoutPadding(padding),
                None => Positions::Counted,
            },
            types: (layout.tables.max_token_types > 0)
                .then(|| vars.at(layout.tables.token_types))
                .transpose()?,
            norm: LayerNorm::new(vars, &layout.embedding_norm, config)?,
            project: layout.project.map(|dense| Linear::new(vars, dense)).transpose()?,
        })
    }

    /// The sum of the tables' rows, `[batch, length, width]`.
    fn sum(&self, batch: &PaddedBatch) -> Result<Tensor> {
        let (positions, types) = (self.positions.as_ref(), self.types.as_ref());
        embed(batch, (self.position, self.max_positions), &self.tokens, positions, types)
    }

    /// From the sum of the tables' rows; returns `[batch, length, hidden]`.
    fn forward(&self, sum: &Tensor, batch: &PaddedBatch, drop: Dropout) -> Result<Tensor> {
        let x = dropout(&self.norm.forward(sum)?, drop, batch.rows())?;
        match &self.project {
            Some(project) => project.forward(&x),
            None => Ok(x),
        }
    }
}

/// What the layers read of a batch.
struct LayerBatch {
    padded: PaddedBatch,
    relative: Option<RelativeBatch>,
}

/// Multi-head self-attention (Vaswani et al., 2017), without its output projection.
struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    relative: RelativeProjections,
    heads: usize,
    scale: f64,
}

impl SelfAttention {
    fn new(vars: &ParameterVars, layout: &LayerLayout, config: &ModelConfig) -> Result<Self> {
        Ok(Self {
            query: Linear::new(vars, layout.query)?,
            key: Linear::new(vars, layout.key)?,
            value: Linear::new(vars, layout.value)?,
            relative: RelativeProjections::new(vars, layout, config)?,
            heads: config.encoder.num_attention_heads,
            scale: config.score_scale(),
        })
    }

    /// `x` and the result are `[batch, length, hidden]`.
    fn forward(&self, x: &Tensor, batch: &LayerBatch, drop: &LayerDropouts) -> Result<Tensor> {
        let (size, length, hidden) = x.dims3()?;
        let width = hidden / self.heads;
        let split = |part: &Linear| {
            part.forward(x)?
                .reshape((size, length, self.heads, width))?
                .transpose(1, 2)?
                .contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let mut scores = query.matmul(&key.t()?)?;
        if let Some(relative) = &batch.relative {
            let terms = self.relative.scores((&query, &key), relative, drop.relative)?;
            scores = terms.map_or(Ok(scores.clone()), |terms| scores + terms)?;
        }
        let drop = drop.attention_probabilities;
        let probabilities = attention_probabilities(&scores, &batch.padded, self.scale, drop)?;
        probabilities.matmul(&value)?.transpose(1, 2)?.reshape((size, length, hidden))
    }
}

/// One encoder layer: attention and feed-forward, each with a residual connection and a layer
/// normalization.
struct EncoderLayer {
    attention: SelfAttention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    output_norm: LayerNorm,
}

impl EncoderLayer {
    fn new(
        vars: &ParameterVars,
        layout: &LayerLayout,
        activation: Activation,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            attention: SelfAttention::new(vars, layout, config)?,
            attention_output: Linear::new(vars, layout.attention_output)?,
            attention_norm: LayerNorm::new(vars, &layout.attention_norm, config)?,
            intermediate: Linear::new(vars, layout.intermediate)?,
            activation,
            output: Linear::new(vars, layout.output)?,
            output_norm: LayerNorm::new(vars, &layout.output_norm, config)?,
        })
    }

    /// `x` and the result are `[batch, length, hidden]`.
    fn forward(&self, x: &Tensor, batch: &LayerBatch, drop: &LayerDropouts) -> Result<Tensor> {
        let attended = self.attention.forward(x, batch, drop)?;
        let attended = self.attention_output.forward(&attended)?;
        let batch = &batch.padded;
        let attended = dropout(&attended, drop.attention_output, batch.rows())?;
        let x = self.attention_norm.forward(&(x + attended)?)?;

        let wide = self.intermediate.forward(&x)?;
        let wide = activate(&wide, self.activation)?;
        let out = dropout(&self.output.forward(&wide)?, drop.layer_output, batch.rows())?;
        self.output_norm.forward(&(x + out)?)
    }
}

/// The classification head of transformers' `…ForSequenceClassification`: it computes the logits
/// from one row for each sequence.
struct ClassificationHead {
    activation: Activation,
    dense: Linear,
    out: Linear,
}

impl ClassificationHead {
    fn new(vars: &ParameterVars, layout: &ModelLayout, config: &ModelConfig) -> Result<Self> {
        Ok(Self {
            activation: config.head_activation(),
            dense: Linear::new(vars, layout.head)?,
            out: Linear::new(vars, layout.classifier)?,
        })
    }

    /// `pooled` is `[batch, hidden]`; the result is `[batch, labels]`. The row numbers for dropout
    /// are the indices of the sequences.
    fn forward(&self, pooled: &Tensor, dropouts: &NetworkDropouts) -> Result<Tensor> {
        let sequences = || 0..pooled.dims()[0];
        let x = self.dense.forward(&dropout(pooled, dropouts.head_input, sequences())?)?;
        let x = activate(&x, self.activation)?;
        self.out.forward(&dropout(&x, dropouts.head, sequences())?)
    }
}

/// Hugging Face's `BertForSequenceClassification`, or that class of another architecture.
pub struct ReferenceNetwork {
    vars: ParameterVars,
    embeddings: Embeddings,
    relative: Option<RelativeTable>,
    layers: Vec<EncoderLayer>,
    head: ClassificationHead,
    pooling: Pooling,
    dropout_probabilities: DropoutProbabilities,
    pad_token_id: u32,
}

impl ReferenceNetwork {
    /// Copies `model` to `device`.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn new(model: &SequenceClassifier, device: &Device) -> Result<Self> {
        let (config, layout) = (model.config(), model.layout());
        let vars = ParameterVars::copy(model, device)?;
        let layers = layout.layers.iter();
        Ok(Self {
            embeddings: Embeddings::new(&vars, layout, config)?,
            relative: RelativeTable::new(&vars, layout, config)?,
            layers: layers
                .map(|layer| EncoderLayer::new(&vars, layer, layout.activation, config))
                .collect::<Result<_>>()?,
            head: ClassificationHead::new(&vars, layout, config)?,
            vars,
            pooling: config.pooling,
            dropout_probabilities: config.dropout_probabilities(),
            pad_token_id: config.encoder.pad_token_id as u32,
        })
    }

    /// All variables, each with the description of its parameter.
    pub fn vars<'a>(
        &'a self,
        model: &'a SequenceClassifier,
    ) -> impl Iterator<Item = (&'a Parameter, &'a Var)> {
        model.layout().parameters.iter().zip(&self.vars.vars)
    }

    /// The logits, `[batch, labels]`; without a key, dropout is disabled.
    ///
    /// # Errors
    /// If a token id is outside the vocabulary or a sequence is longer than the position
    /// embeddings.
    pub fn forward(&self, batch: &PackedBatch, key: Option<DropoutKey>) -> Result<Tensor> {
        let dropouts = NetworkDropouts::new(&self.dropout_probabilities, self.layers.len(), key);
        let states = self.hidden_states(batch, &dropouts)?;
        let batch = PaddedBatch::new(batch, self.pad_token_id);
        self.logits(&states[states.len() - 1], &batch, &dropouts)
    }

    /// The logits from the last layer's output.
    fn logits(
        &self,
        last: &Tensor,
        batch: &PaddedBatch,
        dropouts: &NetworkDropouts,
    ) -> Result<Tensor> {
        let pooled = match self.pooling {
            Pooling::Cls => last.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Mean => mean_of_tokens(last, batch)?,
        };
        self.head.forward(&pooled, dropouts)
    }

    /// The sum of embeddings of a batch, `[batch, length, width]`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn embedding_sums(&self, batch: &PackedBatch) -> Result<Tensor> {
        self.embeddings.sum(&PaddedBatch::new(batch, self.pad_token_id))
    }

    /// The rows of the token table for these ids, `[ids, width]`.
    ///
    /// # Errors
    /// If an id is outside the vocabulary.
    pub fn token_rows(&self, ids: &[u32]) -> Result<Tensor> {
        let tokens = &self.embeddings.tokens;
        tokens.index_select(&Tensor::from_slice(ids, ids.len(), tokens.device())?, 0)
    }

    /// The logits, `[batch, labels]`, from sums of embeddings, without dropout.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn forward_from(&self, sums: &Tensor, batch: &PackedBatch) -> Result<Tensor> {
        let dropouts = NetworkDropouts::new(&self.dropout_probabilities, self.layers.len(), None);
        let batch = self.layer_batch(batch)?;
        let mut state = self.embeddings.forward(sums, &batch.padded, dropouts.embeddings)?;
        for (layer, dropouts) in self.layers.iter().zip(&dropouts.layers) {
            state = layer.forward(&state, &batch, dropouts)?;
        }
        self.logits(&state, &batch.padded, &dropouts)
    }

    fn layer_batch(&self, batch: &PackedBatch) -> Result<LayerBatch> {
        let padded = PaddedBatch::new(batch, self.pad_token_id);
        let relative = self.relative.as_ref().map(|table| table.of(&padded)).transpose()?;
        Ok(LayerBatch { padded, relative })
    }

    /// The outputs of the embeddings and of each layer, `[batch, length, hidden]` each, as with
    /// transformers' `output_hidden_states`.
    fn hidden_states(
        &self,
        batch: &PackedBatch,
        dropouts: &NetworkDropouts,
    ) -> Result<Vec<Tensor>> {
        let batch = self.layer_batch(batch)?;
        let sum = self.embeddings.sum(&batch.padded)?;
        let mut states = vec![self.embeddings.forward(&sum, &batch.padded, dropouts.embeddings)?];
        for (layer, dropouts) in self.layers.iter().zip(&dropouts.layers) {
            let next = layer.forward(&states[states.len() - 1], &batch, dropouts)?;
            states.push(next);
        }
        Ok(states)
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
