//! Measures the speed of matrix multiplication on a device.

use super::FusedEngine;
use crate::core::ops::Backend;
use crate::core::ops::backend::{LinearForward, PackedBatch};
use candle_core::Result;
use std::time::Instant;

/// Rows of the left matrix, enough to fully use any device.
const ROWS: usize = 4096;
/// The approximate duration of a measurement in seconds.
const SECONDS: f64 = 0.3;

/// The speed of the model's largest matrix product over many rows in floating-point operations per
/// second, the best of three measurements; `None` for a model without layers.
pub(super) fn matmul_rate<B: Backend>(engine: &mut FusedEngine<B>) -> Result<Option<f64>> {
    let Some(layer) = engine.network.layout.layers.first() else {
        return Ok(None);
    };
    let layer = layer.intermediate;
    let length = engine.network.layout.tables.max_positions.min(64);
    let length = length - engine.network.layout.tables.first_position;
    // A forward pass fills the buffer of the left matrix.
    let sequences = ROWS.div_ceil(length);
    let rows = sequences * length;
    engine.logits_of(&PackedBatch {
        ids: vec![0; rows],
        starts: (0..=sequences).map(|index| (index * length) as u32).collect(),
        ..PackedBatch::default()
    })?;
    let FusedEngine { backend, parameters, work, .. } = engine;
    backend.install(|| {
        let parameters = &mut *parameters;
        let work = &mut *work;
        let (x, out) = (&work.hidden[1], &mut work.grad_wide);
        let mut times = |count: usize| -> Result<f64> {
            backend.synchronize()?;
            let began = Instant::now();
            for _ in 0..count {
                backend.linear(LinearForward {
                    parameters,
                    layer: &layer,
                    biased: false,
                    rows,
                    x,
                    out,
                })?;
            }
            backend.synchronize()?;
            Ok(began.elapsed().as_secs_f64() / count as f64)
        };
        times(1)?;
        let count = (SECONDS / times(1)?.max(1e-6)).ceil().clamp(1.0, 1e4) as usize;
        let best = times(count)?.min(times(count)?).min(times(count)?);
        Ok(Some(2.0 * (rows * layer.weight_len()) as f64 / best))
    })
}
