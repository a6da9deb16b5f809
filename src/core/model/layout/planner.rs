//! Assigns offsets to the parameters of a model.

use super::{Init, LayerLayout, Parameter};
use crate::core::model::architecture::LayerNames;
use crate::core::model::relative::RelativePositions;
use crate::core::ops::backend::{LayerNormLayout, LinearLayout, RelativeTable};

/// Assigns offsets to parameters, one after another.
pub(super) struct Planner {
    epsilon: f32,
    next: usize,
    pub parameters: Vec<Parameter>,
}

impl Planner {
    pub fn new(epsilon: f32) -> Self {
        Self { epsilon, next: 0, parameters: Vec::new() }
    }

    /// Adds a parameter; returns its offset.
    pub fn add(&mut self, name: String, shape: &[usize], init: Init) -> usize {
        let start = self.next;
        self.parameters.push(Parameter { name, shape: shape.to_vec(), init, start });
        self.next += shape.iter().product::<usize>();
        start
    }

    pub fn dense(&mut self, name: &str, inputs: usize, outputs: usize) -> LinearLayout {
        let weight = self.add(format!("{name}.weight"), &[outputs, inputs], Init::Normal);
        let bias = self.add(format!("{name}.bias"), &[outputs], Init::Zeros);
        LinearLayout { weight, bias, inputs, outputs }
    }

    pub fn norm(&mut self, name: &str, width: usize) -> LayerNormLayout {
        let weight = self.add(format!("{name}.weight"), &[width], Init::Ones);
        let bias = self.add(format!("{name}.bias"), &[width], Init::Zeros);
        LayerNormLayout { weight, bias, epsilon: self.epsilon, width }
    }

    /// The table of relative positions of `DebertaV2Encoder`.
    pub fn relative_table(&mut self, positions: &RelativePositions, width: usize) -> RelativeTable {
        let rows = positions.table_rows();
        let name = "deberta.encoder.rel_embeddings.weight".to_owned();
        let start = self.add(name, &[rows, width], Init::Normal);
        let norm = positions.normed.then(|| self.norm("deberta.encoder.LayerNorm", width));
        RelativeTable { start, rows, width, norm }
    }

    /// Linear layers with the same input, from `hidden` to `hidden` each, which can be computed as one.
    fn side_by_side(&mut self, names: &[String], hidden: usize) -> Vec<LinearLayout> {
        let mut add = |part: &str, shape: &[usize], init| -> Vec<usize> {
            names.iter().map(|name| self.add(format!("{name}.{part}"), shape, init)).collect()
        };
        let weights = add("weight", &[hidden, hidden], Init::Normal);
        let biases = add("bias", &[hidden], Init::Zeros);
        let parts = weights.into_iter().zip(biases);
        let part = |(weight, bias)| LinearLayout { weight, bias, inputs: hidden, outputs: hidden };
        parts.map(part).collect()
    }

    pub fn layer(
        &mut self,
        layer: &str,
        names: &LayerNames,
        (hidden, wide): (usize, usize),
        positions: Option<&RelativePositions>,
    ) -> LayerLayout {
        let name = |part: &str| format!("{layer}.{part}");
        let parts = self.side_by_side(&names.attention.map(name), hidden);
        let (query, key, value) = (parts[0], parts[1], parts[2]);
        let relative = positions.and_then(|positions| {
            let part = |name: &str| format!("{layer}.attention.self.{name}");
            let queries = positions.queries.then(|| part("pos_query_proj"));
            let keys = positions.keys.then(|| part("pos_key_proj"));
            let names: Vec<String> = queries.into_iter().chain(keys).collect();
            let first = match (positions.shared, positions.queries) {
                (true, true) => Some(query),
                (true, false) => Some(key),
                (false, _) => self.side_by_side(&names, hidden).first().copied(),
            };
            first.map(|first| LinearLayout { outputs: names.len() * hidden, ..first })
        });
        LayerLayout {
            query,
            key,
            value,
            relative,
            attention_output: self.dense(&name(names.attention_output), hidden, hidden),
            attention_norm: self.norm(&name(names.attention_norm), hidden),
            intermediate: self.dense(&name(names.intermediate), hidden, wide),
            output: self.dense(&name(names.output), wide, hidden),
            output_norm: self.norm(&name(names.output_norm), hidden),
        }
    }
}
