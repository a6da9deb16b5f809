//! An encoder with a classification head in ONNX's operators: the same computation as
//! `core/engine/reference`, for padded batches.

use super::graph::{Attribute, Dimension, Graph};
use super::relative::{self, Relative};
use crate::core::model::layout::LayerLayout;
use crate::core::model::{ModelLayout, Pooling, SequenceClassifier};
use crate::core::ops::backend::{Activation, LayerNormLayout, LinearLayout};

/// The graph's inputs by name.
struct Inputs {
    ids: String,
    /// `[batch, sequence]`: 1 for tokens and 0 for padding, as numbers with a fraction.
    attended: String,
    types: Option<String>,
}

/// What all layers have in common.
struct Context {
    mask: String,
    relative: Option<Relative>,
    heads: usize,
    score_scale: f32,
    activation: Activation,
}

/// Adds the whole computation, from the token ids to the logits.
pub(super) fn build(graph: &mut Graph, model: &SequenceClassifier) {
    let (config, layout) = (model.config(), model.layout());
    let dimensions = [Dimension::Any("batch"), Dimension::Any("sequence")];
    let ids = graph.input("input_ids", &dimensions);
    let mask = graph.input("attention_mask", &dimensions);
    let has_types = layout.tables.max_token_types > 1;
    let types = has_types.then(|| graph.input("token_type_ids", &dimensions));
    let attended = graph.node("Cast", &[&mask], &[("to", Attribute::Int(1))]);
    let inputs = Inputs { ids, attended, types };
    let mut hidden = embeddings(graph, layout, &inputs);
    let relative = relative::build(graph, config, layout, &inputs.ids);
    let context = Context {
        mask: additive_mask(graph, &inputs.attended),
        relative,
        heads: config.encoder.num_attention_heads,
        score_scale: config.score_scale() as f32,
        activation: layout.activation,
    };
    for (index, layer) in layout.layers.iter().enumerate() {
        graph.set_scope(&format!("layer.{index}"));
        hidden = encoder_layer(graph, layer, &hidden, &context);
    }
    graph.set_scope("head");
    let pooled = match config.pooling {
        Pooling::Cls => {
            let first = graph.integer(0);
            graph.node("Gather", &[&hidden, &first], &[("axis", Attribute::Int(1))])
        }
        Pooling::Mean => mean_of_tokens(graph, &hidden, &inputs.attended),
    };
    let dense = linear(graph, &layout.head, &pooled);
    let dense = activate(graph, config.head_activation(), dense);
    let logits = linear(graph, &layout.classifier, &dense);
    let dimensions = [Dimension::Any("batch"), Dimension::Size(config.labels.len())];
    graph.output(&logits, "logits", &dimensions);
}

/// The sum of the tables' rows, normalized, `[batch, sequence, hidden]`.
fn embeddings(graph: &mut Graph, layout: &ModelLayout, inputs: &Inputs) -> String {
    let tables = &layout.tables;
    graph.set_scope("embeddings");
    let gather = |graph: &mut Graph, table: usize, ids: &str| {
        let table = graph.parameter(table);
        graph.node("Gather", &[&table, ids], &[("axis", Attribute::Int(0))])
    };
    let mut sum = gather(graph, tables.tokens, &inputs.ids);
    if let Some(table) = tables.positions {
        let ids = match tables.padding_position {
            Some(padding) => counted_without_padding(graph, &inputs.ids, i64::from(padding)),
            None => counted(graph, &inputs.ids),
        };
        let positions = gather(graph, table, &ids);
        sum = graph.node("Add", &[&sum, &positions], &[]);
    }
    if tables.max_token_types > 0 {
        let first = graph.integer(0);
        let types = gather(graph, tables.token_types, inputs.types.as_ref().unwrap_or(&first));
        sum = graph.node("Add", &[&sum, &types], &[]);
    }
    let normal = layer_norm(graph, &layout.embedding_norm, &sum);
    match &layout.project {
        Some(project) => linear(graph, project, &normal),
        None => normal,
    }
}

/// The positions 0, 1, 2, …, `[sequence]`.
pub(super) fn counted(graph: &mut Graph, ids: &str) -> String {
    let shape = graph.node("Shape", &[ids], &[]);
    let [zero, one] = [0, 1].map(|value| graph.integer(value));
    let length = graph.node("Gather", &[&shape, &one], &[("axis", Attribute::Int(0))]);
    graph.node("Range", &[&zero, &length, &one], &[])
}

/// The positions of RoBERTa, `[batch, sequence]`: padding tokens have the padding's position, and the
/// others are counted from the next one on, as `create_position_ids_from_input_ids` does.
fn counted_without_padding(graph: &mut Graph, ids: &str, padding: i64) -> String {
    let [padding, one] = [padding, 1].map(|value| graph.integer(value));
    let is_padding = graph.node("Equal", &[ids, &padding], &[]);
    let is_counted = graph.node("Not", &[&is_padding], &[]);
    let counted = graph.node("Cast", &[&is_counted], &[("to", Attribute::Int(7))]);
    let number = graph.node("CumSum", &[&counted, &one], &[]);
    let number = graph.node("Mul", &[&number, &counted], &[]);
    graph.node("Add", &[&number, &padding], &[])
}

/// What is added to scores, `[batch, 1, 1, sequence]`: 0 for tokens and the lowest number for padding.
fn additive_mask(graph: &mut Graph, attended: &str) -> String {
    graph.set_scope("mask");
    let (one, lowest) = (graph.float(1.0), graph.float(f32::MIN));
    let is_padding = graph.node("Sub", &[&one, attended], &[]);
    let mask = graph.node("Mul", &[&is_padding, &lowest], &[]);
    let axes = graph.integers(&[1, 2]);
    graph.node("Unsqueeze", &[&mask, &axes], &[])
}

fn encoder_layer(
    graph: &mut Graph,
    layer: &LayerLayout,
    hidden: &str,
    context: &Context,
) -> String {
    let Context { mask, relative, heads, score_scale, activation } = context;
    let heads = *heads;
    let width = layer.query.outputs / heads;
    let shape = graph.integers(&[0, 0, heads as i64, width as i64]);
    let split = |graph: &mut Graph, part: &LinearLayout, order: [i64; 4]| {
        let values = linear(graph, part, hidden);
        let values = graph.node("Reshape", &[&values, &shape], &[]);
        graph.node("Transpose", &[&values], &[("perm", Attribute::Ints(&order))])
    };
    let queries = split(graph, &layer.query, [0, 2, 1, 3]);
    let keys = split(graph, &layer.key, [0, 2, 3, 1]);
    let values = split(graph, &layer.value, [0, 2, 1, 3]);
    let scale = graph.float(*score_scale);
    let mut scores = graph.node("MatMul", &[&queries, &keys], &[]);
    if let Some(relative) = relative {
        let (layer, pair) = ((layer, heads), (queries.as_str(), keys.as_str()));
        scores = relative::add_terms(graph, relative, layer, pair, scores);
    }
    let scores = graph.node("Mul", &[&scores, &scale], &[]);
    let scores = graph.node("Add", &[&scores, mask], &[]);
    let probabilities = graph.node("Softmax", &[&scores], &[("axis", Attribute::Int(-1))]);
    let context = graph.node("MatMul", &[&probabilities, &values], &[]);
    let order = Attribute::Ints(&[0, 2, 1, 3]);
    let context = graph.node("Transpose", &[&context], &[("perm", order)]);
    let shape = graph.integers(&[0, 0, layer.query.outputs as i64]);
    let context = graph.node("Reshape", &[&context, &shape], &[]);
    let attended = linear(graph, &layer.attention_output, &context);
    let attended = graph.node("Add", &[hidden, &attended], &[]);
    let middle = layer_norm(graph, &layer.attention_norm, &attended);
    let wide = linear(graph, &layer.intermediate, &middle);
    let wide = activate(graph, *activation, wide);
    let output = linear(graph, &layer.output, &wide);
    let output = graph.node("Add", &[&middle, &output], &[]);
    layer_norm(graph, &layer.output_norm, &output)
}

/// The mean of the tokens of each text, without padding.
fn mean_of_tokens(graph: &mut Graph, hidden: &str, attended: &str) -> String {
    let axes = graph.integers(&[2]);
    let shares = graph.node("Unsqueeze", &[attended, &axes], &[]);
    let tokens = graph.node("Mul", &[hidden, &shares], &[]);
    let sum_over = |graph: &mut Graph, values: &str| {
        let axes = graph.integers(&[1]);
        graph.node("ReduceSum", &[values, &axes], &[("keepdims", Attribute::Int(0))])
    };
    let (sum, count) = (sum_over(graph, &tokens), sum_over(graph, &shares));
    graph.node("Div", &[&sum, &count], &[])
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

/// The activation function. GELU is an operator only from opset 20 on.
fn activate(graph: &mut Graph, activation: Activation, x: String) -> String {
    match activation {
        Activation::Identity => x,
        Activation::Relu => graph.node("Relu", &[&x], &[]),
        Activation::Tanh => graph.node("Tanh", &[&x], &[]),
        // x (1 + erf(x / √2)) / 2
        Activation::Gelu => {
            let root = graph.float(std::f32::consts::SQRT_2);
            let scaled = graph.node("Div", &[&x, &root], &[]);
            let inner = graph.node("Erf", &[&scaled], &[]);
            half_of(graph, &x, &inner)
        }
        // x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2
        Activation::GeluTanh => {
            let factor = graph.float(0.044_715);
            let root = graph.float((2.0 / std::f64::consts::PI).sqrt() as f32);
            let square = graph.node("Mul", &[&x, &x], &[]);
            let cube = graph.node("Mul", &[&square, &x], &[]);
            let cube = graph.node("Mul", &[&cube, &factor], &[]);
            let sum = graph.node("Add", &[&x, &cube], &[]);
            let scaled = graph.node("Mul", &[&sum, &root], &[]);
            let inner = graph.node("Tanh", &[&scaled], &[]);
            half_of(graph, &x, &inner)
        }
    }
}

/// `x (1 + y) / 2`.
fn half_of(graph: &mut Graph, x: &str, y: &str) -> String {
    let (one, half) = (graph.float(1.0), graph.float(0.5));
    let sum = graph.node("Add", &[y, &one], &[]);
    let product = graph.node("Mul", &[x, &sum], &[]);
    graph.node("Mul", &[&product, &half], &[])
}
