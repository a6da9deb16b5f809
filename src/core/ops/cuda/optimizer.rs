//! AdamW on a device; rows of the token table are updated only when they are needed.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{DeviceBuffer, GpuContext, LaunchShape};
use super::parameters::{CudaParameters, DenseParameters};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{Moments, ParameterLayout, Update};
use candle_core::{Result, bail};
use std::borrow::Cow;
use std::sync::Arc;

/// The elements of an entry of the history of updates.
const ENTRY_LEN: usize = 3;

/// AdamW's moments. Updates of token rows without a gradient stay pending: they are applied one by
/// one when the row is next needed.
///
/// The device counts the updates itself: a step is skipped if its loss or norm is not finite, and
/// the host queues the next step before the result is known.
pub struct CudaOptimizer<D: Driver> {
    settings: AdamWSettings,
    /// The number of updates applied, one value.
    steps: DeviceBuffer<D, u64>,
    mean: DeviceBuffer<D, f32>,
    variance: DeviceBuffer<D, f32>,
    /// The ranges of parameters that weight decay applies to: starts and ends.
    decayed: DeviceBuffer<D, u64>,
    /// Whether weight decay applies to the token table.
    tokens_decay: bool,
    width: usize,
    vocabulary: usize,
    /// For each token row: the number of entries of the history that it was updated with.
    updated: DeviceBuffer<D, u32>,
    /// For each token row: whether any of its moments may be non-zero.
    has_moments: DeviceBuffer<D, u32>,
    /// The factors of updates that may be pending for token rows, `[entries, 3]`.
    history: DeviceBuffer<D, f32>,
    entries: usize,
    /// Whether any entry of the history has weight decay.
    decays: bool,
}

/// One block of 128 threads per row.
fn row_blocks(rows: usize) -> LaunchShape {
    LaunchShape { grid: [rows, 1, 1], block: [128, 1, 1], shared: 0 }
}

impl<D: Driver> CudaOptimizer<D> {
    pub(super) fn new(
        context: &Arc<GpuContext<D>>,
        layout: &ParameterLayout,
        settings: AdamWSettings,
    ) -> Result<Self> {
        let (tables, decayed) = (&layout.tables, &layout.decayed);
        let ends: Vec<u64> =
            decayed.iter().flat_map(|range| [range.start as u64, range.end as u64]).collect();
        Ok(Self {
            settings,
            steps: DeviceBuffer::zeroed(context, 1)?,
            mean: DeviceBuffer::zeroed(context, layout.len)?,
            variance: DeviceBuffer::zeroed(context, layout.len)?,
            decayed: DeviceBuffer::from_host(context, &ends)?,
            tokens_decay: decayed.iter().any(|range| range.start < layout.token_table_len()),
            width: tables.width,
            vocabulary: tables.vocabulary,
            updated: DeviceBuffer::zeroed(context, tables.vocabulary)?,
            has_moments: DeviceBuffer::zeroed(context, tables.vocabulary)?,
            history: DeviceBuffer::default(),
            entries: 0,
            decays: false,
        })
    }

    fn token_table_len(&self) -> usize {
        self.vocabulary * self.width
    }

    fn check(&self, parameters: &CudaParameters<D>) -> Result<()> {
        if parameters.len() != self.mean.len() {
            bail!("{} parameters, but {} moments", parameters.len(), self.mean.len());
        }
        Ok(())
    }

    /// Applies the pending updates of the rows of the step's tokens, or, if there are no gradients,
    /// of all rows.
    pub(super) fn apply_pending(
        &mut self,
        context: &GpuContext<D>,
        gradients: Option<&CudaGradients<D>>,
        parameters: &mut CudaParameters<D>,
    ) -> Result<()> {
        self.check(parameters)?;
        if self.entries == 0 {
            return Ok(());
        }
        let rows = gradients.map_or(self.vocabulary, |gradients| gradients.tokens.len());
        let len = self.token_table_len();
        let arguments = arguments![
            gradients.map(|gradients| gradients.token_ids.all()),
            self.width,
            self.settings.beta1 as f32,
            self.settings.beta2 as f32,
            self.settings.epsilon as f32,
            self.decays,
            self.history.slice(0..self.entries * ENTRY_LEN)?,
            self.entries,
            parameters.token_table_mut()?,
            self.mean.slice_mut(0..len)?,
            self.variance.slice_mut(0..len)?,
            self.updated.all_mut(),
            self.has_moments.all(),
        ];
        // SAFETY: table and moments are `[vocabulary, width]`, the history is `[entries, 3]`, and
        // `updated` and `has_moments` have one element per token row; the ids are distinct and within
        // the vocabulary, as `CudaGradients::begin` checks.
        unsafe { context.launch("apply_pending_updates", row_blocks(rows), arguments) }
    }

    /// Applies all pending updates and clears the history.
    pub(super) fn flush(
        &mut self,
        context: &GpuContext<D>,
        parameters: &mut CudaParameters<D>,
    ) -> Result<()> {
        if self.entries > 0 {
            self.apply_pending(context, None, parameters)?;
            self.clear_history()?;
        }
        Ok(())
    }

    fn clear_history(&mut self) -> Result<()> {
        self.entries = 0;
        self.decays = false;
        self.updated.clear()
    }

    /// Clips the gradients and updates all parameters except token rows without a gradient.
    pub(super) fn update(
        &mut self,
        context: &Arc<GpuContext<D>>,
        update: Update,
        parameters: &mut CudaParameters<D>,
        gradients: &mut CudaGradients<D>,
    ) -> Result<()> {
        self.check(parameters)?;
        if gradients.dense.len() + self.token_table_len() != self.mean.len() {
            bail!("{} moments, but {} dense gradients", self.mean.len(), gradients.dense.len());
        }
        // The factors that do not depend on the number of updates.
        let keep = (1.0 - update.learning_rate * self.settings.weight_decay) as f32;
        let token_keep = if self.tokens_decay { keep } else { 1.0 };
        let before = self.entries * ENTRY_LEN;
        self.history.grow(context, before + ENTRY_LEN, before)?;

        sum_squares(context, gradients)?;
        let arguments = arguments![
            gradients.squares.all(),
            gradients.squares.len(),
            update.max_grad_norm as f32,
            gradients.loss.all(),
            update.learning_rate,
            self.settings.beta1,
            self.settings.beta2,
            token_keep,
            self.steps.all_mut(),
            self.history.slice_mut(before..before + ENTRY_LEN)?,
            gradients.status.all_mut(),
        ];
        let shape = LaunchShape { grid: [1, 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: the loss and the number of steps are one element each, the entry has three, and
        // the status has `STATUS_LEN`.
        unsafe { context.launch("prepare_update", shape, arguments)? };
        self.update_dense(context, keep, parameters.dense_mut()?, gradients)?;
        self.update_tokens(context, token_keep, parameters, gradients)?;
        self.entries += 1;
        self.decays |= token_keep != 1.0;
        gradients.start_metrics()
    }

    fn update_dense(
        &mut self,
        context: &GpuContext<D>,
        keep: f32,
        parameters: DenseParameters<'_>,
        gradients: &CudaGradients<D>,
    ) -> Result<()> {
        let (first, end) = (self.token_table_len(), self.mean.len());
        let n = end - first;
        let arguments = arguments![
            first as u64,
            n as u64,
            self.decayed.all(),
            self.decayed.len() / 2,
            self.settings.beta1 as f32,
            self.settings.beta2 as f32,
            self.settings.epsilon as f32,
            keep,
            gradients.status.all(),
            gradients.dense.all(),
            parameters.floats,
            self.mean.slice_mut(first..end)?,
            self.variance.slice_mut(first..end)?,
            parameters.shadow,
        ];
        let shape = LaunchShape { grid: [n.div_ceil(1024), 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: gradients, parameters, both moments and the shadow have `n` elements each, and
        // `decayed` has two per range.
        unsafe { context.launch("adamw", shape, arguments) }
    }

    fn update_tokens(
        &mut self,
        context: &GpuContext<D>,
        keep: f32,
        parameters: &mut CudaParameters<D>,
        gradients: &CudaGradients<D>,
    ) -> Result<()> {
        let len = self.token_table_len();
        let arguments = arguments![
            gradients.token_ids.all(),
            self.width,
            self.settings.beta1 as f32,
            self.settings.beta2 as f32,
            self.settings.epsilon as f32,
            keep,
            gradients.status.all(),
            gradients.token_rows.all(),
            parameters.token_table_mut()?,
            self.mean.slice_mut(0..len)?,
            self.variance.slice_mut(0..len)?,
            self.updated.all_mut(),
            self.has_moments.all_mut(),
            self.entries + 1,
        ];
        let shape = row_blocks(gradients.tokens.len());
        // SAFETY: table and moments are `[vocabulary, width]`, the gradient is `[tokens, width]`,
        // and `updated` and `has_moments` have one element per token row; the ids are distinct and
        // within the vocabulary, as `CudaGradients::begin` checks.
        unsafe { context.launch("update_token_rows", shape, arguments) }
    }

    /// The moments and the number of updates; waits for all work.
    pub(super) fn moments(&self) -> Result<Moments<'_>> {
        let mut steps = [0];
        self.steps.download(&mut steps)?;
        Ok(Moments {
            steps: steps[0],
            mean: Cow::Owned(self.mean.to_host()?),
            variance: Cow::Owned(self.variance.to_host()?),
        })
    }

    /// Restores these moments.
    pub(super) fn restore(&mut self, context: &GpuContext<D>, moments: &Moments<'_>) -> Result<()> {
        let len = self.mean.len();
        if moments.mean.len() != len || moments.variance.len() != len {
            bail!("the optimizer's moments do not match the model's parameters");
        }
        self.mean.upload(&moments.mean)?;
        self.variance.upload(&moments.variance)?;
        self.steps.upload(&[moments.steps])?;
        self.clear_history()?;
        let len = self.token_table_len();
        let arguments = arguments![
            self.width,
            self.mean.slice(0..len)?,
            self.variance.slice(0..len)?,
            self.has_moments.all_mut(),
        ];
        // SAFETY: the moments of the table are `[vocabulary, width]`, and `has_moments` has one element
        // per token row.
        unsafe { context.launch("find_rows_with_moments", row_blocks(self.vocabulary), arguments) }
    }
}

/// Partial sums of the squares of all gradients, into `gradients.squares`.
fn sum_squares<D: Driver>(
    context: &Arc<GpuContext<D>>,
    gradients: &mut CudaGradients<D>,
) -> Result<()> {
    let CudaGradients { dense, token_rows, squares, .. } = gradients;
    let blocks = |n: usize| n.div_ceil(4096).min(1024);
    let dense_blocks = blocks(dense.len());
    squares.resize(context, dense_blocks + blocks(token_rows.len()))?;
    let parts = [
        (dense.all(), dense.len(), 0..dense_blocks),
        (token_rows.all(), token_rows.len(), dense_blocks..squares.len()),
    ];
    for (values, n, range) in parts {
        let shape = LaunchShape { grid: [blocks(n), 1, 1], block: [256, 1, 1], shared: 0 };
        let arguments = arguments![values, n as u64, squares.slice_mut(range)?];
        // SAFETY: there are `n` values, and one partial sum per block.
        unsafe { context.launch("squared_sums", shape, arguments)? };
    }
    Ok(())
}
