//! Relative positions in attention (He et al., 2021), in candle's operations.

use super::functions::{PaddedBatch, dropout};
use super::network::{LayerNorm, Linear, ParameterVars};
use crate::core::model::layout::LayerLayout;
use crate::core::model::{ModelConfig, ModelLayout, RelativePositions};
use crate::core::ops::Dropout;
use candle_core::{D, Result, Tensor};

/// The table of relative positions.
pub(super) struct RelativeTable {
    positions: RelativePositions,
    table: Tensor,
    norm: Option<LayerNorm>,
}

/// The rows of the table for one batch.
pub(super) struct RelativeBatch {
    /// `[rows, hidden]`: the rows of the distances within the longest sequence.
    rows: Tensor,
    /// `[length, length]`: the index in them for each query and key.
    indices: Tensor,
}

impl RelativeTable {
    pub(super) fn new(
        vars: &ParameterVars,
        layout: &ModelLayout,
        config: &ModelConfig,
    ) -> Result<Option<Self>> {
        let (Some(table), Some(positions)) = (layout.relative, config.relative) else {
            return Ok(None);
        };
        let norm =
            table.norm.as_ref().map(|norm| LayerNorm::new(vars, norm, config)).transpose()?;
        Ok(Some(Self { positions, table: vars.at(table.start)?, norm }))
    }

    /// The rows for a batch. Those of distances to padding are any.
    pub(super) fn of(&self, batch: &PaddedBatch) -> Result<RelativeBatch> {
        let range = self.positions.range(batch.longest().max(1));
        let (first, last) = (range.start as u32, range.end as u32 - 1);
        let rows = self.table.narrow(0, range.start, range.len())?;
        let rows = self.norm.as_ref().map_or(Ok(rows.clone()), |norm| norm.forward(&rows))?;
        let length = batch.length();
        let pairs = (0..length).flat_map(|query| (0..length).map(move |key| (query, key)));
        let index = |(query, key): (usize, usize)| {
            let distance = query.cast_signed() - key.cast_signed();
            self.positions.row(distance).clamp(first, last) - first
        };
        let indices: Vec<u32> = pairs.map(index).collect();
        let indices = Tensor::from_vec(indices, (length, length), rows.device())?;
        Ok(RelativeBatch { rows, indices })
    }
}

/// The projections of a layer from the rows to the queries and keys of positions.
pub(super) struct RelativeProjections {
    queries: Option<Linear>,
    keys: Option<Linear>,
}

impl RelativeProjections {
    pub(super) fn new(
        vars: &ParameterVars,
        layout: &LayerLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        let (Some(both), Some(positions)) = (layout.relative, config.relative) else {
            return Ok(Self { queries: None, keys: None });
        };
        // The queries and keys that are there are side by side.
        let (hidden, second) = (both.inputs, usize::from(positions.queries));
        let part = |index: usize| {
            let weight = both.weight + index * hidden * hidden;
            let layout = crate::core::ops::backend::LinearLayout {
                weight,
                bias: both.bias + index * hidden,
                inputs: hidden,
                outputs: hidden,
            };
            Linear::new(vars, layout)
        };
        Ok(Self {
            queries: positions.queries.then(|| part(0)).transpose()?,
            keys: positions.keys.then(|| part(second)).transpose()?,
        })
    }

    /// What relative positions add to the scores of `query` and `key`, `[batch, heads, length, width]`
    /// each; `[batch, heads, length, length]`.
    pub(super) fn scores(
        &self,
        (query, key): (&Tensor, &Tensor),
        batch: &RelativeBatch,
        drop: Dropout,
    ) -> Result<Option<Tensor>> {
        let (size, heads, length, width) = query.dims4()?;
        let count = batch.rows.dim(0)?;
        let rows = dropout(&batch.rows, drop, 0..count)?;
        // [heads, width, rows] of a projection.
        let projected = |linear: &Linear| -> Result<Tensor> {
            let rows = linear.forward(&rows)?.reshape((count, heads, width))?;
            rows.permute((1, 2, 0))?.contiguous()
        };
        let gathered = |content: &Tensor, linear: &Linear, indices: &Tensor| -> Result<Tensor> {
            let all = content.broadcast_matmul(&projected(linear)?.unsqueeze(0)?)?;
            let indices = indices.broadcast_as((size, heads, length, length))?.contiguous()?;
            all.contiguous()?.gather(&indices, D::Minus1)
        };
        let mut sum: Option<Tensor> = None;
        if let Some(keys) = &self.keys {
            sum = Some(gathered(query, keys, &batch.indices)?);
        }
        if let Some(queries) = &self.queries {
            // Of each key, the row of its distance from each query.
            let by_key = batch.indices.t()?.contiguous()?;
            let terms = gathered(key, queries, &by_key)?.transpose(2, 3)?.contiguous()?;
            sum = Some(match sum {
                Some(sum) => (sum + terms)?,
                None => terms,
            });
        }
        Ok(sum)
    }
}
