//! The models and batches under `tests/reference`, with the results of PyTorch and transformers.

#![expect(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "for tests")]

use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::fused::pretraining::MaskedBatch;
use crate::core::model::{
    GeneratorShape, LoadReport, ModelConfig, SequenceClassifier, Task, Weights,
};
use candle_core::{Device, Tensor, safetensors};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// Tensors by name.
pub type Tensors = HashMap<String, Tensor>;

/// A model, a batch and transformers' results for them.
pub struct PyTorchFixture {
    /// The name of its folder.
    pub family: &'static str,
    /// The model.
    pub model: SequenceClassifier,
    /// The model's input.
    pub batch: PackedBatch,
    /// transformers' results: `logits`, `loss`, `hidden_states.N`, `grad.NAME`.
    pub expected: Tensors,
}

fn file(family: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family).join(name)
}

/// The model of a family, after `change` has modified its configuration.
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

/// A masked batch with transformers' losses and gradients of pretraining.
pub struct PretrainingFixture {
    /// The name of its folder.
    pub name: &'static str,
    /// The model, whose task is the objective.
    pub model: SequenceClassifier,
    /// The masked batch and, for replaced tokens, the generator's proposals.
    pub batch: MaskedBatch,
    /// The losses by name.
    pub losses: Value,
    /// The gradients: `grad.NAME`.
    pub gradients: Tensors,
}

/// Masked language models of each architecture, and ELECTRA's replaced tokens.
pub fn pretraining_fixtures() -> anyhow::Result<Vec<PretrainingFixture>> {
    ["bert", "roberta", "electra", "replaced"].into_iter().map(pretraining_fixture).collect()
}

fn pretraining_fixture(name: &'static str) -> anyhow::Result<PretrainingFixture> {
    let family = &format!("pretraining/{name}");
    let model = model(family, |config| {
        config.set_task(if name == "replaced" {
            Task::ReplacedTokens(GeneratorShape {
                layers: 1,
                hidden: 6,
                intermediate: 10,
                heads: 1,
            })
        } else {
            Task::MaskedLm
        });
    })?;
    let losses = json(family, "reference.json")?;
    let rows = |key: &str| serde_json::from_value::<Option<Vec<Vec<i64>>>>(losses[key].clone());
    let (ids, labels) = (rows("input_ids")?, rows("labels")?);
    let (ids, labels) = (ids.unwrap_or_default(), labels.unwrap_or_default());
    let proposed = rows("proposed")?;
    let attended = rows("attention_mask")?.unwrap_or_default();
    let mut batch = MaskedBatch::default();
    let mut texts = Vec::new();
    let mut tokens = Vec::new();
    for (index, mask) in attended.iter().enumerate() {
        let mut text = Vec::new();
        for at in 0..mask.iter().sum::<i64>() as usize {
            let (id, label) = (ids[index][at] as u32, labels[index][at]);
            let row = batch.masked.ids.len() as u32;
            batch.masked.ids.push(id);
            text.push(if label < 0 { id } else { label as u32 });
            if label >= 0 {
                batch.masked.rows.push(row);
                batch.masked.labels.push(label as u32);
                tokens.extend(proposed.as_ref().map(|rows| rows[index][at] as u32));
            }
        }
        texts.push(Example::new(text, 0));
    }
    batch.original = PackedBatch::new(&texts, 0);
    batch.proposed = proposed.map(|_| tokens);
    let gradients = safetensors::load(file(family, "reference.safetensors"), &Device::Cpu)?;
    Ok(PretrainingFixture { name, model, batch, losses, gradients })
}

/// A batch from lists of ids, masks and classes, with the padding of the lists.
fn batch(json: &Value) -> anyhow::Result<PackedBatch> {
    let ids: Vec<Vec<u32>> = serde_json::from_value(json["input_ids"].clone())?;
    let mask: Vec<Vec<u32>> = serde_json::from_value(json["attention_mask"].clone())?;
    let labels: Vec<u32> = serde_json::from_value(json["labels"].clone())?;
    let types: Option<Vec<Vec<u32>>> = serde_json::from_value(json["token_type_ids"].clone())?;
    let types = types.unwrap_or_else(|| vec![Vec::new(); ids.len()]);
    let examples = ids.iter().zip(&mask).zip(types).zip(labels);
    let examples = examples.map(|(((ids, mask), types), label)| {
        let length = mask.iter().sum::<u32>() as usize;
        let type_ids = types.into_iter().take(length).collect();
        Example { type_ids, ..Example::new(ids[..length].to_vec(), label) }
    });
    Ok(PackedBatch::new(&examples.collect::<Vec<_>>(), ids[0].len()))
}

fn json(family: &str, name: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(file(family, name))?)?)
}

/// The 20 batches of `bert`, PyTorch's metrics of a training step on each, and PyTorch's weights
/// after the last step.
pub fn trajectory() -> anyhow::Result<(Vec<PackedBatch>, Vec<Value>, Tensors)> {
    let json = json("bert", "batches.json")?;
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let batches = list("batches").iter().map(batch).collect::<anyhow::Result<Vec<_>>>()?;
    let trace = list("trace");
    assert_eq!((batches.len(), trace.len()), (20, 20));
    let after = safetensors::load(file("bert", "after_20_steps.safetensors"), &Device::Cpu)?;
    Ok((batches, trace, after))
}

/// Training with a learning rate for each layer and an average of the weights.
pub struct OptimizerFixture {
    /// The options and each step's batch and metrics.
    pub steps: Value,
    /// Each step's batch.
    pub batches: Vec<PackedBatch>,
    /// The weights after the last step by name, their average as `average.NAME`, and its logits of
    /// the first batch as `average_logits`.
    pub after: Tensors,
}

/// PyTorch's `AdamW` in parameter groups and its `AveragedModel`, on the model `electra_pairs`.
pub fn optimizer_fixture() -> anyhow::Result<OptimizerFixture> {
    let steps = json("optimizer", "steps.json")?;
    let batches = steps["batches"].as_array().map_or(&[][..], Vec::as_slice);
    let batches = batches.iter().map(batch).collect::<anyhow::Result<Vec<_>>>()?;
    let after = safetensors::load(file("optimizer", "after.safetensors"), &Device::Cpu)?;
    Ok(OptimizerFixture { steps, batches, after })
}

/// All models with transformers' results.
pub fn fixtures() -> anyhow::Result<Vec<PyTorchFixture>> {
    let single = ["bert", "roberta", "electra", "electra_same_size"];
    let pairs = ["bert_pairs", "roberta_padding", "electra_pairs"];
    let means = ["bert_mean", "roberta_mean"];
    let others = ["xlm_roberta", "distilbert"];
    let relative = ["deberta", "deberta_apart", "deberta_keys", "deberta_absolute"];
    single
        .into_iter()
        .chain(others)
        .chain(relative)
        .chain(pairs)
        .chain(means)
        .map(fixture)
        .collect()
}

fn fixture(family: &'static str) -> anyhow::Result<PyTorchFixture> {
    let model = model(family, |_| {})?;
    let (batch, expected) = if family == "bert" {
        (trajectory()?.0.swap_remove(0), "first_batch.safetensors")
    } else {
        (batch(&json(family, "reference.json")?)?, "reference.safetensors")
    };
    assert!(batch.rows() < batch.padded_tokens(), "{family}: nothing is padded");
    let expected = safetensors::load(file(family, expected), &Device::Cpu)?;
    Ok(PyTorchFixture { family, model, batch, expected })
}
