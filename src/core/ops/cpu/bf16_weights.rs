//! The linear layers of a device that multiplies in bfloat16: copies of weights, which are renewed
//! after the parameters have changed, and buffers for activations.

use super::bf16::{PackedPanels, PackedRows, multiply};
use super::matmul::Matrix;
use crate::core::ops::backend::LinearLayout;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The copies of a model's weights. They follow from the parameters, so that nothing of them is
/// saved.
#[derive(Debug, Default)]
pub(super) struct Bf16Weights {
    layers: Mutex<HashMap<LinearLayout, LayerCopies>>,
    /// The left matrix of a product.
    left: Mutex<PackedRows>,
}

/// The copies of one layer's weight, each with the version of the parameters that it was made from.
#[derive(Debug, Default)]
struct LayerCopies {
    /// The transpose of the weight, for `x Wᵀ`.
    forward: Option<(u64, PackedPanels)>,
    /// The weight, for `grad W`.
    backward: Option<(u64, PackedPanels)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bf16Weights {
    /// `out = x Wᵀ`, or `out += x Wᵀ` if `add`.
    pub(super) fn forward(
        &self,
        version: u64,
        layer: &LinearLayout,
        parameters: &[f32],
        x: Matrix<'_>,
        out: &mut [f32],
        add: bool,
    ) {
        self.product(
            (version, layer),
            |copies| &mut copies.forward,
            weight(parameters, layer).transposed(),
            x,
            out,
            add,
        );
    }

    /// `dx = grad W`, or `dx += grad W` if `add`.
    pub(super) fn backward(
        &self,
        version: u64,
        layer: &LinearLayout,
        parameters: &[f32],
        grad: Matrix<'_>,
        dx: &mut [f32],
        add: bool,
    ) {
        self.product(
            (version, layer),
            |copies| &mut copies.backward,
            weight(parameters, layer),
            grad,
            dx,
            add,
        );
    }

    fn product(
        &self,
        (version, layer): (u64, &LinearLayout),
        copy: impl FnOnce(&mut LayerCopies) -> &mut Option<(u64, PackedPanels)>,
        weight: Matrix<'_>,
        x: Matrix<'_>,
        out: &mut [f32],
        add: bool,
    ) {
        let (mut layers, mut left) = (lock(&self.layers), lock(&self.left));
        let (made_from, panels) = copy(layers.entry(*layer).or_default())
            .get_or_insert_with(|| (u64::MAX, PackedPanels::default()));
        if *made_from != version {
            panels.pack(weight);
            *made_from = version;
        }
        left.pack(x);
        multiply(&left, panels, out, add);
    }
}

fn weight<'a>(parameters: &'a [f32], layer: &LinearLayout) -> Matrix<'a> {
    let values = &parameters[layer.weight..][..layer.weight_len()];
    Matrix::new(values, layer.outputs, layer.inputs)
}

/// Buffers for the gradients of weights.
#[derive(Debug, Default)]
pub(super) struct Bf16Buffers(Mutex<(PackedRows, PackedPanels)>);

impl Bf16Buffers {
    /// `out = left × right`, or `out += left × right` if `add`.
    pub(super) fn product(&self, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], add: bool) {
        let (rows, panels) = &mut *lock(&self.0);
        rows.pack(left);
        panels.pack(right);
        multiply(rows, panels, out, add);
    }
}
