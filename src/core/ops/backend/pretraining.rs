//! The heads and losses of pretraining: predicting masked tokens, and telling replaced tokens apart.

use super::{Device, LayerNormLayout, LinearLayout};
use candle_core::Result;
use serde::{Deserialize, Serialize};

/// The arguments of [`PretrainingOps::norm`].
pub struct NormForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// The rows of `x`.
    pub rows: usize,
    /// `[rows, width]`.
    pub x: &'a D::Buffer,
    /// Output, `[rows, 2]`: mean and reciprocal standard deviation of each row.
    pub statistics: &'a mut D::Floats,
    /// Output, `[rows, width]`.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`PretrainingOps::norm_backward`].
pub struct NormBackward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// `[rows, width]`: as in the forward pass.
    pub x: &'a D::Buffer,
    /// From the forward pass.
    pub statistics: &'a D::Floats,
    /// The gradient of the result; overwritten with the gradient of `x`.
    pub grad: &'a mut D::Buffer,
    /// Output: the gradients of scale and shift.
    pub gradients: &'a mut D::Gradients,
}

/// The arguments of [`PretrainingOps::tied_backward_weight`].
pub struct TiedBackwardWeight<'a, D: Device + ?Sized> {
    /// The token table as a linear layer, with a bias of its own.
    pub layer: &'a LinearLayout,
    /// The rows of `x` and of `grad`.
    pub rows: usize,
    /// `[rows, inputs]`.
    pub x: &'a D::Buffer,
    /// `[rows, vocabulary]`: the gradient of the logits.
    pub grad: &'a D::Buffer,
    /// Output: the gradients of the token table, of which the step uses every row, and of the bias.
    pub gradients: &'a mut D::Gradients,
}

/// The arguments of [`PretrainingOps::token_cross_entropy`].
pub struct TokenCrossEntropy<'a, D: Device + ?Sized> {
    /// The number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// The factor of the sum of losses: 1 / the number of masked tokens of the step.
    pub scale: f32,
    /// `[rows]`: the original tokens.
    pub labels: &'a [u32],
    /// `[rows, vocabulary]`; in training overwritten with `scale × d(sum of losses)/d(logits)`.
    pub logits: &'a mut D::Buffer,
    /// Output: the step's loss and its part of masked tokens; `None` in an evaluation.
    pub gradients: Option<&'a mut D::Gradients>,
}

/// The arguments of [`PretrainingOps::replaced_cross_entropy`].
pub struct ReplacedCrossEntropy<'a, D: Device + ?Sized> {
    /// The factor of the sum of losses in the step's loss.
    pub scale: f32,
    /// Its factor in the step's part of replaced tokens: 1 / the number of tokens of the step.
    pub part_scale: f32,
    /// `[rows]`: whether each token was replaced.
    pub replaced: &'a [bool],
    /// `[rows]`: the logits of being replaced.
    pub logits: &'a D::Floats,
    /// Output, `[rows]`: `scale × d(sum of losses)/d(logits)`.
    pub grad: &'a mut D::Floats,
    /// Output: the step's loss and its part of replaced tokens; `None` in an evaluation.
    pub gradients: Option<&'a mut D::Gradients>,
}

/// The losses of predicted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenLosses {
    /// The sum of the losses.
    pub sum: f64,
    /// The number of tokens.
    pub count: u64,
    /// The number of tokens whose highest logit is that of the label.
    pub correct: u64,
}

/// The losses of telling replaced tokens from original ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplacedLosses {
    /// The sum of the losses.
    pub sum: f64,
    /// The number of tokens by whether they were replaced, and by whether they are predicted to be.
    pub counts: [[u64; 2]; 2],
}

impl TokenLosses {
    /// Adds the losses of other tokens.
    pub fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.correct += other.correct;
    }
}

impl ReplacedLosses {
    /// Adds the losses of other tokens.
    pub fn add(&mut self, other: Self) {
        self.sum += other.sum;
        for (count, other) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *count += other;
        }
    }
}

/// The operations of pretraining. They work on rows of a packed batch that the caller lists.
pub trait PretrainingOps: Device {
    /// A copy of the parameters from `start` to before `end`.
    fn copy_parameters(
        &self,
        parameters: &Self::Parameters,
        start: usize,
        end: usize,
    ) -> Result<Self::Floats>;

    /// Multiplies by `factor` the change of the parameters from `start` on since they were copied to
    /// `before`: `p = before + factor × (p - before)`. As an update by AdamW, weight decay included, is
    /// proportional to the learning rate, this is the update with a learning rate of `factor` times
    /// the given one; 0 restores the parameters exactly.
    fn scale_change(
        &self,
        parameters: &mut Self::Parameters,
        start: usize,
        before: &Self::Floats,
        factor: f32,
    ) -> Result<()>;

    /// Sets all gradients of the step to zero; its backward operations then add to them.
    fn clear(&self, gradients: &mut Self::Gradients) -> Result<()>;

    /// Makes the present token table the weight of later products. Call it after the table has
    /// changed: in each step after [`Device::begin_step`], and before an evaluation.
    fn prepare_token_table(&self, parameters: &mut Self::Parameters) -> Result<()>;

    /// `out[i]` = row `rows[i]` of `x`, `[rows, width]`.
    fn gather_rows(
        &self,
        rows: &[u32],
        width: usize,
        x: &Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::gather_rows`] for distinct rows: sets `dx`, `[total, width]`, to zero but
    /// for the listed rows, which are those of `grad`.
    fn scatter_rows(
        &self,
        rows: &[u32],
        total: usize,
        width: usize,
        grad: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) -> Result<()>;

    /// Layer normalization without a residual: `out = LN(x)`.
    fn norm(&self, arguments: NormForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::norm`].
    fn norm_backward(&self, arguments: NormBackward<'_, Self>) -> Result<()>;

    /// Adds the gradient of the token table as the weight of a linear layer, `gradᵀ x`, and of the
    /// layer's bias. The step must use every row of the table.
    fn tied_backward_weight(&self, arguments: TiedBackwardWeight<'_, Self>) -> Result<()>;

    /// The cross-entropy of tokens, `-log softmax(logits)[label]`. In training, adds
    /// `scale × sum of losses` to the metrics of the step and returns `None`, so that the host need
    /// not wait for the device.
    fn token_cross_entropy(
        &self,
        arguments: TokenCrossEntropy<'_, Self>,
    ) -> Result<Option<TokenLosses>>;

    /// Draws a token for each row of `logits`, `[rows, vocabulary]`, from their softmax, where
    /// `uniform(row)` is from 0 to below 1: the first token up to which the probabilities add up to
    /// more than it.
    fn sample_tokens(
        &self,
        vocabulary: usize,
        logits: &Self::Buffer,
        uniform: &(dyn Fn(usize) -> f64 + Sync),
    ) -> Result<Vec<u32>>;

    /// The binary cross-entropy of logits, as `BCEWithLogitsLoss`. In training, adds the sum of
    /// losses to the metrics of the step and returns `None`, as [`Self::token_cross_entropy`] does.
    fn replaced_cross_entropy(
        &self,
        arguments: ReplacedCrossEntropy<'_, Self>,
    ) -> Result<Option<ReplacedLosses>>;
}
