//! Points on a path of embeddings: a forward pass from given embeddings, and the backward pass to
//! them.

use super::backward::LossOptions;
use super::forward::{FusedPass, SavedActivations};
use super::workspace::Workspace;
use super::{FusedEngine, evaluated};
use crate::core::engine::EngineResult;
use crate::core::engine::path::{EmbeddingPath, PathPoint};
use crate::core::ops::Backend;
use crate::core::ops::backend::{EmbedBetween, EmbedBetweenBackward, EmbedForward, PackedBatch};
use candle_core::Result;

/// The embeddings at both ends of a path, `[tokens, width]` each.
struct PathEnds<B: Backend> {
    baseline: B::Buffer,
    text: B::Buffer,
}

impl<B: Backend> FusedEngine<B> {
    /// Computes the points of a path.
    pub(super) fn points_of(&mut self, path: &EmbeddingPath<'_>) -> EngineResult<Vec<PathPoint>> {
        let batch = path.batch()?;
        let (logits, slopes) = self.logits_and_slopes(path, &batch)?;
        // The backward pass is that of the cross-entropy of the class, -ln p.
        Ok(path.points(&logits, &slopes, |probability| -probability))
    }

    /// The logits of each point, and the derivatives of the cross-entropy by the share of each token.
    fn logits_and_slopes(
        &mut self,
        path: &EmbeddingPath<'_>,
        batch: &PackedBatch,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let Self { backend, network, parameters, training, work, .. } = self;
        backend.install(|| {
            let parameters = evaluated(backend, parameters, training)?;
            let dropouts = &network.dropouts(None);
            let pass = FusedPass::evaluating(backend, network, parameters, dropouts, batch);
            let ends = pass.path_ends(path, work)?;
            let saved = SavedActivations::All;
            pass.prepare(saved, work);
            backend.send(&network.with_positions(batch), &mut work.batch)?;
            pass.begin_relative(batch.longest(), work)?;
            pass.embed_between(&ends, path.shares, work)?;
            let last = pass.layers(saved, work)?;
            pass.classify(last, work)?;
            let logits = backend.read(&work.head.logits)?;
            // Of the gradients of parameters, only those of vectors are written; none is read.
            let mut gradients = backend.gradients(&network.layout.parameter_layout(false, 1.0))?;
            let loss = LossOptions { smoothing: 0.0, scale: 1.0, divergence: None };
            pass.head_backward(loss, work, &mut gradients)?;
            pass.layers_backward(false, work, &mut gradients)?;
            let slopes = pass.embed_between_backward(&ends, work, &mut gradients)?;
            Ok((logits, slopes))
        })
    }
}

impl<B: Backend> FusedPass<'_, B> {
    /// The sums of embeddings of the baseline and of the text.
    fn path_ends(&self, path: &EmbeddingPath<'_>, work: &mut Workspace<B>) -> Result<PathEnds<B>> {
        let text = PackedBatch::new([path.text], 0);
        let mut baseline = self.network.with_positions(&text).into_owned();
        let text = self.embedding_sum(&baseline, work)?;
        baseline.ids = path.baseline.to_vec();
        Ok(PathEnds { baseline: self.embedding_sum(&baseline, work)?, text })
    }

    fn embedding_sum(&self, batch: &PackedBatch, work: &mut Workspace<B>) -> Result<B::Buffer> {
        let layout = &self.network.layout;
        let mut sum = B::Buffer::default();
        self.backend.send(batch, &mut work.batch)?;
        self.backend.embed(EmbedForward {
            parameters: self.parameters,
            tables: &layout.tables,
            norm: &layout.embedding_norm,
            dropout: self.dropouts.embeddings,
            batch: &work.batch,
            sum: &mut sum,
            statistics: &mut work.embedded_statistics,
            out: &mut work.embedded,
        })?;
        Ok(sum)
    }

    /// Computes the input of the first layer at each point.
    fn embed_between(
        &self,
        ends: &PathEnds<B>,
        shares: &[f32],
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let layout = &self.network.layout;
        let out = match layout.project {
            Some(_) => &mut work.embedded,
            None => &mut work.hidden[0],
        };
        self.backend.embed_between(EmbedBetween {
            parameters: self.parameters,
            norm: &layout.embedding_norm,
            start: &ends.baseline,
            end: &ends.text,
            shares,
            sum: &mut work.embedded_sum,
            statistics: &mut work.embedded_statistics,
            out,
        })?;
        match &layout.project {
            Some(project) => self.linear(project, self.rows, &work.embedded, &mut work.hidden[0]),
            None => Ok(()),
        }
    }

    /// The derivatives by the share of each token from the gradient of the first layer's input.
    fn embed_between_backward(
        &self,
        ends: &PathEnds<B>,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<Vec<f32>> {
        let layout = &self.network.layout;
        self.project_backward(work, gradients)?;
        let grad = match layout.project {
            Some(_) => &mut work.grad_narrow,
            None => &mut work.grad,
        };
        self.backend.embed_between_backward(EmbedBetweenBackward {
            parameters: self.parameters,
            norm: &layout.embedding_norm,
            start: &ends.baseline,
            end: &ends.text,
            sum: &work.embedded_sum,
            statistics: &work.embedded_statistics,
            grad,
        })
    }
}
