//! The gradients of a step that several ranks compute, added up through the host's memory.

use super::driver::Driver;
use super::gradients::CudaGradients;
use super::memory::GpuContext;
use crate::core::collective::Collective;
use crate::core::ops::backend::exchange_metrics;
use candle_core::{Error, Result};
use std::sync::Arc;

impl<D: Driver> CudaGradients<D> {
    /// As [`Device::all_reduce`](crate::core::ops::Device::all_reduce). It waits for the device.
    pub(super) fn all_reduce(
        &mut self,
        is_idle: bool,
        collective: &dyn Collective,
    ) -> Result<Vec<Vec<u32>>> {
        let mut loss = self.loss.to_host()?;
        let mut predicted = vec![0; self.predictions];
        self.predicted.download(&mut predicted)?;
        let mut losses = [0.0; 3];
        losses.iter_mut().zip(&loss).for_each(|(to, &from)| *to = f64::from(from));
        let classes = exchange_metrics(collective, &mut losses, &predicted)?;
        loss.iter_mut().zip(losses).for_each(|(to, from)| *to = from as f32);
        self.loss.upload(&loss)?;
        if is_idle {
            self.dense.clear()?;
            self.token_rows.clear()?;
        }
        for values in [self.dense.buffer(), &mut self.token_rows] {
            let mut sums = values.to_host()?;
            collective.all_reduce_sum(&mut sums).map_err(Error::wrap)?;
            values.upload(&sums)?;
        }
        Ok(classes)
    }

    /// Replaces the predictions of the step.
    pub(super) fn set_predicted(
        &mut self,
        context: &Arc<GpuContext<D>>,
        predicted: &[u32],
    ) -> Result<()> {
        self.predicted.resize(context, predicted.len())?;
        self.predicted.upload(predicted)?;
        self.predictions = predicted.len();
        Ok(())
    }
}
