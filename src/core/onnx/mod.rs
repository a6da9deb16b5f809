//! Models as files of ONNX (opset 17), which ONNX Runtime and other programs compute.
//!
//! The inputs are those of transformers, `input_ids`, `attention_mask` and, for models with more than
//! one token type, `token_type_ids`, each `[batch, sequence]` of 64-bit integers; the output is
//! `logits`, `[batch, classes]`. Weights are in `float32` and within the file, which holds less than
//! 2 GiB, the limit of a protocol buffer.

mod encoder;
mod graph;
mod protobuf;
mod relative;

use crate::core::model::{SequenceClassifier, Task};
use graph::Graph;
use protobuf::Message;
use serde_json::{Map, Value, json};

/// The version of ONNX's operators.
pub const OPSET: i64 = 17;

/// The version of the file's format that belongs to it.
const IR_VERSION: i64 = 8;

/// The most bytes of a file.
const MAX_BYTES: usize = i32::MAX as usize;

/// An error in writing a model as ONNX.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The model has no classes.
    #[error("a pretrained model without classes cannot be exported; fine-tune it first")]
    NoClassifier,
    /// The model does not fit into a file.
    #[error(
        "the model takes {0} bytes, but a file of ONNX holds less than 2 GiB, and weights in a second \
         file are not written. Export a smaller model"
    )]
    TooLarge(usize),
    /// The weights cannot be read.
    #[error("the weights cannot be read: {0}")]
    Weights(#[from] candle_core::Error),
}

/// The contents of a file of ONNX with this model. Its metadata has the names of the classes as in
/// `config.json` (`id2label`), the `model_type` and the `max_seq_length` in tokens.
///
/// # Errors
/// If the model is no classifier, is too large or cannot be read.
pub fn to_bytes(model: &SequenceClassifier, max_seq_length: usize) -> Result<Vec<u8>, OnnxError> {
    let config = model.config();
    if config.task != Task::SequenceClassification {
        return Err(OnnxError::NoClassifier);
    }
    let mut graph = Graph::new(model);
    encoder::build(&mut graph, model);
    let labels: Map<String, Value> =
        config.labels.iter().enumerate().map(|(id, name)| (id.to_string(), json!(name))).collect();
    let mut properties = vec![
        ("id2label", Value::Object(labels).to_string()),
        ("model_type", config.architecture.model_type().to_owned()),
        ("max_seq_length", max_seq_length.to_string()),
    ];
    if let Some([first, second]) = config.text_pair_columns() {
        properties.push(("text_columns", json!([first, second]).to_string()));
    }
    let mut opset = Message::default();
    opset.text(1, "");
    opset.integer(2, OPSET);
    let mut file = Message::default();
    file.integer(1, IR_VERSION);
    file.text(2, env!("CARGO_PKG_NAME"));
    file.text(3, env!("CARGO_PKG_VERSION"));
    file.message(7, graph.finish());
    file.message(8, opset);
    for (key, value) in properties {
        let mut property = Message::default();
        property.text(1, key);
        property.text(2, &value);
        file.message(14, property);
    }
    if file.len() > MAX_BYTES {
        return Err(OnnxError::TooLarge(file.len()));
    }
    Ok(file.into_bytes()?)
}

#[cfg(test)]
mod tests;
