//! Several stored names for one parameter. The answers are those of transformers 5.24, found with
//! checkpoints whose tensors are each filled with another number.

use super::*;
use crate::core::engine::EngineOptions;
use crate::core::predict::classify;
use crate::core::tokenizer::Tokenizer;
use candle_core::{Device, Tensor};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// A small model of the architecture.
fn config(architecture: &str) -> Result<ModelConfig, ModelError> {
    let text = json!({
        "model_type": architecture, "vocab_size": 7, "hidden_size": 4, "embedding_size": 4,
        "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4,
        "max_position_embeddings": 8,
    });
    ModelConfig::parse(&text.to_string(), Path::new("config.json"), &[])
}

/// A folder with shards; each tensor is filled with the number of its place in its shard, plus ten
/// for each earlier shard.
fn folder(shards: &[&[&str]], shape: &[usize]) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let mut map = serde_json::Map::new();
    for (shard, names) in shards.iter().enumerate() {
        let file = match shards.len() {
            1 => weights::WEIGHTS.to_owned(),
            count => format!("model-{:05}-of-{count:05}.safetensors", shard + 1),
        };
        let mut tensors = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            let value = (10 * shard + place) as f32;
            tensors.insert((*name).to_owned(), Tensor::full(value, shape, &Device::Cpu)?);
            map.insert((*name).to_owned(), json!(file));
        }
        candle_core::safetensors::save(&tensors, folder.path().join(file))?;
    }
    if shards.len() > 1 {
        let index = json!({"weight_map": map}).to_string();
        std::fs::write(folder.path().join(weights::INDEX), index)?;
    }
    Ok(folder)
}

/// The number that a parameter was loaded from, and the report.
fn loaded(
    architecture: &str,
    shards: &[&[&str]],
    parameter: &str,
) -> anyhow::Result<(f32, LoadReport)> {
    let config = config(architecture)?;
    let layout = ModelLayout::new(&config);
    let shape = layout.parameters.iter().find(|known| known.name == parameter);
    let shape = shape.map(|known| known.shape.clone()).unwrap_or_default();
    let folder = folder(shards, &shape)?;
    let (model, report) = folder::load(folder.path(), config, false, 1)?;
    let found = model.parameters().iter().find(|(name, _)| *name == parameter);
    let found = found.map(|(_, values)| values.flatten_all()?.to_vec1::<f32>()).transpose()?;
    Ok((found.unwrap_or_default()[0], report))
}

#[test]
fn transformers_choice_is_taken_and_the_other_is_unexpected() -> anyhow::Result<()> {
    // The parameter, its first name in transformers' order, and its second name.
    let output = "encoder.layer.0.output.dense.weight";
    for (architecture, parameter, taken, other) in [
        (
            "bert",
            "bert.embeddings.LayerNorm.weight",
            "bert.embeddings.LayerNorm.gamma",
            "bert.embeddings.LayerNorm.weight",
        ),
        (
            "bert",
            "bert.embeddings.LayerNorm.bias",
            "bert.embeddings.LayerNorm.beta",
            "bert.embeddings.LayerNorm.bias",
        ),
        (
            "bert",
            "bert.embeddings.LayerNorm.weight",
            "bert.embeddings.LayerNorm.weight",
            "embeddings.LayerNorm.gamma",
        ),
        (
            "bert",
            "bert.pooler.dense.weight",
            "bert.bert.pooler.dense.weight",
            "bert.pooler.dense.weight",
        ),
        ("bert", "classifier.weight", "bert.classifier.weight", "classifier.weight"),
        ("roberta", &format!("roberta.{output}"), output, &format!("roberta.{output}")),
        (
            "roberta",
            "roberta.embeddings.LayerNorm.weight",
            "roberta.embeddings.LayerNorm.weight",
            "roberta.roberta.embeddings.LayerNorm.weight",
        ),
        (
            "roberta",
            "classifier.out_proj.weight",
            "classifier.out_proj.weight",
            "roberta.classifier.out_proj.weight",
        ),
        ("electra", &format!("electra.{output}"), &format!("electra.{output}"), output),
        (
            "electra",
            "electra.embeddings.LayerNorm.weight",
            "electra.embeddings.LayerNorm.weight",
            "embeddings.LayerNorm.weight",
        ),
        (
            "electra",
            "classifier.out_proj.weight",
            "classifier.out_proj.weight",
            "electra.classifier.out_proj.weight",
        ),
        ("deberta-v2", &format!("deberta.{output}"), &format!("deberta.{output}"), output),
        (
            "deberta-v2",
            "deberta.embeddings.LayerNorm.weight",
            "deberta.embeddings.LayerNorm.gamma",
            "deberta.embeddings.LayerNorm.weight",
        ),
        ("deberta-v2", "pooler.dense.weight", "deberta.pooler.dense.weight", "pooler.dense.weight"),
    ] {
        for names in [[taken, other], [other, taken]] {
            let (value, report) = loaded(architecture, &[&names], parameter)?;
            assert_eq!(names[value as usize], taken, "{architecture} {names:?}");
            assert_eq!(report.unexpected, [other], "{architecture}");
            assert!(!report.missing.iter().any(|missing| missing == parameter));
        }
    }
    Ok(())
}

#[test]
fn other_names_are_renamed_or_unexpected_as_in_transformers() -> anyhow::Result<()> {
    for (architecture, stored, parameter) in [
        ("bert", "pooler.dense.weight", "bert.pooler.dense.weight"),
        ("bert", "bertxclassifier.weight", "classifier.weight"),
        ("bert", "bert.embeddings.LayerNormXgamma", "bert.embeddings.LayerNorm.weight"),
        ("roberta", "roberta.classifier.dense.weight", "classifier.dense.weight"),
    ] {
        let (value, report) = loaded(architecture, &[&["x", stored]], parameter)?;
        assert_eq!(value, 1.0, "{stored}");
        assert_eq!(report.unexpected, ["x"], "{stored}");
    }
    let names = [
        "classifier.out_proj.bias",
        "bert.embeddings.LayerNorm.weight",
        "electra.embeddings.LayerNorm.gammas",
        "module.electra.embeddings.LayerNorm.bias",
        "embeddings.position_ids",
        "lm_head.LayerNorm.gamma",
    ];
    let (_, report) = loaded("electra", &[&names], names[0])?;
    let expected = [names[1], names[2], names[5], names[3]];
    assert_eq!(report.unexpected, expected, "by their names in the file");
    Ok(())
}

#[test]
fn the_last_shard_with_a_name_counts() -> anyhow::Result<()> {
    let (weight, gamma) = ("bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.gamma");
    let (value, report) = loaded("bert", &[&[weight], &["x", weight]], weight)?;
    assert_eq!(value, 11.0);
    // Only the second shard is in the index, so that the first is another folder's file.
    assert_eq!(report.unexpected, ["x"]);
    let shards: &[&[&str]] = &[&["x", weight], &[weight, "y"]];
    let (value, report) = loaded("bert", shards, weight)?;
    assert_eq!(value, 10.0);
    let earlier = format!("{weight} (in model-00001-of-00002.safetensors)");
    assert_eq!(report.unexpected, [earlier.as_str(), "x", "y"]);
    // The order of the names counts before that of the shards.
    for shards in [[[gamma], [weight]], [[weight], [gamma]]] {
        let shards = shards.each_ref().map(|names| &names[..]);
        let (value, report) = loaded("bert", &shards, weight)?;
        assert_eq!(shards[value as usize / 10], [gamma]);
        assert_eq!(report.unexpected, [weight]);
    }
    Ok(())
}

#[test]
fn the_logits_are_those_of_transformers() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/two_names");
    let tokenizer = Tokenizer::from_folder(&folder)?;
    for _ in 0..8 {
        let config = ModelConfig::read(&folder.join("config.json"), &[])?;
        let (model, report) = folder::load(&folder, config, false, 1)?;
        assert_eq!(
            report.unexpected,
            ["bert.embeddings.LayerNorm.bias", "bert.embeddings.LayerNorm.weight"]
        );
        let mut engine = crate::core::engine::build(&model, &EngineOptions::default())?;
        let labels = &model.config().labels;
        let found = classify(engine.as_mut(), labels, &tokenizer, &["최고 영화"], 64)?;
        for (ours, expected) in found[0].logits.iter().zip([-1.029_669_4, -0.737_369_9]) {
            assert!((ours - expected).abs() < 1e-5, "{:?}", found[0].logits);
        }
    }
    Ok(())
}
