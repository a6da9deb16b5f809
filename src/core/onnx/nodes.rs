//! Nodes that several parts of a model need.

use super::graph::{Attribute, Graph};
use crate::core::ops::backend::{LayerNormLayout, LinearLayout};

/// The positions 0, 1, 2, …, `[sequence]`.
pub(super) fn counted(graph: &mut Graph, ids: &str) -> String {
    let shape = graph.node("Shape", &[ids], &[]);
    let [zero, one] = [0, 1].map(|value| graph.integer(value));
    let length = graph.node("Gather", &[&shape, &one], &[("axis", Attribute::Int(0))]);
    graph.node("Range", &[&zero, &length, &one], &[])
}

/// `x Wᵀ + b`.
pub(super) fn linear(graph: &mut Graph, layer: &LinearLayout, x: &str) -> String {
    let (weight, bias) = (graph.transposed(layer.weight), graph.parameter(layer.bias));
    let product = graph.node("MatMul", &[x, &weight], &[]);
    graph.node("Add", &[&product, &bias], &[])
}

pub(super) fn layer_norm(graph: &mut Graph, norm: &LayerNormLayout, x: &str) -> String {
    let (scale, shift) = (graph.parameter(norm.weight), graph.parameter(norm.bias));
    let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(norm.epsilon))];
    graph.node("LayerNormalization", &[x, &scale, &shift], &attributes)
}
