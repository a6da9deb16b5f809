//! The classification head: pooling of the tokens, the last layer and the loss.

use super::{Device, LinearLayout};
use candle_core::Result;

/// The arguments of [`HeadOps::classify`].
pub struct ClassifyForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The last layer.
    pub layer: &'a LinearLayout,
    /// The rows of `x`.
    pub rows: usize,
    /// `[rows, inputs]`.
    pub x: &'a D::Buffer,
    /// Output, `[rows, outputs]`.
    pub logits: &'a mut D::Floats,
}

/// The arguments of [`HeadOps::classify_backward`].
pub struct ClassifyBackward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The last layer.
    pub layer: &'a LinearLayout,
    /// The rows of `x`.
    pub rows: usize,
    /// `[rows, inputs]`.
    pub x: &'a D::Buffer,
    /// `[rows, outputs]`: the gradient of the logits.
    pub grad: &'a D::Floats,
    /// Output, `[rows, inputs]`: the gradient of `x`.
    pub dx: &'a mut D::Buffer,
    /// Output: the gradients of weight and bias.
    pub gradients: &'a mut D::Gradients,
}

/// The arguments of [`HeadOps::cross_entropy`].
pub struct CrossEntropy<'a, D: Device + ?Sized> {
    /// The number of classes.
    pub classes: usize,
    /// The label smoothing factor.
    pub smoothing: f32,
    /// The factor that the weighted sum of losses is multiplied by: 1 / the sum of the weights of
    /// the step's labelled examples.
    pub scale: f32,
    /// The labels, the weights and the role of the sequences.
    pub batch: &'a D::Batch,
    /// `[batch, classes]`.
    pub logits: &'a D::Floats,
    /// Output, `[batch, classes]`: the gradient of the logits.
    pub grad: &'a mut D::Floats,
    /// Output: the step's loss and predictions.
    pub gradients: &'a mut D::Gradients,
}

/// The arguments of [`HeadOps::divergence`].
pub struct Divergence<'a, D: Device + ?Sized> {
    /// The number of classes.
    pub classes: usize,
    /// The factor that the weighted sum of divergences is multiplied by.
    pub scale: f32,
    /// The weights of the sequences; the second half repeats the first.
    pub batch: &'a D::Batch,
    /// `[batch, classes]`.
    pub logits: &'a D::Floats,
    /// `[batch, classes]`: the gradient of the logits, which is added to.
    pub grad: &'a mut D::Floats,
    /// Output: the step's loss.
    pub gradients: &'a mut D::Gradients,
}

/// The operations of the head, forward and backward.
pub trait HeadOps: Device {
    /// `out[b]` = the row of `x` of the first token of sequence `b`, `[batch, width]`.
    fn gather_first(
        &self,
        batch: &Self::Batch,
        width: usize,
        x: &Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::gather_first`]: adds row `b` of `grad` to the row of `dx` of the first
    /// token of sequence `b`.
    fn scatter_add_first(
        &self,
        batch: &Self::Batch,
        width: usize,
        grad: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) -> Result<()>;

    /// `out[b]` = the mean of the rows of `x` of sequence `b`, `[batch, width]`.
    fn mean_rows(
        &self,
        batch: &Self::Batch,
        width: usize,
        x: &Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::mean_rows`]: sets each row of `dx`, `[rows, width]`, of sequence `b` to
    /// row `b` of `grad`, divided by the length of the sequence.
    fn mean_rows_backward(
        &self,
        batch: &Self::Batch,
        width: usize,
        grad: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) -> Result<()>;

    /// The last layer in full precision: `logits = x Wᵀ + b`.
    fn classify(&self, arguments: ClassifyForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::classify`].
    fn classify_backward(&self, arguments: ClassifyBackward<'_, Self>) -> Result<()>;

    /// Cross-entropy with label smoothing `s`, as transformers' `LabelSmoother`:
    /// `(1 - s) × loss of the label + s × mean loss of all labels`. Adds
    /// `scale × weighted sum of losses` to the step's loss, except for pseudo-labelled examples,
    /// appends the predicted classes, and sets
    /// `grad = scale × d(weighted sum of losses)/d(logits)`.
    fn cross_entropy(&self, arguments: CrossEntropy<'_, Self>) -> Result<()>;

    /// The symmetric divergence of R-Drop (Liang et al., 2021): `KL(p‖q) + KL(q‖p)` of the
    /// probabilities `p` of sequence `i` and `q` of its copy in the second half of the batch. Adds
    /// `scale × weighted sum of divergences` to the step's loss, and its gradient to `grad`. It
    /// follows [`Self::cross_entropy`].
    fn divergence(&self, arguments: Divergence<'_, Self>) -> Result<()>;
}
