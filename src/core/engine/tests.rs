//! Compares engines with PyTorch and, with dropout, with each other.

use super::pytorch_fixtures::{PyTorchFixture, fixtures, model, trajectory};
use super::*;
use crate::core::data::batching::Example;
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use crate::core::model::{ModelConfig, Weights};
use crate::core::ops::cpu::overwrite;
use crate::core::train::schedule::{Schedule, SchedulerType};
use serde_json::json;

pub(super) const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
pub(super) const NO_UPDATE: Update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };

fn options(ops: Ops) -> EngineOptions {
    EngineOptions { ops, threads: 2, device: DeviceChoice::Cpu, ..EngineOptions::default() }
}

/// All engines that run without a GPU.
pub(super) fn engines(
    model: &SequenceClassifier,
) -> anyhow::Result<Vec<(&'static str, Box<dyn Engine>)>> {
    let checkpointing = EngineOptions { gradient_checkpointing: true, ..options(Ops::Fused) };
    let mut engines = vec![
        ("reference", build(model, &options(Ops::Reference))?),
        ("fused", build(model, &options(Ops::Fused))?),
        ("fused, checkpointing", build(model, &checkpointing)?),
    ];
    #[cfg(unix)]
    engines.push(("CUDA kernels", emulated_gpu(model)?));
    Ok(engines)
}

/// The CUDA kernels, emulated on the CPU.
#[cfg(unix)]
pub(crate) fn emulated_gpu(model: &SequenceClassifier) -> anyhow::Result<Box<dyn Engine>> {
    use crate::core::ops::cuda::emulator::Emulated;
    use crate::core::ops::cuda::{CudaBackend, Precision};
    let gpu = CudaBackend::new(Emulated::new(Precision::Full));
    let name = "emulated".to_owned();
    Ok(Box::new(fused::FusedEngine::new(gpu, model, false, name)?))
}

pub(super) fn step(number: u64, update: Update) -> StepOptions {
    StepOptions { seed: 5, number, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update }
}

/// The largest absolute difference of two lists, and the largest magnitude in the second.
pub(super) fn compare(ours: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!(ours.len(), expected.len());
    let difference = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(ours.iter().all(|value| value.is_finite()));
    (difference, expected.iter().fold(0f32, |size, value| size.max(value.abs())))
}

/// Whether a parameter is the bias of the keys: in `DistilBERT` of `k_lin`, in `DeBERTa` of `key_proj` if
/// positions have no queries, and of their own keys.
fn is_key_bias(model: &SequenceClassifier, name: &str) -> bool {
    let has_queries = model.config().relative.is_some_and(|relative| relative.queries);
    let names = ["key.bias", "k_lin.bias", "pos_key_proj.bias"];
    names.iter().any(|key| name.ends_with(key))
        || (name.ends_with(".key_proj.bias") && !has_queries)
}

/// Compares the gradient of each parameter with the expected one.
fn assert_gradients(
    what: &str,
    model: &SequenceClassifier,
    ours: &[f32],
    tolerance: f32,
    expected: impl Fn(&str) -> anyhow::Result<Vec<f32>>,
) -> anyhow::Result<()> {
    for parameter in &model.layout().parameters {
        let name = &parameter.name;
        let ours = &ours[parameter.start..][..parameter.len()];
        let (difference, size) = compare(ours, &expected(name)?);
        // A key's bias shifts all scores of a query equally, so its true gradient is zero, and
        // only rounding errors are compared.
        let size = if is_key_bias(model, name) { 1e-2 } else { size };
        assert!(difference <= tolerance * size, "{what}, {name}: {difference} of {size}");
    }
    Ok(())
}

#[test]
fn logits_loss_and_every_gradient_equal_pytorchs() -> anyhow::Result<()> {
    for PyTorchFixture { family, model, batch, expected: tensors } in fixtures()? {
        // PyTorch's results are computed without dropout.
        let model = without_dropout(&model)?;
        for (name, mut engine) in engines(&model)? {
            let what = format!("{family}, {name}");
            let expected = tensors["logits"].flatten_all()?.to_vec1::<f32>()?;
            let (difference, _) = compare(&engine.logits(&batch)?, &expected);
            assert!(difference < 1e-5, "{what}: {difference}");
            engine.begin_training(SETTINGS, false)?;
            engine.step(&StepInput::new(vec![batch.clone()]), &step(1, NO_UPDATE))?;
            let loss = engine.step_metrics()?.loss;
            let expected = tensors["loss"].flatten_all()?.to_vec1::<f32>()?[0];
            assert!((loss - f64::from(expected)).abs() < 1e-5, "{what}: {loss} {expected}");
            assert_gradients(&what, &model, &engine.gradients()?, 1e-4, |name| {
                Ok(tensors[&format!("grad.{name}")].flatten_all()?.to_vec1()?)
            })?;
        }
    }
    Ok(())
}

/// A model with the same weights and without dropout.
pub(super) fn without_dropout(model: &SequenceClassifier) -> anyhow::Result<SequenceClassifier> {
    with_dropout(model, 0.0)
}

fn with_dropout(
    model: &SequenceClassifier,
    probability: f64,
) -> anyhow::Result<SequenceClassifier> {
    let mut config = model.config().clone();
    config.encoder.hidden_dropout_prob = probability;
    config.attention_probs_dropout_prob = probability;
    config.encoder.classifier_dropout = Some(probability);
    if let Some(deberta) = &mut config.deberta {
        deberta.pooler_dropout = probability;
    }
    let (other, _) = SequenceClassifier::new(config, Weights::none(), 0)?;
    for ((_, from), (_, to)) in model.parameters().iter().zip(other.parameters().iter()) {
        overwrite(to, &from.flatten_all()?.to_vec1::<f32>()?)?;
    }
    Ok(other)
}

#[test]
fn twenty_steps_equal_pytorchs() -> anyhow::Result<()> {
    let (batches, trace, after) = trajectory()?;
    let schedule = Schedule::new(SchedulerType::Linear, 1e-3, 4, 20);
    for index in 0..if cfg!(unix) { 4 } else { 3 } {
        let model = model("bert", |config| {
            config.encoder.hidden_dropout_prob = 0.0;
            config.attention_probs_dropout_prob = 0.0;
        })?;
        let (what, mut engine) = engines(&model)?.swap_remove(index);
        engine.begin_training(SETTINGS, false)?;
        for (number, (batch, expected)) in batches.iter().zip(&trace).enumerate() {
            let learning_rate = schedule.rate(number as u64);
            let update = Update { learning_rate, max_grad_norm: 1.0 };
            let input = StepInput::new(vec![batch.clone()]);
            engine.step(&input, &step(number as u64 + 1, update))?;
            let StepMetrics { loss, grad_norm, .. } = engine.step_metrics()?;
            let ours = [("loss", loss), ("grad_norm", grad_norm), ("lr", learning_rate)];
            for (name, ours) in ours {
                let expected = expected[name].as_f64().unwrap_or(f64::NAN);
                let difference = (ours - expected).abs();
                assert!(difference <= 1e-4 * expected, "{what}, {number}, {name}: {difference}");
            }
        }
        engine.store()?;
        for (name, var) in model.parameters().iter() {
            let expected = after[name].flatten_all()?.to_vec1::<f32>()?;
            let (difference, _) = compare(&var.flatten_all()?.to_vec1()?, &expected);
            assert!(difference < 1e-4, "{what}, {name}: {difference}");
        }
    }
    Ok(())
}

/// Compares the loss, predictions and gradients of two engines.
pub(super) fn assert_alike(
    what: &str,
    model: &SequenceClassifier,
    (metrics, ours): (&StepMetrics, &[f32]),
    (first, expected): &(StepMetrics, Vec<f32>),
) -> anyhow::Result<()> {
    assert!((metrics.loss - first.loss).abs() < 1e-5, "{what}: {} {}", metrics.loss, first.loss);
    assert_eq!(metrics.predicted, first.predicted, "{what}");
    assert_gradients(what, model, ours, 1e-3, |name| {
        let parameters = &model.layout().parameters;
        let found = parameters.iter().find(|parameter| parameter.name == name);
        let found = found.ok_or_else(|| anyhow::anyhow!("no {name}"))?;
        Ok(expected[found.start..][..found.len()].to_vec())
    })
}

#[test]
fn every_engine_computes_equal_gradients_with_dropout() -> anyhow::Result<()> {
    for PyTorchFixture { family, model, batch, .. } in fixtures()? {
        // Random weights with a large deviation, so that no gradient is lost in rounding.
        let mut config = with_dropout(&model, 0.1)?.config().clone();
        config.encoder.initializer_range = 0.3;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 5)?;
        let input = StepInput::new(vec![batch.clone(), batch]);
        let mut reference = None;
        for (name, mut engine) in engines(&model)? {
            engine.begin_training(SETTINGS, false)?;
            engine.step(&input, &step(3, NO_UPDATE))?;
            let (metrics, ours) = (engine.step_metrics()?, engine.gradients()?);
            for parameter in &model.layout().parameters {
                let part = &ours[parameter.start..][..parameter.len()];
                let all_zero = part.iter().all(|&value| value == 0.0);
                assert!(!all_zero, "{family}, {name}: {} has no gradient", parameter.name);
            }
            let first = reference.get_or_insert_with(|| (metrics.clone(), ours.clone()));
            assert_alike(&format!("{family}, {name}"), &model, (&metrics, &ours), first)?;
        }
    }
    Ok(())
}

#[test]
fn every_engine_computes_equal_activations_and_smoothed_losses() -> anyhow::Result<()> {
    for activation in ["gelu", "gelu_new", "relu"] {
        let (model, batches) = small_with(activation)?;
        let mut smoothed = step(3, NO_UPDATE);
        smoothed.label_smoothing_factor = 0.1;
        let mut reference = None;
        for (name, mut engine) in engines(&model)? {
            let what = format!("{activation}, {name}");
            engine.begin_training(SETTINGS, false)?;
            engine.step(&StepInput::new(batches[..2].to_vec()), &smoothed)?;
            let (metrics, ours) = (engine.step_metrics()?, engine.gradients()?);
            let first = reference.get_or_insert_with(|| (metrics.clone(), ours.clone()));
            assert_alike(&what, &model, (&metrics, &ours), first)?;
        }
    }
    Ok(())
}

pub(super) fn small() -> anyhow::Result<(SequenceClassifier, Vec<PackedBatch>)> {
    small_with("gelu")
}

/// A small model with dropout, and batches in which most tokens are absent several times in a row.
fn small_with(activation: &str) -> anyhow::Result<(SequenceClassifier, Vec<PackedBatch>)> {
    let values = [
        ("hidden_act", json!(activation)),
        ("vocab_size", json!(60)),
        ("hidden_size", json!(48)),
        ("intermediate_size", json!(80)),
        ("num_hidden_layers", json!(2)),
        ("initializer_range", json!(0.1)),
    ];
    let model = small_model(values, 3)?;
    let mut generator = crate::core::data::sampling::Generator::new(8);
    let batches = (0..12).map(|number| {
        // Most tokens occur only in every fourth batch.
        let tokens = if number % 4 == 0 { 55 } else { 9 };
        let examples: Vec<Example> = (0..7)
            .map(|i| {
                let length = 1 + generator.next_u32() % 70;
                let ids = (0..length).map(|_| 4 + generator.next_u32() % tokens).collect();
                Example::new(ids, (i % 2) as u32)
            })
            .collect();
        PackedBatch::new(&examples, 0)
    });
    let batches = batches.collect();
    Ok((model, batches))
}

fn run(engine: &mut dyn Engine, batches: &[PackedBatch]) -> anyhow::Result<()> {
    engine.begin_training(SETTINGS, true)?;
    for (number, batch) in (1..).zip(batches) {
        let learning_rate = 1e-2 / number as f64;
        let update = Update { learning_rate, max_grad_norm: 1.0 };
        engine.step(&StepInput::new(vec![batch.clone()]), &step(number, update))?;
    }
    Ok(())
}

#[test]
fn tokens_absent_from_some_steps_are_updated_as_by_dense_adamw() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let flat = model.parameters().flat();
    let start = flat.copy()?.to_vec1::<f32>()?;
    let mut ends = Vec::new();
    for (name, mut engine) in engines(&model)? {
        overwrite(flat, &start)?;
        engine.reload()?;
        run(engine.as_mut(), &batches)?;
        engine.store()?;
        let moments = engine.moments()?;
        let (mean, variance) = (moments.mean.to_vec(), moments.variance.to_vec());
        ends.push((name, [flat.to_vec1::<f32>()?, mean, variance]));
    }
    let (_, [weights, mean, variance]) = &ends[0];
    for (name, [w, m, v]) in &ends[1..] {
        for parameter in &model.layout().parameters {
            let range = parameter.start..parameter.start + parameter.len();
            let at = |values: &[f32]| values[range.clone()].to_vec();
            // AdamW normalizes gradients, so rounding errors in a key bias's gradient become full
            // steps.
            let tolerance = if is_key_bias(&model, &parameter.name) { 1.0 } else { 2e-3 };
            for (ours, expected) in [(w, weights), (m, mean), (v, variance)] {
                let (difference, size) = compare(&at(ours), &at(expected));
                let what = &parameter.name;
                assert!(difference <= tolerance * size.max(1e-3), "{name} {what}: {difference}");
            }
        }
    }
    Ok(())
}

#[test]
fn threads_and_gradient_checkpointing_do_not_change_any_bit() -> anyhow::Result<()> {
    let mut ends = Vec::new();
    for (threads, gradient_checkpointing) in [(1, false), (2, false), (5, false), (2, true)] {
        let (model, batches) = small()?;
        let options = EngineOptions { threads, gradient_checkpointing, ..options(Ops::Fused) };
        let mut engine = build(&model, &options)?;
        run(engine.as_mut(), &batches)?;
        let mut end: Vec<u32> = engine.logits(&batches[0])?.into_iter().map(f32::to_bits).collect();
        engine.store()?;
        end.extend(model.parameters().flat().to_vec1::<f32>()?.into_iter().map(f32::to_bits));
        ends.push(end);
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
    Ok(())
}

#[test]
fn micro_batches_add_up_to_the_whole_batch() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let model = without_dropout(&model)?;
    let whole = &batches[1];
    let examples: Vec<Example> = whole
        .sequences()
        .zip(&whole.labels)
        .map(|(ids, &label)| Example::new(ids.to_vec(), label))
        .collect();
    let parts: Vec<PackedBatch> =
        [0..3, 3..4, 4..7].map(|rows| PackedBatch::new(&examples[rows], 0)).into();
    for (name, mut engine) in engines(&model)? {
        engine.begin_training(SETTINGS, false)?;
        let mut smooth = step(1, NO_UPDATE);
        smooth.label_smoothing_factor = 0.1;
        engine.step(&StepInput::new(vec![whole.clone()]), &smooth)?;
        let (whole_metrics, together) = (engine.step_metrics()?, engine.gradients()?);
        engine.step(&StepInput::new(parts.clone()), &smooth)?;
        let in_parts = engine.step_metrics()?;
        assert!((in_parts.loss - whole_metrics.loss).abs() < 1e-6, "{name}");
        assert_eq!(in_parts.predicted, whole_metrics.predicted, "{name}");
        let (difference, size) = compare(&engine.gradients()?, &together);
        assert!(difference < 1e-5 * size.max(1.0), "{name}: {difference} of {size}");
    }
    Ok(())
}

#[test]
fn int8_logits_are_close_to_float32() -> anyhow::Result<()> {
    let config = ModelConfig::small()?;
    let (model, _) = SequenceClassifier::new(config, Weights::none(), 3)?;
    let examples: Vec<Example> =
        (1..20).map(|i| Example::new((2..2 + 3 * i).collect(), 0)).collect();
    let batch = PackedBatch::new(&examples, 0);
    let expected = build(&model, &options(Ops::Fused))?.logits(&batch)?;
    let int8 = EngineOptions { int8: true, ..options(Ops::Fused) };
    let mut engine = build(&model, &int8)?;
    assert_eq!(engine.device(), "cpu, 2 threads, int8");
    let (difference, size) = compare(&engine.logits(&batch)?, &expected);
    assert!(difference > 0.0 && difference < 0.02 * size, "{difference} of {size}");
    Ok(())
}

#[test]
fn ids_outside_the_vocabulary_and_long_sequences_are_errors_without_effect() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    for (name, mut engine) in engines(&model)? {
        let before = engine.logits(&batches[0])?;
        let unknown = PackedBatch::new(&[Example::new(vec![60], 0)], 0);
        assert!(engine.logits(&unknown).is_err(), "{name}");
        engine.begin_training(SETTINGS, false)?;
        assert!(
            engine.step(&StepInput::new(vec![unknown]), &step(1, NO_UPDATE)).is_err(),
            "{name}"
        );
        let too_long = PackedBatch::new(&[Example::new(vec![1; 5000], 0)], 0);
        assert!(engine.logits(&too_long).is_err(), "{name}");
        assert_eq!(engine.logits(&batches[0])?, before, "{name}");
    }
    Ok(())
}

#[test]
fn logits_do_not_depend_on_padding_or_other_sequences() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    for (name, mut engine) in engines(&model)? {
        let batch = &batches[0];
        let together = engine.logits(batch)?;
        for (row, (ids, expected)) in batch.sequences().zip(together.chunks(2)).enumerate() {
            let example = Example::new(ids.to_vec(), 0);
            let alone = engine.logits(&PackedBatch::new(&[example], 80))?;
            assert!(compare(&alone, expected).0 < 1e-5, "{name}, {row}");
        }
    }
    Ok(())
}
