//! The gradients of a step that several ranks compute.

use super::ReferenceTraining;
use crate::core::collective::Collective;
use crate::core::engine::StepInput;
use crate::core::ops::backend::exchange_metrics;
use candle_core::{Result, Tensor};

impl ReferenceTraining {
    /// The sums of gradients, losses and predictions over all ranks; a rank that has computed
    /// nothing has no gradients.
    pub(super) fn all_reduce(
        &mut self,
        gradients: &[Tensor],
        input: &StepInput,
        collective: &dyn Collective,
    ) -> Result<Vec<Tensor>> {
        let mut losses = [self.metrics.loss, 0.0, 0.0];
        let predicted = exchange_metrics(collective, &mut losses, &self.metrics.predicted)?;
        self.metrics.loss = losses[0];
        self.metrics.predicted = input.in_order(&predicted).map_err(candle_core::Error::msg)?;
        let sums = self.moments.iter().enumerate().map(|(index, [like, ..])| {
            let own = gradients.get(index).map(|own| own.flatten_all()?.to_vec1()).transpose()?;
            let mut values = own.unwrap_or_else(|| vec![0.0; like.elem_count()]);
            collective.all_reduce_sum(&mut values).map_err(candle_core::Error::wrap)?;
            Tensor::from_vec(values, like.shape(), like.device())
        });
        sums.collect()
    }
}
