//! Products of a few rows with weights that do not change, as in answering one text.
//!
//! A general product copies the weights into blocks that suit its loops each time, which takes
//! longer than the product itself if there are few rows. Here the copies are kept.

mod kernel;

use super::tile::{COLUMNS, ROWS, Tile};
use crate::core::ops::backend::LinearLayout;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The most rows of a product that is computed here.
const MAX_ROWS: usize = 64;

/// The most elements of all copies together: 1 GiB.
const MAX_ELEMENTS: usize = 1 << 28;

/// Copies of weights in panels of [`COLUMNS`] outputs, `[inputs, COLUMNS]` each, for a model that is
/// not trained.
#[derive(Debug, Default)]
pub(super) struct KeptWeights(Mutex<Copies>);

#[derive(Debug, Default)]
struct Copies {
    layers: HashMap<LinearLayout, Vec<f32>>,
    elements: usize,
}

impl KeptWeights {
    /// `out = x Wᵀ`, or `out += x Wᵀ` if `add`, and returns `true`; or returns `false` if there are
    /// many rows, or the processor lacks AVX-512. `weight` is `[outputs, inputs]`.
    pub(super) fn multiply(
        &self,
        layer: &LinearLayout,
        weight: &[f32],
        x: &[f32],
        out: &mut [f32],
        add: bool,
    ) -> bool {
        let rows = out.len() / layer.outputs.max(1);
        if !(1..=MAX_ROWS).contains(&rows) || !kernel::is_supported() {
            return false;
        }
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Copies { layers, elements } = &mut *copies;
        if !layers.contains_key(layer) && *elements + layer.weight_len() > MAX_ELEMENTS {
            return false;
        }
        let panels = layers.entry(*layer).or_insert_with(|| {
            let panels = pack(weight, layer.inputs, layer.outputs);
            *elements += panels.len();
            panels
        });
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let share = rows.div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS);
        let tasks = out.par_chunks_mut(share * outputs).zip(x.par_chunks(share * inputs));
        tasks.for_each(|(out, x)| product(x, panels, inputs, outputs, out, add));
        true
    }
}

/// The panels of a weight, `[outputs, inputs]`; missing outputs of the last one are zero.
fn pack(weight: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut panels = vec![0f32; outputs.div_ceil(COLUMNS) * inputs * COLUMNS];
    for (output, weights) in weight.chunks_exact(inputs).enumerate() {
        let first = output / COLUMNS * inputs * COLUMNS + output % COLUMNS;
        for (to, from) in panels[first..].iter_mut().step_by(COLUMNS).zip(weights) {
            *to = *from;
        }
    }
    panels
}

/// Multiplies all rows of `x`.
fn product(x: &[f32], panels: &[f32], inputs: usize, outputs: usize, out: &mut [f32], add: bool) {
    for (panel, weights) in panels.chunks_exact(inputs * COLUMNS).enumerate() {
        let first = panel * COLUMNS;
        let rows = x.chunks(ROWS * inputs).zip(out.chunks_mut(ROWS * outputs));
        for (x, out) in rows {
            kernel::tile(&mut Tile {
                left: x,
                row_stride: inputs,
                stride: 1,
                right: weights,
                rows: x.len() / inputs,
                columns: (outputs - first).min(COLUMNS),
                out: &mut out[first..],
                out_stride: outputs,
                add,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ops::testing::normal_values;

    #[test]
    fn products_are_sums_of_products() {
        for (rows, inputs, outputs) in [(1, 5, 3), (7, 31, 33), (64, 48, 96), (11, 1, 64)] {
            let (x, weight) =
                (normal_values(rows * inputs, 1.0, 1), normal_values(outputs * inputs, 1.0, 2));
            let panels = pack(&weight, inputs, outputs);
            let mut out = vec![1f32; rows * outputs];
            product(&x, &panels, inputs, outputs, &mut out, false);
            product(&x, &panels, inputs, outputs, &mut out, true);
            for (at, found) in out.iter().enumerate() {
                let (row, output) = (at / outputs, at % outputs);
                let expected: f32 =
                    (0..inputs).map(|i| x[row * inputs + i] * weight[output * inputs + i]).sum();
                assert!((found - 2.0 * expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }

    #[test]
    fn few_rows_are_computed_from_copies_and_many_are_not() {
        let layer = LinearLayout { weight: 0, bias: 0, inputs: 4, outputs: 3 };
        let (x, weight) = (normal_values(8, 1.0, 1), normal_values(12, 1.0, 2));
        let kept = KeptWeights::default();
        let product = || {
            let mut out = vec![0f32; 6];
            kept.multiply(&layer, &weight, &x, &mut out, false).then_some(out)
        };
        let first = product();
        assert_eq!(first, product());
        assert_eq!(first.is_some(), kernel::is_supported());
        let expected: f32 = (0..4).map(|i| x[i] * weight[i]).sum();
        assert!(first.is_none_or(|out| (out[0] - expected).abs() < 1e-5));
        let mut many = vec![0f32; 3 * (MAX_ROWS + 1)];
        let x = vec![0f32; 4 * (MAX_ROWS + 1)];
        assert!(!kept.multiply(&layer, &weight, &x, &mut many, false));
    }
}
