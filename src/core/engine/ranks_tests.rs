//! Every engine adds up the gradients of ranks as it does those of its own micro-batches.

use super::tests::{SETTINGS, engines};
use super::*;
use crate::core::collective::fixtures::on_ranks;
use crate::core::collective::{CollectiveError, Single};
use crate::core::data::batching::Example;
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use serde_json::json;
use std::sync::Mutex;

/// Two ranks that compute the same.
struct Twice;

impl Collective for Twice {
    fn rank(&self) -> usize {
        0
    }

    fn world_size(&self) -> usize {
        2
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        for value in values {
            *value *= 2.0;
        }
        Ok(())
    }

    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
        Ok(bytes.to_vec())
    }

    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        Ok(vec![bytes.to_vec(); 2])
    }

    fn failure(&self) -> Option<CollectiveError> {
        None
    }

    fn fail(&self, _: &str) {}
}

pub(super) fn without_dropout() -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", json!(30)),
        ("hidden_size", json!(24)),
        ("num_attention_heads", json!(2)),
        ("intermediate_size", json!(32)),
        ("num_hidden_layers", json!(2)),
        ("hidden_dropout_prob", json!(0.0)),
        ("attention_probs_dropout_prob", json!(0.0)),
    ];
    small_model(values, 3)
}

#[test]
fn half_of_the_batches_on_each_of_two_ranks_is_the_whole_step() -> anyhow::Result<()> {
    let examples = [vec![2, 7, 9, 3], vec![2, 11, 3], vec![2, 5, 7, 21, 3]];
    let examples: Vec<Example> =
        examples.into_iter().zip(0..).map(|(ids, i)| Example::new(ids, i % 2)).collect();
    let batches = vec![PackedBatch::new(&examples, 0); 2];
    let whole = StepInput::new(batches.clone());
    let half = StepInput::shared(batches, vec![0, 1], 0);
    let update = Update { learning_rate: 1e-3, max_grad_norm: 1.0 };
    let options =
        StepOptions { seed: 1, number: 1, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update };
    let model = without_dropout()?;
    for ((name, mut alone), (_, mut shared)) in engines(&model)?.into_iter().zip(engines(&model)?) {
        // Engines may share the model's memory, and a step changes it.
        let weights = model.parameters().flat().copy()?.to_vec1::<f32>()?;
        alone.begin_training(SETTINGS, false)?;
        alone.step(&whole, &options)?;
        let (expected, gradients) = (alone.step_metrics()?, alone.gradients()?);
        crate::core::ops::cpu::overwrite(model.parameters().flat(), &weights)?;
        shared.reload()?;
        shared.join(Arc::new(Twice))?;
        shared.begin_training(SETTINGS, false)?;
        shared.step(&half, &options)?;
        let (metrics, sums) = (shared.step_metrics()?, shared.gradients()?);
        crate::core::ops::cpu::overwrite(model.parameters().flat(), &weights)?;
        assert!((metrics.loss - expected.loss).abs() < 1e-5, "{name}: {metrics:?} {expected:?}");
        let norms = (metrics.grad_norm, expected.grad_norm);
        assert!((norms.0 - norms.1).abs() < 1e-4 * norms.1, "{name}: {norms:?}");
        assert_eq!(metrics.predicted, expected.predicted, "{name}");
        let differs = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-4 * b.abs().max(1e-2);
        assert!(!sums.iter().zip(&gradients).any(differs), "{name}");
    }
    Ok(())
}

/// Three batches, and the options of a step on them.
pub(super) fn three_batches() -> (Vec<PackedBatch>, StepOptions) {
    let batch = |ids: &[u32], label| PackedBatch::new(&[Example::new(ids.to_vec(), label)], 0);
    let batches = vec![batch(&[2, 7, 9, 3], 1), batch(&[2, 11, 3], 0), batch(&[2, 5, 7, 21, 3], 1)];
    let update = Update { learning_rate: 1e-3, max_grad_norm: 1.0 };
    let options =
        StepOptions { seed: 1, number: 1, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update };
    (batches, options)
}

/// The gradients of a step on a part of the batches.
pub(super) fn part(
    engine: &mut dyn Engine,
    input: &StepInput,
    options: &StepOptions,
) -> anyhow::Result<Vec<f32>> {
    engine.begin_training(SETTINGS, false)?;
    engine.step(input, options)?;
    Ok(engine.gradients()?)
}

#[test]
fn sums_during_the_backward_pass_are_those_after_it_bit_for_bit() -> anyhow::Result<()> {
    // The last rank has nothing to compute, and the first accumulates.
    let ((batches, options), owners) = (three_batches(), vec![0, 1, 0]);
    let count = engines(&without_dropout()?)?.len();
    for index in 0..count {
        let engine = || -> anyhow::Result<(&'static str, Box<dyn Engine>)> {
            // Each with weights of its own.
            let engine = engines(&without_dropout()?)?.into_iter().nth(index);
            engine.ok_or_else(|| anyhow::anyhow!("there is no such engine"))
        };
        let parts = [0, 1].map(|rank| -> anyhow::Result<_> {
            let input = StepInput::shared(batches.clone(), owners.clone(), rank);
            part(&mut *engine()?.1, &input, &options)
        });
        let [first, second] = parts;
        let expected: Vec<f32> = first?.iter().zip(second?).map(|(a, b)| a + b).collect();
        let sums = on_ranks(3, |ranks| {
            let input = StepInput::shared(batches.clone(), owners.clone(), ranks.rank());
            let (name, mut engine) = engine()?;
            engine.join(Arc::new(ranks))?;
            Ok((name, part(&mut *engine, &input, &options)?))
        })?;
        for (name, sums) in sums {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            // Zero plus minus zero is zero.
            let zero = |values: &[f32]| values.iter().map(|v| v + 0.0).collect::<Vec<_>>();
            assert_eq!(bits(&zero(&sums)), bits(&zero(&expected)), "{name}");
        }
    }
    Ok(())
}

/// One of two equal ranks, which notes how many values are added up and holds the sums up until the
/// backward pass has ended.
struct Noted(Arc<Mutex<Vec<usize>>>);

impl Collective for Noted {
    fn rank(&self) -> usize {
        0
    }

    fn world_size(&self) -> usize {
        2
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        self.0.lock().map_err(|_| CollectiveError::Join("a lock".to_owned()))?.push(values.len());
        Twice.all_reduce_sum(values)
    }

    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
        Single.broadcast_bytes(bytes)
    }

    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        Twice.all_gather_bytes(bytes)
    }

    fn failure(&self) -> Option<CollectiveError> {
        None
    }

    fn fail(&self, _: &str) {}
}

#[test]
fn each_layer_is_a_bucket_that_is_sent_before_the_layer_below_is_computed() -> anyhow::Result<()> {
    let model = without_dropout()?;
    let (batches, options) = three_batches();
    let input = StepInput::shared(batches[..2].to_vec(), vec![0, 1], 0);
    let noted = Arc::new(Mutex::new(Vec::new()));
    let threads = EngineOptions { threads: 1, ..EngineOptions::default() };
    let mut engine = build(&model, &threads)?;
    engine.join(Arc::new(Noted(Arc::clone(&noted))))?;
    engine.begin_training(SETTINGS, false)?;
    // The interruptions of the backward pass: eight times in each of two layers, at last before its sum
    // starts, and after the embeddings.
    let mut begun = Vec::new();
    engine.interruptible_step(&input, &options, &mut |_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        begun.push(noted.lock().map_or(0, |noted| noted.len()));
    })?;
    let expected = [[0; 1 + 12].as_slice(), &[0; 8], &[1; 8], &[2]].concat();
    assert_eq!(begun, expected, "embeddings, two layers forward, two layers backward, embeddings");
    let layout = model.layout();
    let top = layout.len() - layout.layer_range(1).start;
    let embeddings = layout.first_parameter() - layout.tables.vocabulary * layout.tables.width;
    let rows = input.distinct_tokens.len() * layout.tables.width;
    let lengths = noted.lock().map(|noted| noted.clone()).unwrap_or_default();
    assert_eq!(lengths, [top, layout.layer_range(0).len(), embeddings, rows]);
    let timings = engine.timings().unwrap_or_default();
    assert!(timings.exchange > 0.0 && timings.waited > 0.0, "{timings:?}");
    Ok(())
}
