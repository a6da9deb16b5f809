//! The gradients of a step that several ranks compute.

use super::memory::CpuGradients;
use crate::core::collective::Reducer;
use crate::core::ops::backend::{exchange_failure, exchange_metrics};
use candle_core::{Error, Result};
use std::ops::Range;

impl CpuGradients {
    /// As [`Device::start_sum`](crate::core::ops::Device::start_sum).
    pub(super) fn start_sum(&mut self, range: Range<usize>, reducer: &mut Reducer) -> Result<()> {
        let range = range.start - self.token_table_len..range.end - self.token_table_len;
        let mut values = reducer.buffer();
        values.extend_from_slice(&self.dense[range.clone()]);
        reducer.start(values).map_err(Error::wrap)?;
        self.summing.push(range);
        Ok(())
    }

    /// As [`Device::finish_sums`](crate::core::ops::Device::finish_sums).
    pub(super) fn finish_sums(
        &mut self,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>> {
        let rest = self.summing.last().map_or(self.dense.len(), |last| last.start);
        self.start_sum(self.token_table_len..self.token_table_len + rest, reducer)?;
        reducer.start(std::mem::take(&mut self.token_rows)).map_err(Error::wrap)?;
        for range in std::mem::take(&mut self.summing) {
            let sums = reducer.next_sum().map_err(Error::wrap)?;
            self.dense[range].copy_from_slice(&sums);
            reducer.recycle(sums);
        }
        self.token_rows = reducer.next_sum().map_err(Error::wrap)?;
        if let Some(failure) = failure {
            return exchange_failure(reducer.collective(), failure);
        }
        let [masked, replaced] = self.parts;
        let mut losses = [self.loss, masked, replaced];
        let classes = exchange_metrics(reducer.collective(), &mut losses, &self.predicted)?;
        let [loss, parts @ ..] = losses;
        (self.loss, self.parts) = (loss, parts);
        Ok(classes)
    }
}
