//! Learning rates for each layer and the average of the weights, against PyTorch, and with each other.

use super::pytorch_fixtures::{OptimizerFixture, model, optimizer_fixture};
use super::tests::{compare, engines, small, step};
use super::*;
use crate::core::model::SequenceClassifier;
use crate::core::ops::cpu::overwrite;
use crate::core::train::schedule::{Schedule, SchedulerType};

const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.05 };

fn with_both(decay_everything: bool) -> OptimizerOptions {
    OptimizerOptions {
        layerwise_lr_decay: 0.7,
        ema_decay: 0.8,
        ..OptimizerOptions::new(SETTINGS, decay_everything)
    }
}

#[test]
fn rates_of_layers_and_the_average_equal_pytorchs() -> anyhow::Result<()> {
    let OptimizerFixture { steps, batches, after } = optimizer_fixture()?;
    let number = |name: &str| steps[name].as_f64().unwrap_or(f64::NAN);
    let model = model("electra_pairs", |config| {
        config.encoder.hidden_dropout_prob = 0.0;
        config.attention_probs_dropout_prob = 0.0;
        config.encoder.classifier_dropout = Some(0.0);
    })?;
    let options = OptimizerOptions {
        adamw: AdamWSettings { weight_decay: number("weight_decay"), ..SETTINGS },
        decay_everything: false,
        layerwise_lr_decay: number("layerwise_lr_decay"),
        ema_decay: number("ema_decay"),
    };
    let (warmup, count) = (number("warmup_steps") as u64, batches.len() as u64);
    let schedule = Schedule::new(SchedulerType::Linear, number("learning_rate"), warmup, count);
    let start = model.parameters().flat().copy()?.to_vec1::<f32>()?;
    for (what, mut engine) in engines(&model)? {
        overwrite(model.parameters().flat(), &start)?;
        engine.reload()?;
        engine.begin_training_with(&options)?;
        for (index, batch) in batches.iter().enumerate() {
            let learning_rate = schedule.rate(index as u64);
            let update = Update { learning_rate, max_grad_norm: 1.0 };
            engine.step(&StepInput::new(vec![batch.clone()]), &step(index as u64 + 1, update))?;
            let StepMetrics { loss, grad_norm, .. } = engine.step_metrics()?;
            for (name, ours) in [("loss", loss), ("grad_norm", grad_norm)] {
                let expected = steps["trace"][index][name].as_f64().unwrap_or(f64::NAN);
                let difference = (ours - expected).abs();
                assert!(difference <= 2e-4 * expected, "{what}, {index}, {name}: {difference}");
            }
        }
        let logits = engine.logits(&batches[0])?;
        let expected = after["average_logits"].flatten_all()?.to_vec1::<f32>()?;
        let difference = compare(&logits, &expected).0;
        assert!(difference < 1e-4, "{what}: the logits differ by {difference}");
        let weights = engine.moments()?.weights;
        let weights = weights.ok_or_else(|| anyhow::anyhow!("no weights"))?;
        engine.store()?;
        let average = model.parameters().flat().to_vec1::<f32>()?;
        for parameter in &model.layout().parameters {
            // A key's bias has no gradient but for rounding errors, which AdamW normalizes.
            let name = &parameter.name;
            let tolerance = if name.ends_with("key.bias") { 1e-2 } else { 1e-4 };
            let range = parameter.start..parameter.start + parameter.len();
            for (ours, of) in [(&weights, name.clone()), (&average, format!("average.{name}"))] {
                let expected = after[&of].flatten_all()?.to_vec1::<f32>()?;
                let difference = compare(&ours[range.clone()], &expected).0;
                assert!(difference < tolerance, "{what}, {of}: {difference}");
            }
        }
    }
    Ok(())
}

/// Trains with these options on the batches of these numbers.
fn train(
    engine: &mut dyn Engine,
    batches: &[PackedBatch],
    numbers: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    for index in numbers {
        let learning_rate = if index % 5 == 4 { 0.0 } else { 1e-2 / (index + 1) as f64 };
        let update = Update { learning_rate, max_grad_norm: 1.0 };
        let input = StepInput::new(vec![batches[index].clone()]);
        engine.step(&input, &step(index as u64 + 1, update))?;
    }
    Ok(())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The bits of the average, the weights and the moments.
fn state(model: &SequenceClassifier, engine: &mut dyn Engine) -> anyhow::Result<[Vec<u32>; 4]> {
    let moments = engine.moments()?;
    let weights = bits(moments.weights.as_deref().unwrap_or_default());
    let [mean, variance] = [bits(&moments.mean), bits(&moments.variance)];
    engine.store()?;
    Ok([bits(&model.parameters().flat().to_vec1::<f32>()?), weights, mean, variance])
}

#[test]
fn the_average_continues_bit_for_bit_from_the_state_of_the_optimizer() -> anyhow::Result<()> {
    for decay_everything in [true, false] {
        let (model, batches) = small()?;
        let flat = model.parameters().flat();
        let start = flat.copy()?.to_vec1::<f32>()?;
        let options = with_both(decay_everything);
        for index in 0..engines(&model)?.len() {
            let fresh = || -> anyhow::Result<_> { Ok(engines(&model)?.swap_remove(index)) };
            overwrite(flat, &start)?;
            let (what, mut whole) = fresh()?;
            whole.begin_training_with(&options)?;
            train(whole.as_mut(), &batches, 0..9)?;
            let expected = state(&model, whole.as_mut())?;
            assert_ne!(expected[0], expected[1], "{what}: the average is not the weights");

            // A question in between uses the average and changes nothing.
            overwrite(flat, &start)?;
            let (_, mut first) = fresh()?;
            first.begin_training_with(&options)?;
            train(first.as_mut(), &batches, 0..3)?;
            let before = first.logits(&batches[0])?;
            assert_eq!(first.logits(&batches[0])?, before, "{what}");
            train(first.as_mut(), &batches, 3..6)?;
            let moments = first.moments()?;
            first.store()?;
            let averaged = first.logits(&batches[0])?;
            drop(first);

            // The model's tensors hold the average now.
            let (_, mut second) = fresh()?;
            assert_eq!(second.logits(&batches[0])?, averaged, "{what}");
            second.begin_training_with(&options)?;
            second.restore(moments.clone())?;
            assert_eq!(second.logits(&batches[0])?, averaged, "{what}");
            train(second.as_mut(), &batches, 6..9)?;
            assert!(state(&model, second.as_mut())? == expected, "{what}: the state differs");

            // Without an average, training continues with the weights.
            let (_, mut plain) = fresh()?;
            let without = OptimizerOptions { ema_decay: 0.0, ..options };
            plain.begin_training_with(&without)?;
            plain.restore(moments)?;
            train(plain.as_mut(), &batches, 6..9)?;
            let [weights, none, mean, variance] = state(&model, plain.as_mut())?;
            assert!(none.is_empty() && [weights, mean, variance] == expected[1..], "{what}");
        }
    }
    Ok(())
}

#[test]
fn every_engine_averages_alike() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let flat = model.parameters().flat();
    let start = flat.copy()?.to_vec1::<f32>()?;
    let mut ends: Vec<(&str, Vec<f32>, Vec<f32>)> = Vec::new();
    for (name, mut engine) in engines(&model)? {
        overwrite(flat, &start)?;
        engine.reload()?;
        engine.begin_training_with(&with_both(true))?;
        train(engine.as_mut(), &batches, 0..12)?;
        let weights = engine.moments()?.weights;
        engine.store()?;
        ends.push((name, flat.to_vec1()?, weights.unwrap_or_default()));
    }
    let (_, average, weights) = &ends[0];
    for (name, a, w) in &ends[1..] {
        for parameter in &model.layout().parameters {
            let range = parameter.start..parameter.start + parameter.len();
            let tolerance = if parameter.name.ends_with("key.bias") { 1.0 } else { 2e-3 };
            for (ours, expected) in [(a, average), (w, weights)] {
                let (difference, size) = compare(&ours[range.clone()], &expected[range.clone()]);
                let what = &parameter.name;
                assert!(difference <= tolerance * size.max(1e-3), "{name} {what}: {difference}");
            }
        }
    }
    Ok(())
}

#[test]
fn threads_change_no_bit_of_the_average() -> anyhow::Result<()> {
    let mut ends = Vec::new();
    for threads in [1, 3] {
        let (model, batches) = small()?;
        let options = EngineOptions { threads, device: DeviceChoice::Cpu, ..Default::default() };
        let mut engine = build(&model, &options)?;
        engine.begin_training_with(&with_both(true))?;
        train(engine.as_mut(), &batches, 0..12)?;
        ends.push(state(&model, engine.as_mut())?);
    }
    assert!(ends[0] == ends[1]);
    Ok(())
}

#[test]
fn an_average_and_a_factor_of_1_do_not_change_the_weights() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let flat = model.parameters().flat();
    let start = flat.copy()?.to_vec1::<f32>()?;
    for index in 0..engines(&model)?.len() {
        let mut ends = Vec::new();
        for ema_decay in [0.0, 0.9] {
            overwrite(flat, &start)?;
            let (_, mut engine) = engines(&model)?.swap_remove(index);
            let options = OptimizerOptions::new(SETTINGS, true);
            engine.begin_training_with(&OptimizerOptions { ema_decay, ..options })?;
            train(engine.as_mut(), &batches, 0..12)?;
            let [stored, weights, mean, variance] = state(&model, engine.as_mut())?;
            ends.push([if ema_decay > 0.0 { weights } else { stored }, mean, variance]);
        }
        assert!(ends[0] == ends[1]);
    }
    Ok(())
}
