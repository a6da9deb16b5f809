//! AdamW on a device; rows of the token table are updated only when they are needed.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{DeviceBuffer, DeviceSliceMut, GpuContext, LaunchShape};
use super::parameters::{CudaParameters, DenseParameters};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{Moments, ParameterLayout, Update, UpdateGroups, UpdateKind};
use candle_core::{Result, bail};
use std::sync::Arc;

/// The elements of an entry of the history of updates.
const ENTRY_LEN: usize = 4;

/// AdamW's moments. Updates of token rows without a gradient stay pending: they are applied one by
/// one when the row is next needed.
///
/// An update is three kernels after the sums of squares: clipping needs the norm of all gradients, so
/// that one kernel computes its factor before any parameter changes; then one updates all parameters
/// after the token table, and one the rows of the step's tokens. They read the factor and the norm on
/// the device.
///
/// The device counts the updates itself: a step is skipped if its loss or norm is not finite, and
/// the host queues the next step before the result is known.
pub struct CudaOptimizer<D: Driver> {
    settings: AdamWSettings,
    /// The number of updates applied, one value.
    steps: DeviceBuffer<D, u64>,
    mean: DeviceBuffer<D, f32>,
    variance: DeviceBuffer<D, f32>,
    groups: DeviceGroups<D>,
    width: usize,
    vocabulary: usize,
    /// For each token row: the number of entries of the history that it was updated with.
    updated: DeviceBuffer<D, u32>,
    /// For each token row: whether any of its moments may be non-zero, or its average may differ
    /// from it.
    active: DeviceBuffer<D, u32>,
    /// The factors of updates that may be pending for token rows, `[entries, 4]`.
    history: DeviceBuffer<D, f32>,
    entries: usize,
    /// Whether rows that are not active change: whether any entry of the history has weight decay
    /// or, with an average, any update since the beginning or since the moments were restored.
    decays: bool,
    average: Option<Average<D>>,
}

/// The groups of parameters, on the device.
struct DeviceGroups<D: Driver> {
    /// The kind of the token table.
    tokens: UpdateKind,
    /// The factor of the learning rate and the weight decay of each kind, `[kinds, 2]`.
    kinds: DeviceBuffer<D, f64>,
    /// The rate and the factor of weight decay of each kind in the current update, `[kinds, 2]`.
    factors: DeviceBuffer<D, f32>,
    /// The end of each group, and its kind.
    ends: DeviceBuffer<D, u64>,
    group_kinds: DeviceBuffer<D, u32>,
}

/// The average of the weights.
struct Average<D: Driver> {
    weights: CudaParameters<D>,
    decay: f64,
}

impl<D: Driver> DeviceGroups<D> {
    fn new(
        context: &Arc<GpuContext<D>>,
        layout: &ParameterLayout,
        weight_decay: f64,
    ) -> Result<Self> {
        let UpdateGroups { kinds, groups } = UpdateGroups::new(layout);
        let decay = |kind: &UpdateKind| if kind.decays { weight_decay } else { 0.0 };
        let values: Vec<f64> = kinds.iter().flat_map(|kind| [kind.rate, decay(kind)]).collect();
        let ends: Vec<u64> = groups.iter().map(|group| group.end as u64).collect();
        let group_kinds: Vec<u32> = groups.iter().map(|group| group.kind as u32).collect();
        Ok(Self {
            tokens: kinds[0],
            kinds: DeviceBuffer::from_host(context, &values)?,
            factors: DeviceBuffer::zeroed(context, values.len())?,
            ends: DeviceBuffer::from_host(context, &ends)?,
            group_kinds: DeviceBuffer::from_host(context, &group_kinds)?,
        })
    }
}

/// One block of 128 threads per row.
fn row_blocks(rows: usize) -> LaunchShape {
    LaunchShape { grid: [rows, 1, 1], block: [128, 1, 1], shared: 0 }
}

impl<D: Driver> Average<D> {
    /// The average of the token table, to be updated.
    fn token_table(average: &mut Option<Self>) -> Result<Option<DeviceSliceMut<'_, f32>>> {
        average.as_mut().map(|average| average.weights.token_table_mut()).transpose()
    }
}

impl<D: Driver> CudaOptimizer<D> {
    pub(super) fn new(
        context: &Arc<GpuContext<D>>,
        layout: &ParameterLayout,
        settings: AdamWSettings,
    ) -> Result<Self> {
        let tables = &layout.tables;
        Ok(Self {
            settings,
            steps: DeviceBuffer::zeroed(context, 1)?,
            mean: DeviceBuffer::zeroed(context, layout.len)?,
            variance: DeviceBuffer::zeroed(context, layout.len)?,
            groups: DeviceGroups::new(context, layout, settings.weight_decay)?,
            width: tables.width,
            vocabulary: tables.vocabulary,
            updated: DeviceBuffer::zeroed(context, tables.vocabulary)?,
            active: DeviceBuffer::zeroed(context, tables.vocabulary)?,
            history: DeviceBuffer::default(),
            entries: 0,
            decays: false,
            average: None,
        })
    }

    /// Keeps an average of the weights, which are `weights` now.
    pub(super) fn start_average(&mut self, weights: CudaParameters<D>, decay: f64) {
        self.average = Some(Average { weights, decay });
    }

    /// The average of the weights.
    pub(super) fn average(&self) -> Option<&CudaParameters<D>> {
        self.average.as_ref().map(|average| &average.weights)
    }

    fn token_table_len(&self) -> usize {
        self.vocabulary * self.width
    }

    fn check(&self, parameters: &CudaParameters<D>) -> Result<()> {
        let averages = self.average().map_or(self.mean.len(), CudaParameters::len);
        if parameters.len() != self.mean.len() || averages != self.mean.len() {
            bail!(
                "{} parameters and {averages} averages, but {} moments",
                parameters.len(),
                self.mean.len()
            );
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
            Average::token_table(&mut self.average)?,
            self.updated.all_mut(),
            self.active.all(),
        ];
        // SAFETY: table, moments and average are `[vocabulary, width]`, the history is `[entries, 4]`,
        // and `updated` and `active` have one element per token row; the ids are distinct and within
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
            if let Some(average) = &mut self.average {
                average.weights.refresh_operands(context)?;
            }
        }
        Ok(())
    }

    fn clear_history(&mut self) -> Result<()> {
        self.entries = 0;
        self.decays &= self.average.is_some();
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
            self.groups.kinds.all(),
            self.groups.kinds.len() / 2,
            self.average.as_ref().map_or(0.0, |average| average.decay),
            self.groups.factors.all_mut(),
            self.steps.all_mut(),
            self.history.slice_mut(before..before + ENTRY_LEN)?,
            gradients.status.all_mut(),
        ];
        let shape = LaunchShape { grid: [1, 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: the loss has three elements, the number of steps is one, the entry has four, kinds
        // and factors have two per kind, and the status has `STATUS_LEN`.
        unsafe { context.launch("prepare_update", shape, arguments)? };
        self.update_dense(context, parameters.dense_mut()?, gradients)?;
        self.update_tokens(context, parameters, gradients)?;
        self.entries += 1;
        let UpdateKind { rate, decays } = self.groups.tokens;
        let decay = if decays { self.settings.weight_decay } else { 0.0 };
        self.decays |= (1.0 - update.learning_rate * rate * decay) as f32 != 1.0;
        gradients.start_metrics()
    }

    fn update_dense(
        &mut self,
        context: &GpuContext<D>,
        parameters: DenseParameters<'_>,
        gradients: &CudaGradients<D>,
    ) -> Result<()> {
        let (first, end) = (self.token_table_len(), self.mean.len());
        let n = end - first;
        let average = match &mut self.average {
            Some(average) => Some(average.weights.dense_mut()?.floats),
            None => None,
        };
        let arguments = arguments![
            first as u64,
            n as u64,
            self.groups.ends.all(),
            self.groups.group_kinds.all(),
            self.groups.ends.len(),
            self.settings.beta1 as f32,
            self.settings.beta2 as f32,
            self.settings.epsilon as f32,
            self.groups.factors.all(),
            gradients.status.all(),
            gradients.dense.all(),
            parameters.floats,
            self.mean.slice_mut(first..end)?,
            self.variance.slice_mut(first..end)?,
            average,
            parameters.shadow,
        ];
        let shape = LaunchShape { grid: [n.div_ceil(1024), 1, 1], block: [256, 1, 1], shared: 0 };
        // SAFETY: gradients, parameters, both moments, the average and the shadow have `n` elements
        // each; the groups cover all parameters, and their kinds have two factors each.
        unsafe { context.launch("adamw", shape, arguments) }
    }

    fn update_tokens(
        &mut self,
        context: &GpuContext<D>,
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
            self.groups.factors.all(),
            gradients.status.all(),
            gradients.token_rows.all(),
            parameters.token_table_mut()?,
            self.mean.slice_mut(0..len)?,
            self.variance.slice_mut(0..len)?,
            Average::token_table(&mut self.average)?,
            self.updated.all_mut(),
            self.active.all_mut(),
            self.entries + 1,
        ];
        let shape = row_blocks(gradients.tokens.len());
        // SAFETY: table, moments and average are `[vocabulary, width]`, the gradient is
        // `[tokens, width]`, there is at least one kind, and `updated` and `active` have one element
        // per token row; the ids are distinct and within the vocabulary, as `CudaGradients::begin`
        // checks.
        unsafe { context.launch("update_token_rows", shape, arguments) }
    }

    /// The moments and the number of updates; waits for all work.
    pub(super) fn moments(&self) -> Result<Moments> {
        let mut steps = [0];
        self.steps.download(&mut steps)?;
        Ok(Moments {
            steps: steps[0],
            mean: Arc::new(self.mean.to_host()?),
            variance: Arc::new(self.variance.to_host()?),
            weights: None,
        })
    }

    /// Restores these moments of `parameters`.
    pub(super) fn restore(
        &mut self,
        context: &GpuContext<D>,
        parameters: &CudaParameters<D>,
        moments: &Moments,
    ) -> Result<()> {
        self.check(parameters)?;
        let len = self.mean.len();
        if moments.mean.len() != len || moments.variance.len() != len {
            bail!("the optimizer's moments do not match the model's parameters");
        }
        self.mean.upload(&moments.mean)?;
        self.variance.upload(&moments.variance)?;
        self.steps.upload(&[moments.steps])?;
        self.clear_history()?;
        self.decays = false;
        let len = self.token_table_len();
        let average = self.average.as_ref();
        let average = average.map(|average| average.weights.floats(0, len)).transpose()?;
        let arguments = arguments![
            self.width,
            parameters.floats(0, len)?,
            self.mean.slice(0..len)?,
            self.variance.slice(0..len)?,
            average,
            self.active.all_mut(),
        ];
        // SAFETY: table, moments and average are `[vocabulary, width]`, and `active` has one element
        // per token row.
        unsafe { context.launch("find_active_rows", row_blocks(self.vocabulary), arguments) }
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
