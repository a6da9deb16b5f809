//! A card as a machine for the fused path, by way of any driver: memory and the optimizer.

use super::batch::Batch;
use super::driver::{Driver, Pointer, arguments};
use super::memory::{Card, Memory, Numbers};
use super::optimizer::Optimizer;
use super::state::{FLOAT, Gradients, Parameters};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{Arrangement, Device, Moments, PackedBatch, StepMetrics, Update};
use candle_core::{Result, Tensor};
use std::sync::{Arc, Mutex};

/// A card: [`super::nvidia::Nvidia`], or in tests what stands in for one.
pub struct CudaBackend<D: Driver> {
    pub(super) card: Arc<Card<D>>,
    /// Room for the means that attention's backward pass hands from queries to keys.
    pub(super) means: Mutex<Memory<D>>,
}

impl<D: Driver> CudaBackend<D> {
    /// Computes by way of `driver`.
    pub fn new(driver: D) -> Self {
        Self { card: Arc::new(Card::new(driver)), means: Mutex::default() }
    }

    /// What it computes by way of.
    pub fn driver(&self) -> &D {
        self.card.driver()
    }

    /// Makes activations so many; what they were is lost.
    pub(super) fn fit(&self, numbers: &mut Numbers<D>, len: usize) -> Result<Pointer> {
        numbers.fit(&self.card, len, self.driver().precision().activation_bytes())
    }

    /// Makes `f32`s so many; what they were is lost.
    pub(super) fn fit_floats(&self, numbers: &mut Numbers<D>, len: usize) -> Result<Pointer> {
        numbers.fit(&self.card, len, FLOAT)
    }
}

impl<D: Driver> Device for CudaBackend<D> {
    type Buffer = Numbers<D>;
    type Floats = Numbers<D>;
    type Batch = Batch<D>;
    type Parameters = Parameters<D>;
    type Gradients = Gradients<D>;
    type Optimizer = Optimizer<D>;

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    fn parameters(&self, arrangement: &Arrangement, flat: &Tensor) -> Result<Parameters<D>> {
        let parameters = Parameters::new(&self.card, arrangement, flat)?;
        let shadow = parameters.shadow();
        if shadow != Pointer::NULL {
            let (len, words_len) = parameters.lens();
            let n = len - words_len;
            let from = parameters.floats(words_len, n)?;
            let grid = [n.div_ceil(256).min(4096), 1, 1];
            let copy = arguments![from, shadow, n as u64];
            self.card.run("to_activations", grid, [256, 1, 1], 0, copy)?;
        }
        Ok(parameters)
    }

    fn store(&self, parameters: &Parameters<D>, flat: &Tensor) -> Result<()> {
        parameters.store(flat)
    }

    fn gradients(&self, arrangement: &Arrangement) -> Result<Gradients<D>> {
        Gradients::new(&self.card, arrangement)
    }

    fn optimizer(
        &self,
        arrangement: &Arrangement,
        settings: AdamWSettings,
    ) -> Result<Optimizer<D>> {
        Optimizer::new(&self.card, arrangement, settings)
    }

    fn send(&self, batch: &PackedBatch, to: &mut Batch<D>) -> Result<()> {
        to.send(&self.card, batch)
    }

    fn read(&self, floats: &Numbers<D>) -> Result<Vec<f32>> {
        floats.read()
    }

    fn begin_step(
        &self,
        words: &[u32],
        parameters: &mut Parameters<D>,
        gradients: &mut Gradients<D>,
        optimizer: &mut Optimizer<D>,
    ) -> Result<()> {
        gradients.begin(&self.card, words)?;
        optimizer.begin(&self.card, gradients, parameters)
    }

    fn accumulate(&self, gradients: &mut Gradients<D>) {
        gradients.accumulate = true;
    }

    fn end_step(
        &self,
        update: Update,
        parameters: &mut Parameters<D>,
        gradients: &mut Gradients<D>,
        optimizer: &mut Optimizer<D>,
    ) -> Result<()> {
        optimizer.update(&self.card, update, parameters, gradients)
    }

    fn figures(&self, gradients: &Gradients<D>) -> Result<StepMetrics> {
        gradients.figures()
    }

    fn settle(&self, parameters: &mut Parameters<D>, optimizer: &mut Optimizer<D>) -> Result<()> {
        optimizer.settle(&self.card, parameters)
    }

    fn read_gradients(&self, gradients: &Gradients<D>) -> Result<Vec<f32>> {
        gradients.read()
    }

    fn moments<'a>(&self, optimizer: &'a Optimizer<D>) -> Result<Moments<'a>> {
        optimizer.moments()
    }

    fn restore(&self, optimizer: &mut Optimizer<D>, moments: Moments<'static>) -> Result<()> {
        optimizer.restore(&self.card, &moments)
    }

    fn synchronize(&self) -> Result<()> {
        self.driver().synchronize()
    }

    fn peak_memory(&self) -> Option<usize> {
        Some(self.card.peak())
    }
}
