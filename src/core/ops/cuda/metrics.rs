//! The metrics of steps, copied to page-locked memory while the next step runs.

use super::driver::Driver;
use super::memory::{DeviceSlice, GpuContext};
use crate::core::ops::backend::StepMetrics;
use candle_core::{Result, bail};
use std::sync::Arc;

/// The copies of the last two steps. The host waits for the copy of a step while the device has
/// the next step in its queue, so that the device is never idle.
pub(super) struct MetricsReadback<D: Driver> {
    context: Arc<GpuContext<D>>,
    slots: [D::Readback; 2],
    /// The number of steps whose copies were queued.
    started: u64,
    /// The number of steps whose metrics were read.
    read: u64,
    /// The metrics read last.
    last: StepMetrics,
}

impl<D: Driver> MetricsReadback<D> {
    pub(super) fn new(context: &Arc<GpuContext<D>>) -> Result<Self> {
        let driver = context.driver();
        Ok(Self {
            context: Arc::clone(context),
            slots: [driver.create_readback()?, driver.create_readback()?],
            started: 0,
            read: 0,
            last: StepMetrics::default(),
        })
    }

    /// Queues the copy of a step's metrics: the status that `prepare_update` wrote, and the
    /// predicted classes. The metrics of the step before the last are dropped if they were not
    /// read.
    pub(super) fn start(
        &mut self,
        status: DeviceSlice<'_, f32>,
        predicted: DeviceSlice<'_, u32>,
    ) -> Result<()> {
        if self.started - self.read == self.slots.len() as u64 {
            self.read_next()?;
        }
        let slot = &mut self.slots[(self.started % 2) as usize];
        self.context.start_readback(status, predicted, slot)?;
        self.started += 1;
        Ok(())
    }

    /// Waits for the earliest step that was not read.
    fn read_next(&mut self) -> Result<()> {
        let slot = &mut self.slots[(self.read % 2) as usize];
        let bytes = self.context.submitted()?.finish_readback(slot)?;
        // The status has a fixed number of floats; predictions follow it.
        let Some((status, predicted)) = bytes.split_first_chunk::<STATUS_BYTES>() else {
            bail!("the GPU returned {} bytes of metrics", bytes.len());
        };
        let status: [f32; STATUS_LEN] = bytemuck::pod_read_unaligned(status);
        self.last = StepMetrics {
            loss: status[STATUS_LOSS].into(),
            grad_norm: status[STATUS_NORM].into(),
            predicted: predicted.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect(),
            parts: [status[STATUS_PARTS].into(), status[STATUS_PARTS + 1].into()],
        };
        self.read += 1;
        Ok(())
    }

    /// The metrics of the earliest step that was not read, unless that is the last step.
    pub(super) fn ready(&mut self) -> Result<Option<StepMetrics>> {
        if self.started - self.read < 2 {
            return Ok(None);
        }
        self.read_next()?;
        Ok(Some(self.last.clone()))
    }

    /// The metrics of the last step; waits for it.
    pub(super) fn wait(&mut self) -> Result<StepMetrics> {
        if self.started == 0 {
            bail!("no step has ended");
        }
        while self.read < self.started {
            self.read_next()?;
        }
        Ok(self.last.clone())
    }
}

/// The elements of the status; `STATUS_` in `kernels/adamw.cu` numbers them.
pub(super) const STATUS_LEN: usize = 8;
const STATUS_BYTES: usize = STATUS_LEN * size_of::<f32>();
const STATUS_NORM: usize = 0;
const STATUS_LOSS: usize = 3;
const STATUS_PARTS: usize = 6;
