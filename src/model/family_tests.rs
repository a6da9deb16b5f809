//! RoBERTa and ELECTRA held against transformers, through what `tests/python/fixtures.py` wrote.

use super::*;
use crate::model::Weights;
use candle_core::{Device, safetensors};
use std::collections::HashMap;
use std::path::PathBuf;

struct Reference {
    family: &'static str,
    model: SequenceClassifier,
    input: Input,
    labels: Vec<u32>,
    tensors: HashMap<String, Tensor>,
}

fn file(family: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family).join(name)
}

fn reference(family: &'static str) -> anyhow::Result<Reference> {
    let config = ModelConfig::read(&file(family, "config.json"), &[])?;
    let weights = Weights::open(&file(family, ""), config.architecture)?;
    let (model, report) = SequenceClassifier::new(config, weights, 0)?;
    assert_eq!(report, LoadReport::default(), "{family}");
    let text = std::fs::read_to_string(file(family, "reference.json"))?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let ids: Vec<Vec<u32>> = serde_json::from_value(json["input_ids"].clone())?;
    let mask: Vec<Vec<u32>> = serde_json::from_value(json["attention_mask"].clone())?;
    let input = Input {
        length: ids[0].len(),
        ids: ids.concat().into(),
        lengths: mask.iter().map(|row| row.iter().sum()).collect(),
    };
    assert!(input.lengths.iter().any(|&length| (length as usize) < input.length));
    let labels = serde_json::from_value(json["labels"].clone())?;
    let tensors = safetensors::load(file(family, "reference.safetensors"), &Device::Cpu)?;
    Ok(Reference { family, model, input, labels, tensors })
}

fn references() -> anyhow::Result<Vec<Reference>> {
    ["roberta", "electra", "electra_same_size"].into_iter().map(reference).collect()
}

/// The largest difference, and the largest size of what was expected.
fn compare(ours: &Tensor, expected: &Tensor) -> Result<(f32, f32)> {
    let largest = |t: Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok((largest((ours - expected)?)?, largest(expected.clone())?))
}

fn loss(reference: &Reference, dropouts: &Dropouts) -> Result<Tensor> {
    let labels = Tensor::from_slice(&reference.labels, reference.labels.len(), &Device::Cpu)?;
    let logits = reference.model.forward(&reference.input, dropouts)?;
    candle_nn::loss::cross_entropy(&logits, &labels)
}

#[test]
fn logits_and_hidden_states_are_transformers() -> anyhow::Result<()> {
    for reference in references()? {
        let Reference { family, model, input, tensors, .. } = &reference;
        let logits = model.forward(input, &Dropouts::off())?;
        let (difference, _) = compare(&logits, &tensors["logits"])?;
        assert!(difference < 1e-5, "{family}: {difference}");
        let states = model.hidden_states(input, &Dropouts::off())?;
        for (i, state) in states.iter().enumerate() {
            let expected = &tensors[&format!("hidden_states.{i}")];
            // What stands at padding is nobody's concern, and differs in RoBERTa.
            for (row, &length) in input.lengths.iter().enumerate() {
                let real = |t: &Tensor| t.narrow(0, row, 1)?.narrow(1, 0, length as usize);
                let (difference, _) = compare(&real(state)?, &real(expected)?)?;
                assert!(difference < 1e-5, "{family}, state {i}, row {row}: {difference}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_loss_and_every_gradient_are_pytorchs() -> anyhow::Result<()> {
    for reference in references()? {
        let family = reference.family;
        let loss = loss(&reference, &Dropouts::off())?;
        let expected = reference.tensors["loss"].flatten_all()?.to_vec1::<f32>()?[0];
        assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-5, "{family}");
        let gradients = loss.backward()?;
        for (name, var) in reference.model.parameters().iter() {
            let ours = gradients.get(var).ok_or_else(|| anyhow::anyhow!("{name}: none"))?;
            let (difference, size) = compare(ours, &reference.tensors[&format!("grad.{name}")])?;
            // A key's bias shifts all scores of a query alike: its true gradient is zero.
            let size = if name.ends_with("key.bias") { 1e-2 } else { size };
            assert!(difference <= 1e-4 * size, "{family}, {name}: {difference} of {size}");
        }
    }
    Ok(())
}

#[test]
fn every_parameter_is_trained_with_dropout_on() -> anyhow::Result<()> {
    for reference in references()? {
        let gradients = loss(&reference, &Dropouts::training(1, 1))?.backward()?;
        for (name, var) in reference.model.parameters().iter() {
            let gradient = gradients.get(var).ok_or_else(|| anyhow::anyhow!("{name}: none"))?;
            let size: f32 = gradient.abs()?.flatten_all()?.max(0)?.to_scalar()?;
            assert!(size > 0.0, "{}: {name} has a zero gradient", reference.family);
        }
    }
    Ok(())
}
