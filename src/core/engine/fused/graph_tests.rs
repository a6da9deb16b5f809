//! Steps that are launched as graphs are those of single launches, bit for bit, on the emulated GPU.

use super::*;
use crate::core::data::batching::Example;
use crate::core::model::fixtures::small_model;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{Moments, StepMetrics, Update};
use crate::core::ops::cuda::emulator::{
    BEGIN_CAPTURE, END_CAPTURE, Emulated, Fault, LAUNCH_GRAPH, UPDATE_GRAPH,
};
use crate::core::ops::cuda::{CudaBackend, Precision};
use serde_json::{Value, json};

type EmulatedEngine = FusedEngine<CudaBackend<Emulated>>;

const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };

/// The calls for graphs of the emulated GPU.
const CALLS: [&str; 4] = [BEGIN_CAPTURE, END_CAPTURE, UPDATE_GRAPH, LAUNCH_GRAPH];

fn model() -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", 50),
        ("hidden_size", 24),
        ("num_attention_heads", 2),
        ("intermediate_size", 32),
        ("num_hidden_layers", 2),
    ];
    small_model(values, 3)
}

/// A model with relative positions, whose products depend on the longest sequence, too.
fn deberta() -> anyhow::Result<SequenceClassifier> {
    let values: [(&'static str, Value); 9] = [
        ("model_type", json!("deberta-v2")),
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("num_attention_heads", json!(2)),
        ("intermediate_size", json!(32)),
        ("num_hidden_layers", json!(2)),
        ("relative_attention", json!(true)),
        ("pos_att_type", json!("p2c|c2p")),
        ("position_biased_input", json!(false)),
    ];
    small_model(values, 3)
}

/// An engine that has begun to train.
fn engine(
    driver: Emulated,
    model: &SequenceClassifier,
    graphs: bool,
) -> anyhow::Result<EmulatedEngine> {
    let mut backend = CudaBackend::new(driver);
    backend.check_fused_products()?;
    if graphs {
        assert_eq!(backend.check_graphs()?, None);
    }
    let mut engine = FusedEngine::new(backend, model, false, "emulated".to_owned())?;
    engine.begin_training(SETTINGS, false)?;
    Ok(engine)
}

/// A batch of sequences of these lengths; `salt` chooses the tokens, of which 0 is the padding token: the
/// kernels differ for batches with it.
fn batch(lengths: &[u32], salt: u32) -> PackedBatch {
    let example = |(row, &length): (usize, &u32)| {
        let ids = (0..length).map(|i| (row as u32 * 7 + i * 3 + salt * 11) % 50).collect();
        Example::new(ids, (row as u32 + salt) % 2)
    };
    PackedBatch::new(&lengths.iter().enumerate().map(example).collect::<Vec<_>>(), 0)
}

/// The micro-batches of a step. Lengths, tokens and their number differ from step to step.
fn micro_batches(number: u32) -> Vec<PackedBatch> {
    let lengths: [u32; 4] = std::array::from_fn(|row| 3 + (number * 5 + row as u32 * 7) % 11);
    match number {
        // The largest one comes first, so that few buffers grow later.
        1 => vec![batch(&[14, 14, 14, 14], 1)],
        // More rows than those that one multiple has room for: buffers grow, and have other addresses.
        13 => vec![batch(&[20, 20, 20, 20], 13)],
        // Fewer sequences, as at the end of an epoch.
        7 | 18 => vec![batch(&lengths[..3], number)],
        // Gradients are accumulated.
        9 | 10 | 16 | 17 | 20 => vec![batch(&lengths, number), batch(&[9, 2, 5, 11], number + 50)],
        _ => vec![batch(&lengths, number)],
    }
}

fn options(number: u64) -> StepOptions {
    let update = Update { learning_rate: 1e-2 / number as f64, max_grad_norm: 1.0 };
    StepOptions { seed: 1, number, label_smoothing_factor: 0.1, rdrop_alpha: 0.0, update }
}

fn step(engine: &mut EmulatedEngine, number: u32) -> anyhow::Result<()> {
    let mut batches = micro_batches(number);
    if number == 11 {
        // There is no such class: the loss is NaN, and the update is skipped.
        batches[0].labels[1] = 7;
    }
    Ok(engine.step(&StepInput::new(batches), &options(number.into()))?)
}

/// What training leaves: metrics, logits, weights and moments, as text with all digits.
#[derive(Debug, Default)]
struct Outcome {
    metrics: Vec<StepMetrics>,
    logits: Vec<Vec<f32>>,
    weights: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    steps: u64,
}

/// Trains, evaluates between steps, and goes on as a resumed run in between.
fn train(engine: &mut EmulatedEngine, model: &SequenceClassifier) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    for number in 1..=24 {
        step(engine, number)?;
        outcome.metrics.extend(engine.ready_metrics()?);
        if number == 5 || number == 15 {
            outcome.metrics.push(engine.step_metrics()?);
            outcome.logits.push(engine.logits(&batch(&[12, 3], number))?);
        }
        if number == 12 {
            outcome.metrics.push(engine.step_metrics()?);
            engine.store()?;
            let moments = engine.moments()?;
            engine.begin_training(SETTINGS, false)?;
            engine.reload()?;
            engine.restore(moments)?;
        }
    }
    outcome.metrics.push(engine.step_metrics()?);
    engine.store()?;
    outcome.weights = model.parameters().flat().to_vec1()?;
    let Moments { steps, mean, variance, .. } = engine.moments()?;
    (outcome.mean, outcome.variance) = (mean.to_vec(), variance.to_vec());
    outcome.steps = steps;
    Ok(outcome)
}

/// Trains with graphs and without; returns how many were launched.
fn check_bits(
    model: fn() -> anyhow::Result<SequenceClassifier>,
    driver: fn() -> Emulated,
    gradient_checkpointing: bool,
) -> anyhow::Result<usize> {
    let train = |graphs: bool| -> anyhow::Result<(String, usize)> {
        let model = model()?;
        let mut engine = engine(driver(), &model, graphs)?;
        engine.gradient_checkpointing = gradient_checkpointing;
        let before = engine.backend.driver().launches(LAUNCH_GRAPH);
        let outcome = train(&mut engine, &model)?;
        assert_eq!(outcome.metrics.len(), 24);
        assert_eq!(outcome.steps, 23, "one update was skipped");
        assert!(outcome.weights.iter().chain(&outcome.mean).all(|value| value.is_finite()));
        assert_eq!(engine.take_warning(), None);
        Ok((format!("{outcome:?}"), engine.backend.driver().launches(LAUNCH_GRAPH) - before))
    };
    let (expected, none) = train(false)?;
    let (found, launched) = train(true)?;
    assert_eq!(none, 0);
    assert_eq!(found, expected);
    Ok(launched)
}

#[test]
fn training_with_graphs_is_the_same_bit_for_bit() -> anyhow::Result<()> {
    let launched = check_bits(model, || Emulated::new(Precision::Full), false)?;
    assert!(launched >= 8, "{launched} graphs");
    let launched = check_bits(model, || Emulated::new(Precision::Half).with_epilogues(), false)?;
    assert!(launched >= 8, "{launched} graphs in bf16");
    let launched = check_bits(deberta, || Emulated::new(Precision::Full), true)?;
    assert!(launched > 0, "{launched} graphs with relative positions");
    Ok(())
}

#[test]
fn a_graph_is_used_again_for_other_batches_and_nothing_is_launched_beside_it() -> anyhow::Result<()>
{
    let model = model()?;
    let mut engine = engine(Emulated::new(Precision::Full), &model, true)?;
    let plain = |number: u32| {
        let lengths: [u32; 4] = std::array::from_fn(|row| 3 + (number * 5 + row as u32 * 7) % 11);
        let mut packed = batch(&lengths, number);
        packed.ids.iter_mut().for_each(|id| *id = (*id).max(1));
        StepInput::new(vec![packed])
    };
    engine.step(&StepInput::new(micro_batches(1)), &options(1))?;
    // The history of updates grows at 2, 4, 8 and 16 updates.
    for number in 2..=9 {
        engine.step(&plain(number), &options(number.into()))?;
    }
    let counts = |engine: &EmulatedEngine| CALLS.map(|call| engine.backend.driver().launches(call));
    for number in 10..=15 {
        let [begun, ended, updated, launched] = counts(&engine);
        let waits = engine.backend.driver().synchronizations();
        engine.step(&plain(number), &options(number.into()))?;
        let after = counts(&engine);
        assert_eq!([after[0], after[1], after[3]], [begun, ended, launched + 1], "step {number}");
        let kernels = after[2] - updated;
        assert!((20..120).contains(&kernels), "{kernels} kernels have other arguments");
        assert_eq!(engine.backend.driver().synchronizations(), waits, "step {number} waited");
    }
    Ok(())
}

#[test]
fn a_step_whose_graph_fails_is_launched_without_it_and_so_are_later_ones() -> anyhow::Result<()> {
    let fresh = model()?;
    let expected = format!(
        "{:?}",
        train(&mut engine(Emulated::new(Precision::Full), &fresh, false)?, &fresh)?
    );
    let probe = engine(Emulated::new(Precision::Full), &model()?, true)?;
    for call in CALLS {
        // The check at the beginning, and one more call, are without the fault.
        let after = probe.backend.driver().launches(call) + 1;
        let driver = Emulated::new(Precision::Full).with_late_fault(call, Fault::Rejected, after);
        let model = model()?;
        let mut engine = engine(driver, &model, true)?;
        let outcome = train(&mut engine, &model)?;
        assert_eq!(format!("{outcome:?}"), expected, "{call}");
        let warning = engine.take_warning();
        assert!(warning.as_ref().is_some_and(|text| text.contains(call)), "{call}: {warning:?}");
        assert_eq!(engine.take_warning(), None, "once");
        assert_eq!(engine.backend.driver().launches(call), after + 1, "{call} was not tried again");
    }
    Ok(())
}

#[test]
fn arguments_that_are_not_renewed_show() -> anyhow::Result<()> {
    let fresh = model()?;
    let expected = format!(
        "{:?}",
        train(&mut engine(Emulated::new(Precision::Full), &fresh, false)?, &fresh)?
    );
    let probe = engine(Emulated::new(Precision::Full), &model()?, true)?;
    let after = probe.backend.driver().launches(UPDATE_GRAPH);
    let driver = Emulated::new(Precision::Full).with_late_fault(UPDATE_GRAPH, Fault::Wrong, after);
    let model = model()?;
    let mut engine = engine(driver, &model, true)?;
    let outcome = train(&mut engine, &model);
    assert!(outcome.map_or(true, |outcome| format!("{outcome:?}") != expected));
    Ok(())
}
