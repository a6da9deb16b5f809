//! The operations that a device implements for the fused path: an encoder's forward and backward
//! pass, and the optimizer.
//!
//! A batch is *packed*: its sequences follow one another without padding, so that matrices have
//! one row per token (`rows` in all). Buffers are row-major. A backward operation receives what
//! its forward operation received and produced; devices keep no other state between them.

#![expect(clippy::missing_errors_doc, reason = "a device fails when it is out of memory or lost")]

mod activation;
mod attention;
mod device;
mod embedding;
mod groups;
mod head;
mod linear;
mod norm;
mod path;
mod pretraining;
mod ranks;
mod relative;
mod shapes;

pub use activation::{ActivateBackward, ActivateForward, ActivationOps};
pub use attention::{AttentionBackward, AttentionForward, AttentionOps};
pub use device::Device;
pub use embedding::{EmbedBackward, EmbedForward, EmbeddingOps};
pub use groups::{UpdateGroup, UpdateGroups, UpdateKind};
pub use head::{ClassifyBackward, ClassifyForward, CrossEntropy, Divergence, HeadOps};
pub use linear::{LinearBackwardInput, LinearBackwardWeight, LinearForward, LinearOps};
pub use norm::{AddNormBackward, AddNormForward, NormOps};
pub use path::{EmbedBetween, EmbedBetweenBackward, PathOps};
pub use pretraining::{
    NormBackward, NormForward, PretrainingOps, ReplacedCrossEntropy, ReplacedLosses,
    TiedBackwardWeight, TokenCrossEntropy, TokenLosses,
};
pub use ranks::exchange_metrics;
pub use relative::{DropRows, Relative, RelativeColumns, RelativeOps, RelativeRows};
pub use shapes::{
    Activation, AttentionConfig, EmbeddingTables, LayerNormLayout, LinearLayout, MatrixColumns,
    Moments, ParameterLayout, RelativeTable, StepMetrics, Update,
};

pub use crate::core::data::batching::PackedBatch;

/// A device with every operation of an encoder.
pub trait Backend:
    EmbeddingOps
    + LinearOps
    + AttentionOps
    + RelativeOps
    + NormOps
    + ActivationOps
    + HeadOps
    + PathOps
    + PretrainingOps
{
}

impl<D> Backend for D where
    D: EmbeddingOps
        + LinearOps
        + AttentionOps
        + RelativeOps
        + NormOps
        + ActivationOps
        + HeadOps
        + PathOps
        + PretrainingOps
{
}
