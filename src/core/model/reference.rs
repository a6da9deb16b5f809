//! The models, batches and answers under `tests/reference`, which Python's ecosystem gave.

#![expect(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "for tests")]

use super::{LoadReport, ModelConfig, SequenceClassifier, Weights};
use crate::core::data::batching::Batch;
use candle_core::{Device, Tensor, safetensors};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// Tensors by name.
pub type Tensors = HashMap<String, Tensor>;

/// One model held against transformers on one batch.
pub struct Reference {
    /// Its folder.
    pub family: &'static str,
    /// The model.
    pub model: SequenceClassifier,
    /// What it was asked.
    pub batch: Batch,
    /// What it answered: `logits`, `loss`, `hidden_states.N`, `grad.NAME`.
    pub answers: Tensors,
}

fn file(family: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family).join(name)
}

/// The model of a family; `change` may change its configuration.
pub fn model(
    family: &str,
    change: impl FnOnce(&mut ModelConfig),
) -> anyhow::Result<SequenceClassifier> {
    let mut config = ModelConfig::read(&file(family, "config.json"), &[])?;
    change(&mut config);
    let weights = Weights::open(&file(family, ""), config.architecture)?;
    let (model, report) = SequenceClassifier::new(config, weights, 0)?;
    assert_eq!(report, LoadReport::default(), "{family}");
    Ok(model)
}

/// A batch from lists of ids, masks and classes.
fn batch(json: &Value) -> anyhow::Result<Batch> {
    let ids: Vec<Vec<u32>> = serde_json::from_value(json["input_ids"].clone())?;
    let mask: Vec<Vec<u32>> = serde_json::from_value(json["attention_mask"].clone())?;
    Ok(Batch {
        length: ids[0].len(),
        input_ids: ids.concat(),
        lengths: mask.iter().map(|row| row.iter().sum()).collect(),
        labels: serde_json::from_value(json["labels"].clone())?,
    })
}

fn json(family: &str, name: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(file(family, name))?)?)
}

/// The 20 batches of `bert`, and what PyTorch's trajectory over them came to.
pub fn trajectory() -> anyhow::Result<(Vec<Batch>, Vec<Value>, Tensors)> {
    let json = json("bert", "batches.json")?;
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let batches = list("batches").iter().map(batch).collect::<anyhow::Result<Vec<_>>>()?;
    let trace = list("trace");
    assert_eq!((batches.len(), trace.len()), (20, 20));
    let after = safetensors::load(file("bert", "after_20_steps.safetensors"), &Device::Cpu)?;
    Ok((batches, trace, after))
}

/// Every model with its answers.
pub fn references() -> anyhow::Result<Vec<Reference>> {
    let families = ["bert", "roberta", "electra", "electra_same_size"];
    families.into_iter().map(reference).collect()
}

fn reference(family: &'static str) -> anyhow::Result<Reference> {
    let model = model(family, |_| {})?;
    let (batch, answers) = if family == "bert" {
        (trajectory()?.0.swap_remove(0), "first_batch.safetensors")
    } else {
        (batch(&json(family, "reference.json")?)?, "reference.safetensors")
    };
    assert!(batch.lengths.iter().any(|&length| (length as usize) < batch.length));
    let answers = safetensors::load(file(family, answers), &Device::Cpu)?;
    Ok(Reference { family, model, batch, answers })
}
