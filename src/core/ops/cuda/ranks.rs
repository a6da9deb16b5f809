//! The gradients of a step that several ranks compute, added up in the memory of the host or of the GPUs.

use super::driver::Driver;
use super::gradients::CudaGradients;
use super::memory::GpuContext;
use super::nccl::DeviceSums;
use crate::core::collective::Reducer;
use crate::core::ops::backend::{exchange_failure, exchange_metrics};
use candle_core::{Error, Result};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

impl<D: Driver> CudaGradients<D> {
    /// As [`Device::start_sum`](crate::core::ops::Device::start_sum). It waits for the device.
    pub(super) fn start_sum(&mut self, range: Range<usize>, reducer: &mut Reducer) -> Result<()> {
        let range = self.dense.range_of(range)?;
        let mut values = reducer.buffer();
        values.resize(range.len(), 0.0);
        self.dense.buffer().download_at(range.start, &mut values)?;
        reducer.start(values).map_err(Error::wrap)?;
        self.summing.push(range);
        Ok(())
    }

    /// As [`Device::finish_sums`](crate::core::ops::Device::finish_sums). It waits for the device.
    pub(super) fn finish_sums(
        &mut self,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>> {
        let rest = self.summing.last().map_or(self.dense.len(), |last| last.start);
        let first = self.dense.token_table_len();
        self.start_sum(first..first + rest, reducer)?;
        // There may have been no memory for the rows.
        let len = self.tokens.len() * self.width;
        let rows = match failure {
            Some(_) => vec![0.0; len],
            None => self.token_rows.to_host()?,
        };
        reducer.start(rows).map_err(Error::wrap)?;
        for range in std::mem::take(&mut self.summing) {
            let sums = reducer.next_sum().map_err(Error::wrap)?;
            self.dense.buffer().upload_at(range.start, &sums)?;
            reducer.recycle(sums);
        }
        let rows = reducer.next_sum().map_err(Error::wrap)?;
        if let Some(failure) = failure {
            return exchange_failure(reducer.collective(), failure);
        }
        self.token_rows.upload(&rows)?;
        self.exchange_metrics(reducer)
    }

    /// As [`Device::start_sum`](crate::core::ops::Device::start_sum), in the device's memory.
    pub(super) fn start_device_sum(
        &mut self,
        range: Range<usize>,
        sums: &DeviceSums<D>,
    ) -> Result<()> {
        let range = self.dense.range_of(range)?;
        sums.start(&[self.dense.buffer().slice_mut(range.clone())?])?;
        self.summing.push(range);
        Ok(())
    }

    /// As [`Device::finish_sums`](crate::core::ops::Device::finish_sums), in the device's memory. The
    /// losses and predictions are exchanged through the host, which then knows whether all ranks have
    /// computed their parts.
    pub(super) fn finish_device_sums(
        &mut self,
        sums: &DeviceSums<D>,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>> {
        let exchanged = match failure {
            Some(failure) => exchange_failure(reducer.collective(), failure),
            None => self.exchange_metrics(reducer),
        };
        let began = Instant::now();
        if exchanged.is_ok() {
            let rest = self.summing.last().map_or(self.dense.len(), |last| last.start);
            let dense = self.dense.buffer().slice_mut(0..rest)?;
            sums.start(&[dense, self.token_rows.all_mut()])?;
        }
        let summed = sums.wait();
        self.summing.clear();
        reducer.add_waited(began.elapsed());
        let classes = exchanged?;
        summed.map(|()| classes)
    }

    /// Replaces the losses by their sums over all ranks; returns the predictions by rank.
    fn exchange_metrics(&mut self, reducer: &mut Reducer) -> Result<Vec<Vec<u32>>> {
        let mut loss = self.loss.to_host()?;
        let mut predicted = vec![0; self.predictions];
        self.predicted.download(&mut predicted)?;
        let mut losses = [0.0; 3];
        losses.iter_mut().zip(&loss).for_each(|(to, &from)| *to = f64::from(from));
        let began = Instant::now();
        let classes = exchange_metrics(reducer.collective(), &mut losses, &predicted)?;
        reducer.add_waited(began.elapsed());
        loss.iter_mut().zip(losses).for_each(|(to, from)| *to = from as f32);
        self.loss.upload(&loss)?;
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
