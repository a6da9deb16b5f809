//! The CUDA device of the fused path: memory, and the phases of a step.

use super::batch::DeviceBatch;
use super::driver::Driver;
use super::gradients::CudaGradients;
use super::memory::{Act, DeviceBuffer, GpuContext};
use super::optimizer::CudaOptimizer;
use super::parameters::CudaParameters;
use super::pretraining_buffers::PretrainingBuffers;
use super::relative::{DeviceRelativeRows, RelativeScratch};
use crate::core::collective::Collective;
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{
    Device, Moments, PackedBatch, ParameterLayout, StepMetrics, Update,
};
use candle_core::{Result, Tensor};
use std::sync::{Arc, Mutex};

/// A CUDA device behind a driver: [`super::nvidia::Nvidia`], or an emulation in tests.
pub struct CudaBackend<D: Driver> {
    pub(super) context: Arc<GpuContext<D>>,
    /// The means that attention's backward pass computes for queries and uses for keys.
    pub(super) attention_means: Mutex<DeviceBuffer<D, f32>>,
    /// What relative positions add to scores, and the gradients of scores.
    pub(super) relative: Mutex<RelativeScratch<D>>,
    /// What the losses of pretraining read and write.
    pub(super) pretraining: Mutex<PretrainingBuffers<D>>,
}

impl<D: Driver> CudaBackend<D> {
    /// Computes on the device of `driver`.
    pub fn new(driver: D) -> Self {
        Self {
            context: Arc::new(GpuContext::new(driver)),
            attention_means: Mutex::default(),
            relative: Mutex::default(),
            pretraining: Mutex::default(),
        }
    }

    /// The driver.
    pub fn driver(&self) -> &D {
        self.context.driver()
    }
}

impl<D: Driver> Device for CudaBackend<D> {
    type Buffer = DeviceBuffer<D, Act>;
    type Floats = DeviceBuffer<D, f32>;
    type Batch = DeviceBatch<D>;
    type RelativeRows = DeviceRelativeRows<D>;
    type Parameters = CudaParameters<D>;
    type Gradients = CudaGradients<D>;
    type Optimizer = CudaOptimizer<D>;

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    fn parameters(&self, layout: &ParameterLayout, flat: &Tensor) -> Result<CudaParameters<D>> {
        CudaParameters::new(&self.context, layout, flat)
    }

    fn store(&self, parameters: &CudaParameters<D>, flat: &Tensor) -> Result<()> {
        parameters.store(flat)
    }

    fn gradients(&self, layout: &ParameterLayout) -> Result<CudaGradients<D>> {
        CudaGradients::new(&self.context, layout)
    }

    fn optimizer(
        &self,
        layout: &ParameterLayout,
        settings: AdamWSettings,
    ) -> Result<CudaOptimizer<D>> {
        CudaOptimizer::new(&self.context, layout, settings)
    }

    fn start_average(
        &self,
        optimizer: &mut CudaOptimizer<D>,
        average: CudaParameters<D>,
        decay: f64,
    ) {
        optimizer.start_average(average, decay);
    }

    fn average<'a>(&self, optimizer: &'a CudaOptimizer<D>) -> Option<&'a CudaParameters<D>> {
        optimizer.average()
    }

    fn send(&self, batch: &PackedBatch, to: &mut DeviceBatch<D>) -> Result<()> {
        to.send(&self.context, batch)
    }

    fn read(&self, floats: &DeviceBuffer<D, f32>) -> Result<Vec<f32>> {
        floats.to_host()
    }

    fn begin_step(
        &self,
        tokens: &[u32],
        parameters: &mut CudaParameters<D>,
        gradients: &mut CudaGradients<D>,
        optimizer: &mut CudaOptimizer<D>,
    ) -> Result<()> {
        gradients.begin(&self.context, tokens)?;
        optimizer.apply_pending(&self.context, Some(gradients), parameters)
    }

    fn accumulate(&self, gradients: &mut CudaGradients<D>) {
        gradients.dense.accumulate = true;
    }

    fn all_reduce(
        &self,
        gradients: &mut CudaGradients<D>,
        is_idle: bool,
        collective: &dyn Collective,
    ) -> Result<Vec<Vec<u32>>> {
        gradients.all_reduce(is_idle, collective)
    }

    fn set_predicted(&self, gradients: &mut CudaGradients<D>, predicted: &[u32]) -> Result<()> {
        gradients.set_predicted(&self.context, predicted)
    }

    fn end_step(
        &self,
        update: Update,
        parameters: &mut CudaParameters<D>,
        gradients: &mut CudaGradients<D>,
        optimizer: &mut CudaOptimizer<D>,
    ) -> Result<()> {
        optimizer.update(&self.context, update, parameters, gradients)
    }

    fn ready_metrics(&self, gradients: &mut CudaGradients<D>) -> Result<Option<StepMetrics>> {
        gradients.metrics.ready()
    }

    fn step_metrics(&self, gradients: &mut CudaGradients<D>) -> Result<StepMetrics> {
        gradients.metrics.wait()
    }

    fn flush(
        &self,
        parameters: &mut CudaParameters<D>,
        optimizer: &mut CudaOptimizer<D>,
    ) -> Result<()> {
        optimizer.flush(&self.context, parameters)
    }

    fn read_gradients(&self, gradients: &CudaGradients<D>) -> Result<Vec<f32>> {
        gradients.read()
    }

    fn moments<'a>(&self, optimizer: &'a CudaOptimizer<D>) -> Result<Moments<'a>> {
        optimizer.moments()
    }

    fn restore(
        &self,
        parameters: &CudaParameters<D>,
        optimizer: &mut CudaOptimizer<D>,
        moments: Moments<'static>,
    ) -> Result<()> {
        optimizer.restore(&self.context, parameters, &moments)
    }

    fn synchronize(&self) -> Result<()> {
        self.driver().synchronize()
    }

    fn peak_memory(&self) -> Option<usize> {
        Some(self.context.peak())
    }
}
