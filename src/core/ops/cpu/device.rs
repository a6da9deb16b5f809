//! The CPU's threads, memory and optimizer.

use super::bf16;
use super::bf16_weights::Bf16Buffers;
use super::memory::{CpuGradients, CpuParameters};
use super::optimizer::{self, CpuOptimizer};
use crate::core::collective::Reducer;
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{
    Device, Moments, PackedBatch, ParameterLayout, RelativeRows, StepMetrics, Update,
};
use candle_core::{Result, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;

/// The CPU with its own thread pool.
#[derive(Debug)]
pub struct Cpu {
    pool: ThreadPool,
    /// Set if matrices are multiplied in bfloat16.
    pub(super) bf16: Option<Bf16Buffers>,
}

impl Cpu {
    /// A device that computes on this number of threads; 0 means one per core.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map_err(candle_core::Error::wrap)?;
        Ok(Self { pool, bf16: None })
    }

    /// Multiplies matrices in bfloat16 from now on: the factors are rounded, sums and everything
    /// else stay in `f32`. It is quick where [`Self::has_bf16`].
    #[must_use]
    pub fn with_bf16(self) -> Self {
        Self { bf16: Some(Bf16Buffers::default()), ..self }
    }

    /// Whether the processor has instructions for bfloat16.
    pub fn has_bf16() -> bool {
        bf16::is_supported()
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// Checks that there is a row for each token.
fn check_tokens(tokens: &[u32], optimizer: &CpuOptimizer) -> Result<()> {
    let vocabulary = optimizer.vocabulary();
    match tokens.iter().find(|&&token| token as usize >= vocabulary) {
        Some(token) => {
            candle_core::bail!("token id {token} is outside the vocabulary of {vocabulary}")
        }
        None => Ok(()),
    }
}

impl Device for Cpu {
    type Buffer = Vec<f32>;
    type Floats = Vec<f32>;
    type Batch = PackedBatch;
    type RelativeRows = RelativeRows;
    type Parameters = CpuParameters;
    type Gradients = CpuGradients;
    type Optimizer = CpuOptimizer;

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    fn parameters(&self, layout: &ParameterLayout, flat: &Tensor) -> Result<CpuParameters> {
        if flat.elem_count() != layout.len {
            candle_core::bail!("{} parameters for a model of {}", flat.elem_count(), layout.len);
        }
        CpuParameters::sharing(flat, self.bf16.is_some())
    }

    fn store(&self, parameters: &CpuParameters, flat: &Tensor) -> Result<()> {
        parameters.store(flat)
    }

    fn gradients(&self, layout: &ParameterLayout) -> Result<CpuGradients> {
        Ok(CpuGradients::new(layout))
    }

    fn optimizer(&self, layout: &ParameterLayout, settings: AdamWSettings) -> Result<CpuOptimizer> {
        Ok(CpuOptimizer::new(layout, settings))
    }

    fn start_average(&self, optimizer: &mut CpuOptimizer, average: CpuParameters, decay: f64) {
        optimizer.start_average(average, decay);
    }

    fn average<'a>(&self, optimizer: &'a CpuOptimizer) -> Option<&'a CpuParameters> {
        optimizer.average()
    }

    fn send(&self, batch: &PackedBatch, to: &mut PackedBatch) -> Result<()> {
        to.clone_from(batch);
        Ok(())
    }

    fn read(&self, floats: &Vec<f32>) -> Result<Vec<f32>> {
        Ok(floats.clone())
    }

    fn begin_step(
        &self,
        tokens: &[u32],
        parameters: &mut CpuParameters,
        gradients: &mut CpuGradients,
        optimizer: &mut CpuOptimizer,
    ) -> Result<()> {
        check_tokens(tokens, optimizer)?;
        // The copies would not follow the updates.
        parameters.kept = None;
        gradients.begin(tokens, optimizer.width());
        parameters.try_write(|p| optimizer.apply_pending(tokens, p))
    }

    fn is_interruptible(&self) -> bool {
        true
    }

    fn apply_pending(
        &self,
        tokens: &[u32],
        parameters: &CpuParameters,
        optimizer: &mut CpuOptimizer,
    ) -> Result<()> {
        check_tokens(tokens, optimizer)?;
        parameters.try_write(|p| optimizer.apply_pending(tokens, p))
    }

    fn accumulate(&self, gradients: &mut CpuGradients) {
        gradients.accumulate = true;
    }

    fn clear_gradients(&self, gradients: &mut CpuGradients) -> Result<()> {
        gradients.dense.fill(0.0);
        gradients.token_rows.fill(0.0);
        Ok(())
    }

    fn start_sum(
        &self,
        gradients: &mut CpuGradients,
        range: Range<usize>,
        reducer: &mut Reducer,
    ) -> Result<()> {
        gradients.start_sum(range, reducer)
    }

    fn finish_sums(
        &self,
        gradients: &mut CpuGradients,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>> {
        gradients.finish_sums(reducer, failure)
    }

    fn set_predicted(&self, gradients: &mut CpuGradients, predicted: &[u32]) -> Result<()> {
        gradients.predicted.clear();
        gradients.predicted.extend_from_slice(predicted);
        Ok(())
    }

    fn end_step(
        &self,
        update: Update,
        parameters: &mut CpuParameters,
        gradients: &mut CpuGradients,
        optimizer: &mut CpuOptimizer,
    ) -> Result<()> {
        gradients.grad_norm = optimizer::norm(gradients);
        if gradients.loss.is_finite() && gradients.grad_norm.is_finite() {
            parameters.try_write(|p| optimizer.update(update, p, gradients))?;
        }
        gradients.unread = true;
        Ok(())
    }

    fn ready_metrics(&self, gradients: &mut CpuGradients) -> Result<Option<StepMetrics>> {
        if std::mem::take(&mut gradients.unread) {
            return self.step_metrics(gradients).map(Some);
        }
        Ok(None)
    }

    fn step_metrics(&self, gradients: &mut CpuGradients) -> Result<StepMetrics> {
        gradients.unread = false;
        Ok(StepMetrics {
            loss: gradients.loss,
            grad_norm: gradients.grad_norm,
            predicted: gradients.predicted.clone(),
            parts: gradients.parts,
        })
    }

    fn flush(&self, parameters: &mut CpuParameters, optimizer: &mut CpuOptimizer) -> Result<()> {
        if !optimizer.has_pending() {
            return Ok(());
        }
        parameters.try_write(|p| optimizer.flush(p))
    }

    fn read_gradients(&self, gradients: &CpuGradients) -> Result<Vec<f32>> {
        Ok(gradients.all())
    }

    fn moments(&self, optimizer: &CpuOptimizer) -> Result<Moments> {
        Ok(optimizer.moments())
    }

    fn restore(
        &self,
        parameters: &CpuParameters,
        optimizer: &mut CpuOptimizer,
        moments: Moments,
    ) -> Result<()> {
        if !optimizer.restore(parameters, moments)? {
            candle_core::bail!("the optimizer's moments do not match the model's parameters");
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        // Operations are done when they return.
        Ok(())
    }

    fn peak_memory(&self) -> Option<usize> {
        None
    }
}
