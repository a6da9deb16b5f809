//! The probability of a class on the straight path of word embeddings from a baseline to a text:
//! what integrated gradients (Sundararajan et al., 2017) integrate.

use super::logits::softmax;
use super::{EngineError, EngineResult};
use crate::core::data::batching::{Example, PackedBatch};

/// Points on the path from a baseline to a text. Of the embeddings only the words' differ: positions
/// and token types are those of the text.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingPath<'a> {
    /// The text.
    pub text: &'a Example,
    /// `[tokens]`: the ids of the baseline.
    pub baseline: &'a [u32],
    /// The class.
    pub class: u32,
    /// `[points]`: 0 is the baseline and 1 the text.
    pub shares: &'a [f32],
}

/// A point on a path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPoint {
    /// The probability of the class, from 0 to 1.
    pub probability: f64,
    /// `[tokens]`: the derivative of the probability by the share of each token, which is its gradient
    /// with respect to the token's embedding, multiplied by the difference of text and baseline.
    pub slopes: Vec<f64>,
}

impl EmbeddingPath<'_> {
    /// The text once for each point, with the class as label.
    ///
    /// # Errors
    /// If text and baseline differ in length, or either has no tokens.
    pub(super) fn batch(&self) -> EngineResult<PackedBatch> {
        let (tokens, baseline) = (self.text.ids.len(), self.baseline.len());
        if tokens != baseline || tokens == 0 {
            let why = format!("a path from a baseline of {baseline} tokens to a text of {tokens}");
            return Err(EngineError(why));
        }
        let text = Example { label: self.class, ..self.text.clone() };
        Ok(PackedBatch::new(std::iter::repeat_n(&text, self.shares.len()), 0))
    }

    /// The points from the logits, `[points, classes]`, and the derivatives by the shares,
    /// `[points × tokens]`, of something whose gradient is `scale(probability)` times the
    /// probability's.
    pub(super) fn points(
        &self,
        logits: &[f32],
        slopes: &[f32],
        scale: impl Fn(f64) -> f64,
    ) -> Vec<PathPoint> {
        let classes = (logits.len() / self.shares.len().max(1)).max(1);
        let rows = slopes.chunks_exact(self.text.ids.len().max(1));
        let points = logits.chunks_exact(classes).zip(rows).map(|(logits, slopes)| {
            let probability = softmax(logits).get(self.class as usize).copied().unwrap_or(f64::NAN);
            let scale = scale(probability);
            let slopes = slopes.iter().map(|&slope| scale * f64::from(slope)).collect();
            PathPoint { probability, slopes }
        });
        points.collect()
    }
}
