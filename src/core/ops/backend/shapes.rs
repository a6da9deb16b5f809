//! The shapes of layers, batches and steps that operations work on.

use crate::core::ops::dropout::Dropout;
use std::ops::Range;
use std::sync::Arc;

/// A linear layer `x Wᵀ + b`: the offsets of its parameters in the flat parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearLayout {
    /// The offset of the weight, `[outputs, inputs]`.
    pub weight: usize,
    /// The offset of the bias, `[outputs]`.
    pub bias: usize,
    /// The width of `x`.
    pub inputs: usize,
    /// The width of the result.
    pub outputs: usize,
}

impl LinearLayout {
    /// The number of elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs
    }
}

/// A layer normalization: the offsets of its parameters in the flat parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormLayout {
    /// The offset of the scale, `[width]`.
    pub weight: usize,
    /// The offset of the shift, `[width]`.
    pub bias: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// The width of a row.
    pub width: usize,
}

/// The embedding tables whose rows are summed for each token; a model may have no positions and no
/// token types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingTables {
    /// The offset of the token table, `[vocabulary, width]`. It is the first parameter: 0.
    pub tokens: usize,
    /// The rows of the token table.
    pub vocabulary: usize,
    /// The offset of the position table, `[max_positions, width]`, if there is one.
    pub positions: Option<usize>,
    /// The rows of the position table; without one, the length of the longest sequence.
    pub max_positions: usize,
    /// The row of the position table for the first token of a sequence.
    pub first_position: usize,
    /// The offset of the token type table, `[max_token_types, width]`.
    pub token_types: usize,
    /// The rows of the token type table; 0 if there is none.
    pub max_token_types: usize,
    /// The token whose row gets no gradient, as with the `padding_idx` of PyTorch's `nn.Embedding`.
    pub padding_token: Option<u32>,
    /// The row of the position table that gets no gradient, for the same reason.
    pub padding_position: Option<u32>,
    /// The width of a row.
    pub width: usize,
}

impl EmbeddingTables {
    /// Tables without rows, for parameters that have none.
    pub fn empty(width: usize) -> Self {
        Self {
            tokens: 0,
            vocabulary: 0,
            positions: None,
            max_positions: 0,
            first_position: 0,
            token_types: 0,
            max_token_types: 0,
            padding_token: None,
            padding_position: None,
            width,
        }
    }
}

/// A table of relative positions (He et al., 2021), whose rows are normalized in some models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativeTable {
    /// The offset of the table, `[rows, width]`.
    pub start: usize,
    /// The number of rows.
    pub rows: usize,
    /// The width of a row.
    pub width: usize,
    /// The normalization of the rows.
    pub norm: Option<LayerNormLayout>,
}

/// The layout of all parameters of a model in one flat list.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterLayout {
    /// The number of parameters.
    pub len: usize,
    /// The embedding tables. The token table comes first, and its gradient is stored only for the
    /// rows that a step uses.
    pub tables: EmbeddingTables,
    /// The parameters that weight decay applies to, sorted.
    pub decayed: Vec<Range<usize>>,
    /// The factor of the learning rate for each range of parameters whose factor is not 1. Ranges do
    /// not overlap.
    pub rates: Vec<(Range<usize>, f64)>,
}

impl ParameterLayout {
    /// The number of parameters in the token table, which comes first.
    pub fn token_table_len(&self) -> usize {
        self.tables.vocabulary * self.tables.width
    }
}

/// The activation function applied element by element after a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x`.
    Identity,
    /// `x Φ(x)`.
    Gelu,
    /// GELU's approximation by `tanh`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `tanh(x)`.
    Tanh,
}

/// Columns `start..start + heads × head width` of a matrix whose rows are `stride` wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixColumns {
    /// The width of the matrix.
    pub stride: usize,
    /// The first column.
    pub start: usize,
}

/// Multi-head attention within each sequence of a packed batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionConfig {
    /// The number of heads.
    pub heads: usize,
    /// The width of a head.
    pub head_width: usize,
    /// The factor that scores are multiplied by.
    pub scale: f32,
    /// The dropout of probabilities. Its row is `packed query row × heads + head`, and its column
    /// is the position of the key in its sequence.
    pub dropout: Dropout,
    /// Whether only the first token of each sequence is a query: then the matrix of queries has
    /// one row per sequence.
    pub first_only: bool,
    /// The columns of the queries in their matrix.
    pub queries: MatrixColumns,
    /// The columns of the keys in the matrix of keys and values.
    pub keys: MatrixColumns,
    /// The columns of the values in the matrix of keys and values.
    pub values: MatrixColumns,
}

impl AttentionConfig {
    /// The width of the result: all heads side by side.
    pub fn hidden(&self) -> usize {
        self.heads * self.head_width
    }
}

/// The settings of one optimizer update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The norm that gradients are clipped to; 0 disables clipping.
    pub max_grad_norm: f64,
}

/// The metrics of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepMetrics {
    /// The mean loss.
    pub loss: f64,
    /// The norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// The class with the highest logit of each sequence, micro-batch after micro-batch.
    pub predicted: Vec<u32>,
    /// In a step of pretraining, the mean losses of masked tokens and of tokens that may be replaced;
    /// otherwise 0.
    pub parts: [f64; 2],
}

/// The state of AdamW: one mean and one variance for each parameter, in the order of the layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The number of updates applied.
    pub steps: u64,
    /// The running mean of gradients; shared, so that it can be written by another thread.
    pub mean: Arc<Vec<f32>>,
    /// The running mean of squared gradients.
    pub variance: Arc<Vec<f32>>,
    /// With an average of the weights: the weights themselves. `None` without one.
    pub weights: Option<Vec<f32>>,
}
