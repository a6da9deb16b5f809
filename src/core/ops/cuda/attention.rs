//! Multi-head attention within each sequence.

use super::batch::Batch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::Numbers;
use super::shapes::groups;
use super::state::FLOAT;
use crate::core::ops::backend::Attention;
use candle_core::{Result, bail};
use std::sync::PoisonError;

/// The threads of a block.
const THREADS: [usize; 3] = [128, 1, 1];

/// The queries, or keys, that a block takes at a time.
const TILE: usize = 32;

/// The columns of a head's result that a block makes: wider heads have several blocks a tile.
const SLICE: usize = 64;

/// The widest head that a block has room for.
const WIDEST_HEAD: usize = 128;

/// The shared memory of a block, in bytes.
///
/// # Errors
/// If there is too little for heads as wide as these.
fn shared(attention: &Attention) -> Result<usize> {
    let width = attention.width;
    if width > WIDEST_HEAD {
        bail!("heads of {width} numbers; a GPU takes at most {WIDEST_HEAD}");
    }
    Ok((64 * (4 * groups(width) + 4) + 1152) * FLOAT)
}

/// The grids over queries and over keys.
fn grids<D: Driver>(attention: &Attention, batch: &Batch<D>) -> ([usize; 3], [usize; 3]) {
    let (tiles, slices) = (batch.longest().div_ceil(TILE), attention.width.div_ceil(SLICE));
    let grid = |tiles| [batch.sequences(), attention.heads, tiles * slices];
    (grid(if attention.first_only { 1 } else { tiles }), grid(tiles))
}

impl<D: Driver> CudaBackend<D> {
    pub(super) fn attend(
        &self,
        attention: &Attention,
        batch: &Batch<D>,
        q: &Numbers<D>,
        kv: &Numbers<D>,
        out: &mut Numbers<D>,
        statistics: &mut Numbers<D>,
    ) -> Result<()> {
        let Attention { heads, width, queries, keys, values, dropout, .. } = *attention;
        let (rows, _) = batch.numbered(attention.first_only);
        let (low, high) = dropout.key_halves();
        self.card.run(
            "attention",
            grids(attention, batch).0,
            THREADS,
            shared(attention)?,
            arguments![
                batch.starts(),
                heads,
                width,
                attention.scale,
                attention.first_only,
                q.at_least(rows * queries.stride)?,
                queries.stride,
                queries.start,
                kv.at_least(batch.rows() * keys.stride)?,
                keys.stride,
                keys.start,
                values.start,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                self.fit(out, rows * heads * width)?,
                self.fit_floats(statistics, rows * heads)?,
            ],
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn attend_backward(
        &self,
        attention: &Attention,
        batch: &Batch<D>,
        q: &Numbers<D>,
        kv: &Numbers<D>,
        statistics: &Numbers<D>,
        grad: &Numbers<D>,
        dq: Option<&mut Numbers<D>>,
        dkv: &mut Numbers<D>,
    ) -> Result<()> {
        let Attention { heads, width, queries, keys, values, dropout, .. } = *attention;
        let (rows, _) = batch.numbered(attention.first_only);
        if dq.is_none() && (attention.first_only || queries.stride != keys.stride) {
            bail!("the queries are not columns of the keys' matrix");
        }
        let dkeys = self.fit(dkv, batch.rows() * keys.stride)?;
        let dqueries = match dq {
            Some(dq) => self.fit(dq, rows * queries.stride)?,
            None => dkeys,
        };
        let mut room = self.means.lock().unwrap_or_else(PoisonError::into_inner);
        let means = room.fit(&self.card, rows * heads * 2 * FLOAT)?;

        let starts = batch.starts();
        let q = q.at_least(rows * queries.stride)?;
        let kv = kv.at_least(batch.rows() * keys.stride)?;
        let statistics = statistics.at_least(rows * heads)?;
        let grad = grad.at_least(rows * heads * width)?;
        let (low, high) = dropout.key_halves();
        let (over_queries, over_keys) = grids(attention, batch);
        self.card.run(
            "attention_backward_queries",
            over_queries,
            THREADS,
            shared(attention)?,
            arguments![
                starts,
                heads,
                width,
                attention.scale,
                attention.first_only,
                q,
                queries.stride,
                queries.start,
                kv,
                keys.stride,
                keys.start,
                values.start,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                statistics,
                grad,
                dqueries,
                means,
            ],
        )?;
        self.card.run(
            "attention_backward_keys",
            over_keys,
            THREADS,
            shared(attention)?,
            arguments![
                starts,
                heads,
                width,
                attention.scale,
                attention.first_only,
                q,
                queries.stride,
                queries.start,
                kv,
                keys.stride,
                keys.start,
                values.start,
                low,
                high,
                dropout.threshold(),
                dropout.kept(),
                statistics,
                means,
                grad,
                dkeys,
            ],
        )
    }
}
