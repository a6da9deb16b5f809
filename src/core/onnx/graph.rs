//! A graph of ONNX under construction: nodes, and the values that they are given.

use super::protobuf::{Message, Weights};
use crate::core::model::SequenceClassifier;
use candle_core::Tensor;
use std::collections::{HashMap, HashSet};

/// `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataType {
    Float = 1,
    Int64 = 7,
}

/// An attribute of a node.
pub(super) enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [i64]),
}

/// A dimension of an input or output: a number, or a name where any number will do.
pub(super) enum Dimension<'a> {
    Size(usize),
    Any(&'a str),
}

/// A graph. Values have names; nodes are in the order in which they are computed.
pub(super) struct Graph {
    /// The model's parameters by their offset, with their names.
    parameters: HashMap<usize, (String, Tensor)>,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// The names of initializers.
    known: HashSet<String>,
    /// The names before those of a layer's values.
    scope: String,
    counts: HashMap<String, usize>,
}

impl Graph {
    /// An empty graph for a model, whose parameters it can use.
    pub fn new(model: &SequenceClassifier) -> Self {
        let starts = model.layout().parameters.iter().map(|parameter| parameter.start);
        let named = model.parameters().iter();
        let named = named.map(|(name, tensor)| (name.to_owned(), tensor.clone()));
        Self {
            parameters: starts.zip(named).collect(),
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            known: HashSet::new(),
            scope: String::new(),
            counts: HashMap::new(),
        }
    }

    /// Makes the names of later values begin with this.
    pub fn set_scope(&mut self, scope: &str) {
        scope.clone_into(&mut self.scope);
    }

    /// Adds an input of the graph; returns its name.
    pub fn input(&mut self, name: &str, dimensions: &[Dimension]) -> String {
        self.inputs.push(value_info(name, DataType::Int64, dimensions));
        name.to_owned()
    }

    /// Makes `value` an output of the graph, under another name.
    pub fn output(&mut self, value: &str, name: &str, dimensions: &[Dimension]) {
        self.push("Identity", &[value], name, &[]);
        self.outputs.push(value_info(name, DataType::Float, dimensions));
    }

    /// Adds a node with one output; returns the output's name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let scope = if self.scope.is_empty() { String::new() } else { format!("{}/", self.scope) };
        let stem = format!("{scope}{operator}");
        let count = self.counts.entry(stem.clone()).or_default();
        *count += 1;
        let output = format!("{stem}_{count}");
        self.push(operator, inputs, &output, attributes);
        output
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node.text(1, input);
        }
        node.text(2, output);
        node.text(3, output);
        node.text(4, operator);
        for (name, attribute) in attributes {
            node.message(5, attribute.message(name));
        }
        self.nodes.push(node);
    }

    /// The parameter at an offset of the model's layout.
    pub fn parameter(&mut self, start: usize) -> String {
        self.weights(start, false)
    }

    /// The matrix at an offset of the model's layout, transposed.
    pub fn transposed(&mut self, start: usize) -> String {
        self.weights(start, true)
    }

    fn weights(&mut self, start: usize, is_transposed: bool) -> String {
        let Some((name, tensor)) = self.parameters.get(&start) else {
            // A layout names its own parameters; a missing one makes the graph invalid, not wrong.
            return format!("no parameter at {start}");
        };
        let name = if is_transposed { format!("{name}.transposed") } else { name.clone() };
        if self.known.insert(name.clone()) {
            let mut dims = tensor.dims().to_vec();
            if is_transposed {
                dims.reverse();
            }
            let mut initializer = tensor_message(&name, DataType::Float, &dims);
            initializer.weights(9, Weights { tensor: tensor.clone(), is_transposed });
            self.initializers.push(initializer);
        }
        name
    }

    /// A number.
    pub fn float(&mut self, value: f32) -> String {
        let name = format!("float {value:e}");
        self.constant(name, DataType::Float, &[], &value.to_le_bytes())
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) -> String {
        self.constant(format!("int64 {value}"), DataType::Int64, &[], &value.to_le_bytes())
    }

    /// A list of integers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let name = format!("int64 {values:?}");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, DataType::Int64, &[values.len()], &bytes)
    }

    fn constant(&mut self, name: String, of: DataType, dims: &[usize], bytes: &[u8]) -> String {
        if self.known.insert(name.clone()) {
            let mut initializer = tensor_message(&name, of, dims);
            initializer.bytes(9, bytes);
            self.initializers.push(initializer);
        }
        name
    }

    /// The finished graph.
    pub fn finish(self) -> Message {
        let mut graph = Message::default();
        for node in self.nodes {
            graph.message(1, node);
        }
        graph.text(2, "model");
        for (field, messages) in [(5, self.initializers), (11, self.inputs), (12, self.outputs)] {
            for message in messages {
                graph.message(field, message);
            }
        }
        graph
    }
}

impl Attribute<'_> {
    fn message(&self, name: &str) -> Message {
        let mut message = Message::default();
        message.text(1, name);
        let kind = match self {
            Self::Float(value) => {
                message.float(2, *value);
                1
            }
            Self::Int(value) => {
                message.integer(3, *value);
                2
            }
            Self::Ints(values) => {
                for value in *values {
                    message.integer(8, *value);
                }
                7
            }
        };
        message.integer(20, kind);
        message
    }
}

fn tensor_message(name: &str, of: DataType, dims: &[usize]) -> Message {
    let mut tensor = Message::default();
    for dim in dims {
        tensor.integer(1, *dim as i64);
    }
    tensor.integer(2, of as i64);
    tensor.text(8, name);
    tensor
}

fn value_info(name: &str, of: DataType, dimensions: &[Dimension]) -> Message {
    let mut shape = Message::default();
    for dimension in dimensions {
        let mut message = Message::default();
        match dimension {
            Dimension::Size(size) => message.integer(1, *size as i64),
            Dimension::Any(name) => message.text(2, name),
        }
        shape.message(1, message);
    }
    let mut tensor = Message::default();
    tensor.integer(1, of as i64);
    tensor.message(2, shape);
    let mut kind = Message::default();
    kind.message(1, tensor);
    let mut info = Message::default();
    info.text(1, name);
    info.message(2, kind);
    info
}
