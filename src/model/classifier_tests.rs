//! The model held against `transformers` and PyTorch, through `tests/reference/bert`.

use super::*;
use crate::ops::adamw::{AdamW, AdamWSettings, clip_factor};
use crate::train::schedule::{Schedule, SchedulerType};
use candle_core::{Device, IndexOp, safetensors};
use std::collections::HashMap;
use std::path::PathBuf;

type Tensors = HashMap<String, Tensor>;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/bert").join(name)
}

fn reference_model() -> anyhow::Result<SequenceClassifier> {
    let config = ModelConfig::read(&file("config.json"), &[])?;
    let weights = Weights::open(&file(""), config.architecture)?;
    let (model, report) = SequenceClassifier::new(config, weights, 0)?;
    assert_eq!(report, LoadReport::default());
    Ok(model)
}

struct Reference {
    batches: Vec<(Input, Vec<u32>)>,
    trace: serde_json::Value,
}

fn reference_batches() -> anyhow::Result<Reference> {
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file("batches.json"))?)?;
    let batches = json["batches"].as_array().cloned().unwrap_or_default();
    let batches = batches
        .into_iter()
        .map(|batch| {
            let ids: Vec<Vec<u32>> = serde_json::from_value(batch["input_ids"].clone())?;
            let mask: Vec<Vec<u32>> = serde_json::from_value(batch["attention_mask"].clone())?;
            let input = Input {
                length: ids[0].len(),
                ids: ids.concat().into(),
                lengths: mask.iter().map(|row| row.iter().sum()).collect(),
            };
            Ok((input, serde_json::from_value(batch["labels"].clone())?))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    assert_eq!(batches.len(), 20);
    Ok(Reference { batches, trace: json["trace"].clone() })
}

fn loss_of(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let labels = Tensor::from_slice(labels, labels.len(), logits.device())?;
    candle_nn::loss::cross_entropy(logits, &labels)
}

/// The largest difference, and the largest size of what was expected.
fn compare(ours: &Tensor, expected: &Tensor) -> Result<(f32, f32)> {
    let largest = |t: Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok((largest((ours - expected)?)?, largest(expected.clone())?))
}

#[test]
fn logits_hidden_states_and_loss_are_transformers() -> anyhow::Result<()> {
    let model = reference_model()?;
    let first: Tensors = safetensors::load(file("first_batch.safetensors"), &Device::Cpu)?;
    let (input, labels) = &reference_batches()?.batches[0];
    let states = model.hidden_states(input, &Dropouts::off())?;
    assert_eq!(states.len(), 4);
    for (i, state) in states.iter().enumerate() {
        let (difference, _) = compare(state, &first[&format!("hidden_states.{i}")])?;
        assert!(difference < 1e-5, "hidden state {i}: {difference}");
    }
    let logits = model.forward(input, &Dropouts::off())?;
    assert!(compare(&logits, &first["logits"])?.0 < 1e-5);
    let loss = loss_of(&logits, labels)?.to_scalar::<f32>()?;
    let expected = first["loss"].i(0)?.to_scalar::<f32>()?;
    assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
    Ok(())
}

#[test]
fn every_gradient_is_pytorchs() -> anyhow::Result<()> {
    let model = reference_model()?;
    let first: Tensors = safetensors::load(file("first_batch.safetensors"), &Device::Cpu)?;
    let (input, labels) = &reference_batches()?.batches[0];
    let logits = model.forward(input, &Dropouts::off())?;
    let gradients = loss_of(&logits, labels)?.backward()?;
    let mut held = 0;
    for (name, var) in model.parameters().iter() {
        let ours = gradients.get(var).ok_or_else(|| anyhow::anyhow!("{name}: none"))?;
        let (difference, size) = compare(ours, &first[&format!("grad.{name}")])?;
        // A key's bias shifts all scores of a query alike, so its true gradient is zero and
        // nothing but rounding is left to compare.
        let size = if name.ends_with("key.bias") { 1e-2 } else { size };
        assert!(difference <= 1e-4 * size, "{name}: {difference} of {size}");
        held += 1;
    }
    assert_eq!(held, 5 + 3 * 16 + 4);
    Ok(())
}

#[test]
fn every_parameter_is_trained_with_dropout_on() -> anyhow::Result<()> {
    let mut config = ModelConfig::read(&file("config.json"), &[])?;
    config.encoder.hidden_dropout_prob = 0.1;
    config.attention_probs_dropout_prob = 0.1;
    // Random weights, drawn wide so that no gradient is lost in rounding.
    config.encoder.initializer_range = 0.3;
    let (model, _) = SequenceClassifier::new(config, Weights::none(), 5)?;
    let (input, labels) = &reference_batches()?.batches[0];
    let logits = model.forward(input, &Dropouts::training(1, 1))?;
    let gradients = loss_of(&logits, labels)?.backward()?;
    for (name, var) in model.parameters().iter() {
        let gradient = gradients.get(var).ok_or_else(|| anyhow::anyhow!("{name}: none"))?;
        let size: f32 = gradient.abs()?.flatten_all()?.max(0)?.to_scalar()?;
        assert!(size > 0.0, "{name} has a zero gradient");
    }
    Ok(())
}

#[test]
fn twenty_steps_follow_pytorchs() -> anyhow::Result<()> {
    let model = reference_model()?;
    let reference = reference_batches()?;
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    let parameters = model.parameters().iter();
    let parameters = parameters.map(|(name, var)| (var.clone(), Parameters::decays(name)));
    let mut optimizer = AdamW::new(parameters, settings);
    let schedule = Schedule::new(SchedulerType::Linear, 1e-3, 4, 20);
    let trace = reference.trace.as_array().cloned().unwrap_or_default();
    assert_eq!(trace.len(), 20);
    for (step, ((input, labels), expected)) in reference.batches.iter().zip(trace).enumerate() {
        let loss = loss_of(&model.forward(input, &Dropouts::off())?, labels)?;
        let gradients = loss.backward()?;
        let norm = optimizer.gradient_norm(&gradients)?;
        let rate = schedule.rate(step as u64);
        optimizer.step(&gradients, rate, clip_factor(norm, 1.0))?;
        let ours = [f64::from(loss.to_scalar::<f32>()?), norm, rate];
        for (name, ours) in ["loss", "grad_norm", "lr"].into_iter().zip(ours) {
            let expected = expected[name]
                .as_f64()
                .ok_or_else(|| anyhow::anyhow!("the trace has no {name}"))?;
            let difference = (ours - expected).abs();
            assert!(difference <= 1e-4 * expected, "step {step}, {name}: {difference}");
        }
    }
    let after: Tensors = safetensors::load(file("after_20_steps.safetensors"), &Device::Cpu)?;
    for (name, var) in model.parameters().iter() {
        let (difference, _) = compare(var, &after[name])?;
        assert!(difference < 1e-4, "{name}: {difference}");
    }
    Ok(())
}

#[test]
fn padding_changes_nothing() -> anyhow::Result<()> {
    let model = reference_model()?;
    let (input, _) = &reference_batches()?.batches[0];
    let together = model.forward(input, &Dropouts::off())?.to_vec2::<f32>()?;
    for (row, expected) in together.iter().enumerate() {
        let real = input.lengths[row] as usize;
        let alone = Input {
            ids: input.ids[row * input.length..][..real].into(),
            lengths: vec![real as u32].into(),
            length: real,
        };
        let alone = model.forward(&alone, &Dropouts::off())?.to_vec2::<f32>()?;
        for (a, b) in alone[0].iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "row {row}: {a} {b}");
        }
    }
    Ok(())
}
