//! The other ranks of a run: gradients are added up over all ranks in buckets, one for each layer, while
//! the backward pass of the layers below continues, as in PyTorch's `DistributedDataParallel`.

use crate::core::collective::{Collective, Reducer, is_first};
use crate::core::engine::StepTimings;
use crate::core::model::{ModelLayout, without_backtrace};
use crate::core::ops::Device;
use crate::core::text::sanitize_for_terminal;
use candle_core::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// The sums of a step over all ranks.
pub(super) struct RankSums {
    reducer: Reducer,
    /// The parameters of each bucket, in the order in which their gradients are complete: those of the
    /// last layer and of everything above it, of the layer below it, and so on. The embeddings follow
    /// at the end of the step.
    buckets: Vec<Range<usize>>,
    /// The number of buckets of this step whose sums have been started.
    started: usize,
}

impl RankSums {
    /// The sums with these ranks of the gradients of a model, on the devices if all of them can, and a note
    /// for the user if they could not. All ranks call it.
    pub fn new<D: Device>(
        collective: Arc<dyn Collective>,
        backend: &mut D,
        layout: &ModelLayout,
    ) -> Result<(Self, Option<String>)> {
        let note = join_devices(backend, &collective)?;
        let reducer = Reducer::new(collective).map_err(Error::wrap)?;
        Ok((Self { reducer, buckets: buckets(layout), started: 0 }, note))
    }

    /// Begins a step.
    pub fn begin(&mut self) -> Result<()> {
        self.started = 0;
        self.reducer.begin().map_err(Error::wrap)
    }

    /// Starts the sums of the layers from `layer` up, whose gradients are complete.
    pub fn start_from<D: Device>(
        &mut self,
        layer: usize,
        backend: &D,
        gradients: &mut D::Gradients,
    ) -> Result<()> {
        let complete = self.buckets.len().saturating_sub(layer);
        while self.started < complete {
            let range = self.buckets[self.started].clone();
            backend.start_sum(gradients, range, &mut self.reducer)?;
            self.started += 1;
        }
        Ok(())
    }

    /// Completes the sums of a step, and returns the predictions by rank. With a `failure`, this rank
    /// could not compute its part: all ranks fail with this message.
    pub fn finish<D: Device>(
        &mut self,
        backend: &D,
        gradients: &mut D::Gradients,
        failure: Option<&str>,
        timings: &mut StepTimings,
    ) -> Result<Vec<Vec<u32>>> {
        self.start_from(0, backend, gradients)?;
        let predicted = backend.finish_sums(gradients, &mut self.reducer, failure)?;
        let times = self.reducer.times();
        timings.exchange = times.exchange.as_secs_f64();
        timings.waited = times.waited.as_secs_f64();
        Ok(predicted)
    }
}

/// Lets the devices of all ranks add up gradients among themselves. Returns why they do not, if this one
/// is a device that could.
fn join_devices<D: Device>(
    backend: &mut D,
    collective: &Arc<dyn Collective>,
) -> Result<Option<String>> {
    let all = |is_own: bool| -> Result<Option<usize>> {
        let all = collective.all_gather_bytes(&[u8::from(is_own)]).map_err(Error::wrap)?;
        Ok(all.iter().position(|bytes| *bytes != [1]))
    };
    let note = |reason: String| {
        Some(format!("gradients are added up through the host: {}", sanitize_for_terminal(&reason)))
    };
    let own = backend.can_sum();
    if let Some(without) = all(own.is_ok())? {
        return Ok(match own {
            Ok(()) => note(format!("rank {without} has no GPU or no NCCL")),
            Err(reason) => reason.and_then(note),
        });
    }
    // An id of no bytes is refused.
    let id =
        if is_first(&**collective) { backend.sum_id().unwrap_or_default() } else { Vec::new() };
    let id = collective.broadcast_bytes(&id).map_err(Error::wrap)?;
    let joined = backend.join_sums(&id, Arc::clone(collective));
    let Some(without) = all(joined.is_ok())? else { return Ok(None) };
    backend.leave_sums();
    let reason = joined.err().map(|error| without_backtrace(&error));
    Ok(note(reason.unwrap_or_else(|| format!("rank {without} could not join the others"))))
}

/// The parameters of each layer, from the last layer, with everything above it, down.
fn buckets(layout: &ModelLayout) -> Vec<Range<usize>> {
    let mut end = layout.len();
    let layers = (0..layout.layers.len()).rev().map(|index| layout.layer_range(index).start);
    layers.map(|start| start..std::mem::replace(&mut end, start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::fixtures::small_model;

    #[test]
    fn buckets_are_the_layers_from_the_top_down_and_leave_the_embeddings() -> anyhow::Result<()> {
        let model = small_model([("num_hidden_layers", serde_json::json!(3))], 1)?;
        let layout = model.layout();
        let buckets = buckets(layout);
        assert_eq!(buckets.len(), 3);
        assert_eq!(buckets[0], layout.layers[2].query.weight..layout.len());
        assert!(buckets[0].contains(&layout.classifier.bias));
        assert_eq!(buckets[1], layout.layer_range(1));
        assert_eq!(buckets[2], layout.layer_range(0));
        assert_eq!(buckets[2].start, layout.first_parameter());
        Ok(())
    }
}
