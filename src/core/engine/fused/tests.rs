//! Tests of training on the emulated GPU: the host does not wait for the device within a step.

use super::*;
use crate::core::data::batching::Example;
use crate::core::model::fixtures::small_model;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{Device, Update};
use crate::core::ops::cpu::overwrite;
use crate::core::ops::cuda::emulator::Emulated;
use crate::core::ops::cuda::{CudaBackend, Precision};

const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };

fn model() -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", 30),
        ("hidden_size", 24),
        ("num_attention_heads", 2),
        ("intermediate_size", 32),
        ("num_hidden_layers", 2),
    ];
    small_model(values, 3)
}

/// Inputs of equal size, so that nothing is allocated after the first step.
fn input(step: u64) -> StepInput {
    let example = |row: u32| {
        let ids = (0..5).map(|i| (row * 7 + i * 3 + step as u32) % 30).collect();
        Example::new(ids, (row + step as u32) % 2)
    };
    StepInput::new(vec![PackedBatch::new(&(0..4).map(example).collect::<Vec<_>>(), 0)])
}

fn options(number: u64) -> StepOptions {
    let update = Update { learning_rate: 1e-3, max_grad_norm: 1.0 };
    StepOptions { seed: 1, number, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update }
}

#[test]
fn the_host_never_waits_within_a_step() -> anyhow::Result<()> {
    let model = model()?;
    let backend = CudaBackend::new(Emulated::new(Precision::Full));
    let mut engine = FusedEngine::new(backend, &model, false, "emulated".to_owned())?;
    engine.begin_training(SETTINGS, false)?;
    let mut metrics = Vec::new();
    for number in 1..=6 {
        engine.step(&input(number), &options(number))?;
        metrics.extend(engine.ready_metrics()?);
        assert_eq!(metrics.len() as u64, number - 1, "metrics must arrive one step late");
        let waits = engine.backend.driver().synchronizations();
        assert_eq!(waits, 0, "step {number} waited for the device");
    }
    metrics.push(engine.backend.step_metrics(
        &mut engine.training.as_mut().ok_or_else(|| anyhow::anyhow!("no training"))?.gradients,
    )?);
    assert_eq!(engine.backend.driver().synchronizations(), 1, "only the last step may wait");
    assert!(engine.ready_metrics()?.is_none());

    // The metrics of each step equal those of an engine that waits for each step.
    let backend = CudaBackend::new(Emulated::new(Precision::Full));
    let mut waiting = FusedEngine::new(backend, &model, false, "emulated".to_owned())?;
    waiting.begin_training(SETTINGS, false)?;
    for (number, metrics) in (1..).zip(metrics) {
        waiting.step(&input(number), &options(number))?;
        let training = waiting.training.as_mut().ok_or_else(|| anyhow::anyhow!("no training"))?;
        assert_eq!(waiting.backend.step_metrics(&mut training.gradients)?, metrics, "{number}");
    }
    Ok(())
}

#[test]
fn the_cpu_returns_the_metrics_of_each_step_at_once() -> anyhow::Result<()> {
    let mut engine = FusedEngine::new(Cpu::new(1)?, &model()?, false, "cpu".to_owned())?;
    engine.begin_training(SETTINGS, false)?;
    for number in 1..=3 {
        engine.step(&input(number), &options(number))?;
        let metrics = engine.ready_metrics()?;
        assert!(metrics.is_some_and(|metrics| metrics.predicted.len() == 4), "step {number}");
        assert!(engine.ready_metrics()?.is_none(), "metrics must be returned once");
    }
    Ok(())
}

#[test]
fn products_in_bfloat16_are_close_and_do_not_depend_on_threads() -> anyhow::Result<()> {
    let model = model()?;
    let before = model.parameters().flat().to_vec1::<f32>()?;
    let train = |cpu: Cpu| -> anyhow::Result<(f64, Vec<f32>)> {
        // The engine shares the memory of the model's parameters.
        overwrite(model.parameters().flat(), &before)?;
        let mut engine = FusedEngine::new(cpu, &model, false, String::new())?;
        engine.begin_training(SETTINGS, false)?;
        for number in 1..=3 {
            engine.step(&input(number), &options(number))?;
        }
        Ok((engine.step_metrics()?.loss, engine.gradients()?))
    };
    let (loss, expected) = train(Cpu::new(1)?)?;
    let (ours, found) = train(Cpu::new(1)?.with_bf16())?;
    assert_eq!(train(Cpu::new(3)?.with_bf16())?, (ours, found.clone()));
    assert!((ours - loss).abs() < 0.01 * loss && ours != loss, "{ours} {loss}");
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    let difference = norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
    let relative = difference / norm(&mut expected.iter().copied());
    assert!(relative < 0.03, "{relative}");
    Ok(())
}
