//! Tests of runs that keep an average of the weights: evaluations and models are the average's, and
//! a resumed run continues exactly.

use super::*;
use crate::core::engine::logits::loss_of;
use crate::core::model::folder::{TensorData, write_tensors};
use crate::core::model::weights::StoredTensor;

fn averaging(change: impl FnOnce(&mut TrainingArguments)) -> anyhow::Result<TrainingArguments> {
    arguments(|arguments| {
        arguments.ema_decay = 0.9;
        arguments.layerwise_lr_decay = 0.8;
        arguments.weight_decay = 0.01;
        arguments.save_total_limit = None;
        change(arguments);
    })
}

/// The bytes of a checkpoint's model and of its optimizer's state.
fn files(folder: &Folder, step: u64) -> std::io::Result<[Vec<u8>; 2]> {
    let folder = folder.0.path().join(format!("checkpoint-{step}"));
    Ok([std::fs::read(folder.join("model.safetensors"))?, std::fs::read(folder.join(OPTIMIZER))?])
}

#[test]
fn a_resumed_run_continues_the_average_bit_for_bit() -> anyhow::Result<()> {
    let arguments = averaging(|arguments| arguments.metric_for_best_model = Some("loss".into()))?;
    let whole = Folder::new()?;
    let mut uncut = EventCollector::default();
    let (expected, _) = whole.train(&arguments, &mut uncut, None)?;
    for stop_at in [1, 5, 13] {
        let parts = Folder::new()?;
        let mut first = EventCollector { stop_at: Some(stop_at), ..EventCollector::default() };
        parts.train(&arguments, &mut first, None)?;
        let checkpoint = parts.0.path().join(format!("checkpoint-{stop_at}"));
        let mut second = EventCollector::default();
        let (weights, _) = parts.train(&arguments, &mut second, Some(&checkpoint))?;
        assert!(weights == expected, "stopped at {stop_at}: the averages differ");
        assert!(files(&parts, 24)? == files(&whole, 24)?, "stopped at {stop_at}");
        let of_later_steps = |event: &&TrainEvent| match event {
            TrainEvent::Step(step) => step.step > stop_at as u64,
            TrainEvent::Evaluated(evaluated) => evaluated.step > stop_at as u64,
            _ => false,
        };
        let [ours, theirs] = [&second.events, &uncut.events]
            .map(|events| events.iter().filter(of_later_steps).cloned().collect::<Vec<_>>());
        assert_eq!(timeless(&ours)?, timeless(&theirs)?, "stopped at {stop_at}");
    }
    Ok(())
}

#[test]
fn evaluations_and_models_are_those_of_the_average() -> anyhow::Result<()> {
    let plain = averaging(|arguments| arguments.ema_decay = 0.0)?;
    let (with, without) = (Folder::new()?, Folder::new()?);
    let mut collector = EventCollector::default();
    let (end, _) = with.train(&averaging(|_| {})?, &mut collector, None)?;
    let (raw_end, _) = without.train(&plain, &mut EventCollector::default(), None)?;
    assert!(end != raw_end);

    // Step 24 is evaluated, saved and the last.
    let folder = with.0.path().join("checkpoint-24");
    let (model, _) =
        SequenceClassifier::new(config()?, Weights::open(&folder, Architecture::Bert)?, 1)?;
    assert!(bits(&model)? == end);
    let examples = examples(20);
    let batch = crate::core::data::batching::PackedBatch::new(&examples, 0);
    let logits = build(&model, &EngineOptions::default())?.logits(&batch)?;
    let losses = logits.chunks(2).zip(&batch.labels).map(|(row, &label)| loss_of(row, label, 0.0));
    let loss = losses.sum::<f64>() / 20.0;
    let evaluated = collector.events.iter().rev().find_map(|event| match event {
        TrainEvent::Evaluated(evaluated) => Some(evaluated.metrics.eval_loss),
        _ => None,
    });
    assert!(
        evaluated.is_some_and(|evaluated| (evaluated - loss).abs() < 1e-6),
        "{evaluated:?} {loss}"
    );

    // The weights are trained as without an average.
    let mut stored = Weights::open_file(&folder.join(OPTIMIZER))?;
    let mut weights = Vec::new();
    for (name, var) in model.parameters().iter() {
        let StoredTensor::Values(values) = stored.read(&format!("{name}.raw"), var.dims())? else {
            anyhow::bail!("no {name}.raw");
        };
        weights.extend(values.into_iter().map(f32::to_bits));
    }
    assert!(weights == raw_end);

    // An average can be added or left out when a run is resumed.
    let middle = without.0.path().join("checkpoint-12");
    let added = Folder::new()?;
    added.train(&averaging(|_| {})?, &mut EventCollector::default(), Some(&middle))?;
    assert!(Checkpoint::read(&added.0.path().join("checkpoint-24"))?.run.averages_weights);
    let middle = with.0.path().join("checkpoint-12");
    let (left_out, _) =
        Folder::new()?.train(&plain, &mut EventCollector::default(), Some(&middle))?;
    assert!(left_out == raw_end);
    Ok(())
}

#[test]
fn the_best_average_is_loaded_at_the_end() -> anyhow::Result<()> {
    let arguments = averaging(|arguments| {
        load_best_by_loss(arguments);
        // The first evaluation has the highest loss, so the best checkpoint is not the last one.
        arguments.greater_is_better = true;
    })?;
    let folder = Folder::new()?;
    let (end, state) = folder.train(&arguments, &mut EventCollector::default(), None)?;
    let best = folder.0.path().join(format!("checkpoint-{}", state.best_global_step.unwrap_or(0)));
    assert!(state.best_global_step < Some(24), "the loss did not fall");
    let (model, _) =
        SequenceClassifier::new(config()?, Weights::open(&best, Architecture::Bert)?, 1)?;
    assert!(bits(&model)? == end);
    Ok(())
}

#[test]
fn a_checkpoint_without_possible_weights_is_refused() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.train(&averaging(|_| {})?, &mut EventCollector::default(), None)?;
    let last = folder.0.path().join("checkpoint-24");
    let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
    Checkpoint::read(&last)?.verify_moments(&model)?;
    for (value, expected) in [
        (None, "classifier.bias.raw is missing"),
        (Some(f32::NAN), "classifier.bias.raw holds NaN"),
    ] {
        let mut tensors = Vec::new();
        let mut stored = Weights::open_file(&last.join(OPTIMIZER))?;
        for parameter in &model.layout().parameters {
            for suffix in ["exp_avg", "exp_avg_sq", "raw"] {
                let name = format!("{}.{suffix}", parameter.name);
                let StoredTensor::Values(values) = stored.read(&name, &parameter.shape)? else {
                    anyhow::bail!("no {name}");
                };
                let is_changed = name == "classifier.bias.raw";
                match value.filter(|_| is_changed) {
                    Some(value) => {
                        tensors.push((name, vec![value; values.len()], &parameter.shape));
                    }
                    None if is_changed => {}
                    None => tensors.push((name, values, &parameter.shape)),
                }
            }
        }
        let changed = tempfile::tempdir()?;
        let copy = changed.path().join("checkpoint-24");
        std::fs::create_dir(&copy)?;
        for entry in std::fs::read_dir(&last)? {
            let file = entry?;
            std::fs::copy(file.path(), copy.join(file.file_name()))?;
        }
        let tensors = tensors.iter().map(|(name, values, shape)| {
            (name.as_str(), TensorData::Values(values.as_slice(), shape.as_slice()))
        });
        write_tensors(&copy.join(OPTIMIZER), tensors)?;
        let outcome = Checkpoint::read(&copy)?.verify_moments(&model);
        let message = outcome.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(message.contains(expected), "{message}");
    }
    Ok(())
}
