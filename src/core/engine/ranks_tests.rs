//! Every engine adds up the gradients of ranks as it does those of its own micro-batches.

use super::tests::{SETTINGS, engines};
use super::*;
use crate::core::collective::CollectiveError;
use crate::core::data::batching::Example;
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use serde_json::json;

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

fn without_dropout() -> anyhow::Result<SequenceClassifier> {
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
