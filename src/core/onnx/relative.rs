//! Relative positions in attention (He et al., 2021).

use super::encoder::{counted, layer_norm, linear};
use super::graph::{Attribute, Graph};
use crate::core::model::layout::LayerLayout;
use crate::core::model::{ModelConfig, ModelLayout, RelativePositions};
use crate::core::ops::backend::LinearLayout;

/// What all layers read.
pub(super) struct Relative {
    positions: RelativePositions,
    /// `[rows, hidden]`: the rows of the table.
    rows: String,
    /// `[sequence, sequence]`: the row for each query and key; and for each key and query.
    by_query: String,
    by_key: String,
}

/// The rows of the table, and those for each pair of tokens.
pub(super) fn build(
    graph: &mut Graph,
    config: &ModelConfig,
    layout: &ModelLayout,
    ids: &str,
) -> Option<Relative> {
    let (positions, table) = (config.relative?, layout.relative?);
    graph.set_scope("relative");
    let mut rows = graph.parameter(table.start);
    if let Some(norm) = &table.norm {
        rows = layer_norm(graph, norm, &rows);
    }
    // All longer distances have the rows of the longest of these.
    let longest = 2 * positions.max_distance.max(positions.span) + 1;
    let reach = config.max_tokens().min(longest) as i64;
    let by_distance: Vec<i64> =
        (1 - reach..reach).map(|distance| i64::from(positions.row(distance as isize))).collect();
    let [first, last] = [1 - reach, reach - 1].map(|value| graph.integer(value));
    let token = counted(graph, ids);
    let [axis_of_keys, axis_of_queries] = [[1], [0]].map(|axis| graph.integers(&axis));
    let query = graph.node("Unsqueeze", &[&token, &axis_of_keys], &[]);
    let key = graph.node("Unsqueeze", &[&token, &axis_of_queries], &[]);
    let distance = graph.node("Sub", &[&query, &key], &[]);
    let distance = graph.node("Clip", &[&distance, &first, &last], &[]);
    let entry = graph.node("Add", &[&distance, &last], &[]);
    let by_distance = graph.integers(&by_distance);
    let by_query = graph.node("Gather", &[&by_distance, &entry], &[("axis", Attribute::Int(0))]);
    let by_key = graph.node("Transpose", &[&by_query], &[("perm", Attribute::Ints(&[1, 0]))]);
    Some(Relative { positions, rows, by_query, by_key })
}

/// Adds the terms of relative positions to the scores of a layer, `[batch, heads, sequence, sequence]`.
/// `queries` are `[batch, heads, sequence, width]`, `keys` `[batch, heads, width, sequence]`.
pub(super) fn add_terms(
    graph: &mut Graph,
    relative: &Relative,
    (layer, heads): (&LayerLayout, usize),
    (queries, keys): (&str, &str),
    mut scores: String,
) -> String {
    let Some(both) = &layer.relative else { return scores };
    let hidden = both.inputs;
    let part = |index: usize| LinearLayout {
        weight: both.weight + index * hidden * hidden,
        bias: both.bias + index * hidden,
        inputs: hidden,
        outputs: hidden,
    };
    let shape = graph.node("Shape", &[&scores], &[]);
    let gathered = |graph: &mut Graph, part: &LinearLayout, content: &str, rows: &str| {
        let split = graph.integers(&[0, heads as i64, (hidden / heads) as i64]);
        let projected = linear(graph, part, &relative.rows);
        let projected = graph.node("Reshape", &[&projected, &split], &[]);
        let order = Attribute::Ints(&[1, 2, 0]);
        let projected = graph.node("Transpose", &[&projected], &[("perm", order)]);
        let all = graph.node("MatMul", &[content, &projected], &[]);
        let rows = graph.node("Expand", &[rows, &shape], &[]);
        graph.node("GatherElements", &[&all, &rows], &[("axis", Attribute::Int(3))])
    };
    let swapped = |graph: &mut Graph, values: &str| {
        let order = Attribute::Ints(&[0, 1, 3, 2]);
        graph.node("Transpose", &[values], &[("perm", order)])
    };
    if relative.positions.keys {
        let index = usize::from(relative.positions.queries);
        let terms = gathered(graph, &part(index), queries, &relative.by_query);
        scores = graph.node("Add", &[&scores, &terms], &[]);
    }
    if relative.positions.queries {
        let keys = swapped(graph, keys);
        let terms = gathered(graph, &part(0), &keys, &relative.by_key);
        let terms = swapped(graph, &terms);
        scores = graph.node("Add", &[&scores, &terms], &[]);
    }
    scores
}
