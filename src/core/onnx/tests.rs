//! Reads exported graphs back. `tests/python/onnx_export.py` compares what ONNX Runtime computes.

use super::*;
use crate::core::engine::pytorch_fixtures;
use std::collections::{HashMap, HashSet};

/// The value of a field.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message.
struct Fields<'a>(Vec<(u64, Field<'a>)>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than ten bytes")
}

impl<'a> Fields<'a> {
    fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = match key & 7 {
                0 => Field::Number(varint(&mut bytes)),
                kind @ (2 | 5) => {
                    let length = if kind == 2 { varint(&mut bytes) as usize } else { 4 };
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Bytes(value)
                }
                kind => panic!("a field of kind {kind}"),
            };
            fields.push((key >> 3, field));
        }
        Self(fields)
    }

    fn bytes(&self, number: u64) -> Vec<&'a [u8]> {
        let of = |(field, value): &(u64, Field<'a>)| match value {
            Field::Bytes(bytes) if *field == number => Some(*bytes),
            _ => None,
        };
        self.0.iter().filter_map(of).collect()
    }

    fn texts(&self, number: u64) -> Vec<&'a str> {
        self.bytes(number).into_iter().map(|b| std::str::from_utf8(b).expect("UTF-8")).collect()
    }

    fn messages(&self, number: u64) -> Vec<Self> {
        self.bytes(number).into_iter().map(Self::read).collect()
    }

    fn numbers(&self, number: u64) -> Vec<u64> {
        let of = |(field, value): &(u64, Field<'a>)| match value {
            Field::Number(value) if *field == number => Some(*value),
            _ => None,
        };
        self.0.iter().filter_map(of).collect()
    }
}

#[test]
fn graphs_are_complete_and_in_order() -> anyhow::Result<()> {
    for fixture in pytorch_fixtures::fixtures()? {
        let (family, model) = (fixture.family, &fixture.model);
        let bytes = to_bytes(model, 17)?;
        let file = Fields::read(&bytes);
        assert_eq!(file.numbers(1), [IR_VERSION as u64], "{family}");
        let opset = &file.messages(8)[0];
        assert_eq!((opset.texts(1), opset.numbers(2)), (vec![""], vec![OPSET as u64]));
        let graph = &file.messages(7)[0];

        // Every value is computed before it is used, and once.
        let names = |number: u64| -> Vec<&str> {
            graph.messages(number).iter().map(|value| value.texts(1)[0]).collect()
        };
        let (inputs, outputs) = (names(11), names(12));
        let types = model.layout().tables.max_token_types > 1;
        assert_eq!(inputs[..2], ["input_ids", "attention_mask"], "{family}");
        assert_eq!(inputs.contains(&"token_type_ids"), types, "{family}");
        assert_eq!(outputs, ["logits"]);
        let mut known: HashSet<&str> = inputs.into_iter().collect();
        let initializers = graph.messages(5);
        for initializer in &initializers {
            let name = initializer.texts(8)[0];
            assert!(known.insert(name), "{family}: {name} twice");
            let size = if initializer.numbers(2) == [1] { 4 } else { 8 };
            let count: u64 = initializer.numbers(1).iter().product();
            assert_eq!(initializer.bytes(9)[0].len() as u64, count * size, "{family}: {name}");
        }
        for node in graph.messages(1) {
            for input in node.texts(1) {
                assert!(known.contains(input), "{family}: {input} is not known");
            }
            for output in node.texts(2) {
                assert!(known.insert(output), "{family}: {output} twice");
            }
        }
        assert!(known.contains("logits"));

        // Every parameter is there once, and a matrix is transposed.
        let by_name: HashMap<&str, &Fields> =
            initializers.iter().map(|initializer| (initializer.texts(8)[0], initializer)).collect();
        for (name, tensor) in model.parameters().iter() {
            let transposed = format!("{name}.transposed");
            let (stored, expected) = match by_name.get(transposed.as_str()) {
                Some(stored) => (stored, tensor.t()?),
                None => (by_name.get(name).expect("the parameter"), tensor.clone()),
            };
            let dims: Vec<u64> = expected.dims().iter().map(|dim| *dim as u64).collect();
            assert_eq!(stored.numbers(1), dims, "{family}: {name}");
            let expected: Vec<u8> = expected
                .flatten_all()?
                .to_vec1::<f32>()?
                .into_iter()
                .flat_map(f32::to_le_bytes)
                .collect();
            assert!(stored.bytes(9)[0] == expected, "{family}: {name}");
        }

        let properties: HashMap<&str, &str> =
            file.messages(14).iter().map(|entry| (entry.texts(1)[0], entry.texts(2)[0])).collect();
        let labels: HashMap<String, String> = serde_json::from_str(properties["id2label"])?;
        assert_eq!(labels.len(), model.config().labels.len());
        assert_eq!(labels["1"], model.config().labels[1]);
        assert_eq!(properties["max_seq_length"], "17");
        assert_eq!(properties["model_type"], model.config().architecture.model_type());
    }
    Ok(())
}

#[test]
fn a_pretrained_model_is_refused() -> anyhow::Result<()> {
    let model = pytorch_fixtures::pretraining_fixtures()?.remove(0).model;
    let refused = to_bytes(&model, 17).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|why| why.contains("fine-tune it first")));
    Ok(())
}
