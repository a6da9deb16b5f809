//! The CUDA device of the fused path: memory, and the phases of a step.

use super::batch::DeviceBatch;
use super::driver::Driver;
use super::gradients::CudaGradients;
use super::memory::{Act, DeviceBuffer, GpuContext};
use super::nccl::{DeviceSums, UniqueId};
use super::optimizer::CudaOptimizer;
use super::parameters::CudaParameters;
use super::pretraining_buffers::PretrainingBuffers;
use super::relative_buffers::{DeviceRelativeRows, RelativeScratch};
use crate::core::collective::{Collective, Reducer};
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{
    Device, Moments, PackedBatch, ParameterLayout, StepMetrics, Update,
};
use candle_core::{Error, Result, Tensor};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A CUDA device behind a driver: [`super::nvidia::Nvidia`], or an emulation in tests.
pub struct CudaBackend<D: Driver> {
    pub(super) context: Arc<GpuContext<D>>,
    /// The means that attention's backward pass computes for queries and uses for keys.
    pub(super) attention_means: Mutex<DeviceBuffer<D, f32>>,
    /// Whether attention is computed on tensor cores where there are kernels for it.
    pub(super) has_tensor_attention: bool,
    /// Whether biases of linear layers and their gradients are computed along with the products.
    pub(super) has_fused_products: bool,
    /// What relative positions add to scores, and the gradients of scores.
    pub(super) relative: Mutex<RelativeScratch<D>>,
    /// What the losses of pretraining read and write.
    pub(super) pretraining: Mutex<PretrainingBuffers<D>>,
    /// The sums over the GPUs of other ranks.
    sums: Option<DeviceSums<D>>,
}

impl<D: Driver> CudaBackend<D> {
    /// Computes on the device of `driver`, by plain kernels until [`Self::check_tensor_cores`] and
    /// [`Self::check_fused_products`], which are launched one by one until [`Self::check_graphs`].
    pub fn new(driver: D) -> Self {
        Self {
            context: Arc::new(GpuContext::new(driver)),
            attention_means: Mutex::default(),
            has_tensor_attention: false,
            has_fused_products: false,
            relative: Mutex::default(),
            pretraining: Mutex::default(),
            sums: None,
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
        optimizer.apply_pending(&self.context, Some(gradients), parameters)?;
        // The sums over ranks follow the work in the queue.
        self.context.collect_commands(self.sums.is_none())
    }

    fn accumulate(&self, gradients: &mut CudaGradients<D>) {
        gradients.dense.accumulate = true;
    }

    fn can_sum(&self) -> std::result::Result<(), Option<String>> {
        self.driver().nccl().map(drop).map_err(Some)
    }

    fn sum_id(&self) -> Result<Vec<u8>> {
        let library = self.driver().nccl().map_err(Error::msg)?;
        library.unique_id().map(UniqueId::to_bytes).map_err(Error::msg)
    }

    fn join_sums(&mut self, id: &[u8], collective: Arc<dyn Collective>) -> Result<()> {
        let Some(id) = UniqueId::from_bytes(id) else {
            candle_core::bail!("the id of NCCL has {} bytes", id.len())
        };
        let library = self.driver().nccl().map_err(Error::msg)?;
        self.sums = Some(DeviceSums::join(&self.context, library, id, collective)?);
        Ok(())
    }

    fn leave_sums(&mut self) {
        self.sums = None;
    }

    fn clear_gradients(&self, gradients: &mut CudaGradients<D>) -> Result<()> {
        gradients.dense.clear()?;
        gradients.token_rows.clear()
    }

    fn start_sum(
        &self,
        gradients: &mut CudaGradients<D>,
        range: Range<usize>,
        reducer: &mut Reducer,
    ) -> Result<()> {
        match &self.sums {
            Some(sums) => gradients.start_device_sum(range, sums),
            None => gradients.start_sum(range, reducer),
        }
    }

    fn finish_sums(
        &self,
        gradients: &mut CudaGradients<D>,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>> {
        match &self.sums {
            Some(sums) => gradients.finish_device_sums(sums, reducer, failure),
            None => gradients.finish_sums(reducer, failure),
        }
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
        let updated = optimizer.update(&self.context, update, parameters, gradients);
        updated.and(self.context.collect_commands(false))
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

    fn moments(&self, optimizer: &CudaOptimizer<D>) -> Result<Moments> {
        optimizer.moments()
    }

    fn restore(
        &self,
        parameters: &CudaParameters<D>,
        optimizer: &mut CudaOptimizer<D>,
        moments: Moments,
    ) -> Result<()> {
        optimizer.restore(&self.context, parameters, &moments)
    }

    fn take_warning(&self) -> Option<String> {
        self.context.take_warning()
    }

    fn synchronize(&self) -> Result<()> {
        self.context.submitted()?.synchronize()
    }

    fn peak_memory(&self) -> Option<usize> {
        Some(self.context.peak())
    }
}
