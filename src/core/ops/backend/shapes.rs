//! What operations are told of a model, a batch and a step.

use crate::core::ops::dropout::Dropout;
use std::borrow::Cow;
use std::ops::Range;

/// A fully connected layer `x Wᵀ + b`: where its numbers start among all parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    /// The start of the weight, `[outputs, inputs]`.
    pub weight: usize,
    /// The start of the bias, `[outputs]`.
    pub bias: usize,
    /// The width of `x`.
    pub inputs: usize,
    /// The width of the result.
    pub outputs: usize,
}

/// A layer normalisation: where its numbers start among all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// The start of the scale, `[width]`.
    pub weight: usize,
    /// The start of the shift, `[width]`.
    pub bias: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// The width of a row.
    pub width: usize,
}

/// The three tables whose rows are summed for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// The start of the table of words, `[vocabulary, width]`. It is the first parameter: 0.
    pub words: usize,
    /// The rows of the table of words.
    pub vocabulary: usize,
    /// The start of the table of positions, `[positions, width]`.
    pub positions: usize,
    /// The rows of the table of positions.
    pub max_positions: usize,
    /// The row of the table of positions that a sequence's first token takes.
    pub first_position: usize,
    /// The start of the table of token types; every token is of type 0.
    pub types: usize,
    /// The rows of the table of token types.
    pub max_types: usize,
    /// The width of a row.
    pub width: usize,
}

/// Where all parameters of a model stand in one flat row of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrangement {
    /// How many numbers there are.
    pub len: usize,
    /// The tables; the words come first, and their gradient is kept by rows used.
    pub tables: Tables,
    /// The parameters that weight decay applies to.
    pub decayed: Vec<Range<usize>>,
}

impl Arrangement {
    /// The numbers of the table of words, the first of all.
    pub fn words_len(&self) -> usize {
        self.tables.vocabulary * self.tables.width
    }
}

/// What is applied element by element after a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `x Φ(x)`.
    Gelu,
    /// The approximation of it by `tanh`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `tanh(x)`.
    Tanh,
}

/// Columns `start..start + hidden` of a matrix whose rows are `stride` wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The width of the matrix.
    pub stride: usize,
    /// The first column.
    pub start: usize,
}

/// Multi-head attention within each sequence of a packed batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// How many heads.
    pub heads: usize,
    /// The width of a head.
    pub width: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Applied to probabilities: row `query row × heads + head`, column the key's place in its
    /// sequence, where the query row is the packed one.
    pub dropout: Dropout,
    /// Whether only the first token of each sequence asks: then `queries` has one row a sequence.
    pub first_only: bool,
    /// Where the queries stand in their matrix.
    pub queries: Columns,
    /// Where the keys stand in theirs.
    pub keys: Columns,
    /// Where the values stand in the keys' matrix.
    pub values: Columns,
}

/// What one optimizer step is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The norm that gradients are scaled down to; 0 leaves them.
    pub max_grad_norm: f64,
}

/// What a step came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepMetrics {
    /// The mean loss.
    pub loss: f64,
    /// The norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// The class with the highest logit of each sequence, micro-batch after micro-batch.
    pub predicted: Vec<u32>,
}

/// The optimizer's memory: one number of each for every parameter, as they are arranged.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<'a> {
    /// Updates made.
    pub steps: u64,
    /// The mean of gradients.
    pub mean: Cow<'a, [f32]>,
    /// The mean of squared gradients.
    pub variance: Cow<'a, [f32]>,
}
