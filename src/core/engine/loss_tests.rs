//! Compares the engines with each other in steps with weights, R-Drop and pseudo-labels.

use super::tests::{
    NO_UPDATE, SETTINGS, assert_alike, compare, engines, small, step, without_dropout,
};
use super::*;
use crate::core::data::batching::{BatchRole, Example};

/// The examples of a batch.
fn examples(batch: &PackedBatch) -> Vec<Example> {
    let examples = batch.sequences().zip(&batch.labels);
    examples.map(|(ids, &label)| Example::new(ids.to_vec(), label)).collect()
}

/// The weights of examples with these labels.
fn weights(labels: &[u32]) -> Vec<f32> {
    labels.iter().map(|&label| [0.75, 1.5][label as usize]).collect()
}

/// Each example twice, for R-Drop.
fn twice(examples: &[Example]) -> PackedBatch {
    let batch = PackedBatch::new(examples.iter().chain(examples), 0);
    let weights = weights(&batch.labels);
    batch.weighted(weights, BatchRole::LabelledTwice)
}

fn pseudo_labelled(batch: &PackedBatch) -> PackedBatch {
    batch.clone().weighted(vec![0.4; batch.batch_size()], BatchRole::PseudoLabelled)
}

fn with_rdrop(number: u64) -> StepOptions {
    StepOptions { rdrop_alpha: 0.7, ..step(number, NO_UPDATE) }
}

#[test]
fn every_engine_computes_equal_losses_with_weights_rdrop_and_pseudo_labels() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let input = StepInput::new(vec![
        twice(&examples(&batches[0])),
        twice(&examples(&batches[1])[..3]),
        pseudo_labelled(&batches[2]),
    ]);
    for smoothing in [0.0, 0.1] {
        let options = StepOptions { label_smoothing_factor: smoothing, ..with_rdrop(3) };
        let mut reference = None;
        for (name, mut engine) in engines(&model)? {
            engine.begin_training(SETTINGS, false)?;
            engine.step(&input, &options)?;
            let (metrics, ours) = (engine.step_metrics()?, engine.gradients()?);
            assert_eq!(metrics.predicted.len(), 14 + 6 + 7, "{name}");
            let first = reference.get_or_insert_with(|| (metrics.clone(), ours.clone()));
            assert_alike(name, &model, (&metrics, &ours), first)?;
        }
    }
    Ok(())
}

#[test]
fn weighted_micro_batches_add_up_to_the_whole_batch() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let model = without_dropout(&model)?;
    let all = examples(&batches[1]);
    let labelled = |examples: &[Example]| {
        let batch = PackedBatch::new(examples, 0);
        let weights = weights(&batch.labels);
        batch.weighted(weights, BatchRole::Labelled)
    };
    // Without dropout both copies are equal, and so is the loss.
    let whole = StepInput::new(vec![labelled(&all)]);
    let parts = [0..3, 3..4, 4..7].map(|rows| labelled(&all[rows]));
    let copies = [0..3, 3..4, 4..7].map(|rows| twice(&all[rows]));
    for (name, mut engine) in engines(&model)? {
        engine.begin_training(SETTINGS, false)?;
        engine.step(&whole, &with_rdrop(1))?;
        let (expected, together) = (engine.step_metrics()?, engine.gradients()?);
        for parts in [parts.to_vec(), copies.to_vec()] {
            let input = StepInput::new(parts);
            engine.step(&input, &with_rdrop(1))?;
            let metrics = engine.step_metrics()?;
            assert!((metrics.loss - expected.loss).abs() < 1e-6, "{name}");
            let counted: Vec<u32> = input
                .labelled_predictions(&metrics.predicted)
                .map(|(_, predicted)| predicted)
                .collect();
            assert_eq!(counted, expected.predicted, "{name}");
            let (difference, size) = compare(&engine.gradients()?, &together);
            assert!(difference < 1e-5 * size.max(1.0), "{name}: {difference} of {size}");
        }
    }
    Ok(())
}

#[test]
fn pseudo_labelled_examples_change_the_gradient_and_no_metric() -> anyhow::Result<()> {
    let (model, batches) = small()?;
    let without = StepInput::new(vec![batches[0].clone()]);
    let with = StepInput::new(vec![batches[0].clone(), pseudo_labelled(&batches[1])]);
    for (name, mut engine) in engines(&model)? {
        engine.begin_training(SETTINGS, false)?;
        engine.step(&without, &step(1, NO_UPDATE))?;
        let (expected, gradients) = (engine.step_metrics()?, engine.gradients()?);
        engine.step(&with, &step(1, NO_UPDATE))?;
        let metrics = engine.step_metrics()?;
        assert_eq!(metrics.loss.to_bits(), expected.loss.to_bits(), "{name}");
        assert!(compare(&engine.gradients()?, &gradients).0 > 1e-4, "{name}");
        let counted: Vec<u32> =
            with.labelled_predictions(&metrics.predicted).map(|(_, class)| class).collect();
        assert_eq!(counted, expected.predicted, "{name}");
    }
    Ok(())
}
