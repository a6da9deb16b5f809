//! The CPU's threads, memory and optimizer.

use super::memory::{Gradients, Parameters};
use super::optimizer::{self, Optimizer};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{Arrangement, Device, Moments, PackedBatch, StepMetrics, Update};
use candle_core::{Result, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The processor, with threads of its own.
#[derive(Debug)]
pub struct Cpu {
    pool: ThreadPool,
}

impl Cpu {
    /// Computes on so many threads; 0 takes one for each core.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map_err(candle_core::Error::wrap)?;
        Ok(Self { pool })
    }

    /// How many threads compute.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

impl Device for Cpu {
    type Buffer = Vec<f32>;
    type Floats = Vec<f32>;
    type Batch = PackedBatch;
    type Parameters = Parameters;
    type Gradients = Gradients;
    type Optimizer = Optimizer;

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    fn parameters(&self, arrangement: &Arrangement, flat: &Tensor) -> Result<Parameters> {
        if flat.elem_count() != arrangement.len {
            candle_core::bail!("the parameters are of another model");
        }
        Parameters::sharing(flat)
    }

    fn store(&self, _: &Parameters, _: &Tensor) -> Result<()> {
        // They are in the tensor already.
        Ok(())
    }

    fn gradients(&self, arrangement: &Arrangement) -> Result<Gradients> {
        Ok(Gradients::new(arrangement))
    }

    fn optimizer(&self, arrangement: &Arrangement, settings: AdamWSettings) -> Result<Optimizer> {
        Ok(Optimizer::new(arrangement, settings))
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
        words: &[u32],
        parameters: &mut Parameters,
        gradients: &mut Gradients,
        optimizer: &mut Optimizer,
    ) -> Result<()> {
        if let Some(word) = words.iter().find(|&&word| word as usize >= optimizer.words()) {
            candle_core::bail!("token id {word} in a vocabulary of {}", optimizer.words());
        }
        gradients.begin(words, optimizer.width());
        parameters.write(|p| optimizer.catch_up(words, p))
    }

    fn accumulate(&self, gradients: &mut Gradients) {
        gradients.accumulate = true;
    }

    fn end_step(
        &self,
        update: Update,
        parameters: &mut Parameters,
        gradients: &mut Gradients,
        optimizer: &mut Optimizer,
    ) -> Result<()> {
        gradients.grad_norm = optimizer::norm(gradients);
        if gradients.loss.is_finite() && gradients.grad_norm.is_finite() {
            parameters.write(|p| optimizer.update(update, p, gradients))?;
        }
        Ok(())
    }

    fn figures(&self, gradients: &Gradients) -> Result<StepMetrics> {
        Ok(StepMetrics {
            loss: gradients.loss,
            grad_norm: gradients.grad_norm,
            predicted: gradients.predicted.clone(),
        })
    }

    fn settle(&self, parameters: &mut Parameters, optimizer: &mut Optimizer) -> Result<()> {
        if optimizer.is_settled() {
            return Ok(());
        }
        parameters.write(|p| optimizer.settle(p))
    }

    fn read_gradients(&self, gradients: &Gradients) -> Result<Vec<f32>> {
        Ok(gradients.all())
    }

    fn moments<'a>(&self, optimizer: &'a Optimizer) -> Result<Moments<'a>> {
        Ok(optimizer.moments())
    }

    fn restore(&self, optimizer: &mut Optimizer, moments: Moments<'static>) -> Result<()> {
        if !optimizer.restore(moments) {
            candle_core::bail!("the optimizer's moments are of another model");
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        // Every operation is done when it returns.
        Ok(())
    }

    fn peak_memory(&self) -> Option<usize> {
        None
    }
}
