//! The loss with weights, pseudo-labels and R-Drop's divergence: compared with PyTorch's, and by
//! `tests` with the CPU's.

use super::test_model::{Results, SETTINGS, TestModel, floats, of_lengths, put, random, send};
use crate::core::data::batching::{BatchRole, PackedBatch};
use crate::core::ops::backend::{Backend, CrossEntropy, Divergence, Update};
use candle_core::Result;

const CLASSES: usize = 3;

/// The logits of a batch, row-major, with its labels, weights and role.
struct LossBatch {
    logits: Vec<f32>,
    batch: PackedBatch,
    /// The factor of the divergences relative to that of the losses, for R-Drop.
    alpha: Option<f32>,
}

/// The loss of a step over these batches, and the gradients of the logits.
fn step<B: Backend>(backend: &B, scale: f32, batches: &[LossBatch]) -> Result<(f64, Vec<f32>)> {
    let model = TestModel::new(8, 4);
    let mut parameters = model.send(backend)?;
    let mut gradients = backend.gradients(&model.layout)?;
    let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
    backend.begin_step(&[], &mut parameters, &mut gradients, &mut optimizer)?;
    let mut all = Vec::new();
    for LossBatch { logits, batch, alpha } in batches {
        let sent = send(backend, batch)?;
        let values = put(backend, CLASSES, logits)?;
        let logits = floats(backend, CLASSES, batch.batch_size(), &values)?;
        let mut grad = B::Floats::default();
        backend.cross_entropy(CrossEntropy {
            classes: CLASSES,
            smoothing: 0.0,
            scale,
            batch: &sent,
            logits: &logits,
            grad: &mut grad,
            gradients: &mut gradients,
        })?;
        if let Some(alpha) = alpha {
            backend.divergence(Divergence {
                classes: CLASSES,
                scale: alpha * scale,
                batch: &sent,
                logits: &logits,
                grad: &mut grad,
                gradients: &mut gradients,
            })?;
        }
        all.extend(backend.read(&grad)?);
    }
    let update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };
    backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
    Ok((backend.step_metrics(&mut gradients)?.loss, all))
}

/// A batch of rows with one token each.
fn batch(labels: Vec<u32>, weights: Vec<f32>, role: BatchRole) -> PackedBatch {
    PackedBatch { labels, ..of_lengths(&vec![1; weights.len()]) }.weighted(weights, role)
}

pub(super) fn weighted_losses<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    // More rows than a block has threads.
    for pairs in [3, 300] {
        let rows = 2 * pairs;
        let labels = (0..rows as u32).map(|row| row % pairs as u32 % 3).collect();
        let weights = (0..rows).map(|row| 0.5 + (row % pairs % 5) as f32).collect();
        let twice = LossBatch {
            logits: random(rows * CLASSES, 2.0, 15),
            batch: batch(labels, weights, BatchRole::LabelledTwice),
            alpha: Some(0.7),
        };
        let pseudo = LossBatch {
            logits: random(pairs * CLASSES, 2.0, 16),
            batch: batch(vec![1; pairs], vec![0.3; pairs], BatchRole::PseudoLabelled),
            alpha: None,
        };
        let (loss, grad) = step(backend, 1.0 / rows as f32, &[twice, pseudo])?;
        results.push(("loss".into(), vec![loss as f32]));
        results.push(("grad".into(), grad));
    }
    Ok(results)
}

#[cfg(unix)]
#[test]
fn losses_and_gradients_equal_pytorchs() -> anyhow::Result<()> {
    use super::emulator::Emulated;
    use super::{CudaBackend, Precision};
    use crate::core::ops::Cpu;
    use serde_json::{Value, from_value};

    let reference: Value =
        serde_json::from_str(include_str!("../../../../tests/reference/losses.json"))?;
    let number = |name: &str| reference[name].as_f64().unwrap_or(f64::NAN);
    let labels: Vec<u32> = from_value(reference["labels"].clone())?;
    let class_weights: Vec<f32> = from_value(reference["class_weights"].clone())?;
    let weights: Vec<f32> = labels.iter().map(|&label| class_weights[label as usize]).collect();
    let alpha = Some(number("alpha") as f32);
    for case in reference["cases"].as_array().into_iter().flatten() {
        let name = case["name"].as_str().unwrap_or_default();
        let lists = |key: &str| -> anyhow::Result<Vec<Vec<Vec<f32>>>> {
            Ok(from_value(case[key].clone())?)
        };
        let logits: Vec<Vec<f32>> = lists("logits")?.iter().map(|rows| rows.concat()).collect();
        let expected = lists("gradients")?.concat().concat();
        let weights = || {
            if name.ends_with("class weights") { weights.clone() } else { vec![1.0; labels.len()] }
        };
        let total: f32 = weights().iter().sum();
        let twice = |values: Vec<f32>| values.repeat(2);
        let labelled = |role| batch(labels.clone(), weights(), role);
        let (total, batches) = match name {
            "class weights" => {
                let batch = labelled(BatchRole::Labelled);
                (total, vec![LossBatch { logits: logits.concat(), batch, alpha: None }])
            }
            "pseudo-labels" => {
                let pseudo: Vec<u32> = from_value(reference["pseudo_labels"].clone())?;
                let weight = number("pseudo_weight") / number("unlabelled") * f64::from(total);
                let weights = vec![weight as f32; pseudo.len()];
                let pseudo = batch(pseudo, weights, BatchRole::PseudoLabelled);
                let labelled = labelled(BatchRole::Labelled);
                let of = |index: usize, batch| LossBatch {
                    logits: logits[index].clone(),
                    batch,
                    alpha: None,
                };
                (total, vec![of(0, labelled), of(1, pseudo)])
            }
            _ => {
                let labels = labels.repeat(2);
                let batch = batch(labels, twice(weights()), BatchRole::LabelledTwice);
                (2.0 * total, vec![LossBatch { logits: logits.concat(), batch, alpha }])
            }
        };
        let on_cpu = step(&Cpu::new(1)?, 1.0 / total, &batches)?;
        let emulated = CudaBackend::new(Emulated::new(Precision::Full));
        let emulated = step(&emulated, 1.0 / total, &batches)?;
        for (device, (loss, gradients)) in [("CPU", on_cpu), ("CUDA", emulated)] {
            let difference = (loss - case["loss"].as_f64().unwrap_or(f64::NAN)).abs();
            assert!(difference < 1e-6, "{name}, {device}: the loss differs by {difference}");
            assert_eq!(gradients.len(), expected.len(), "{name}");
            let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
            for (ours, expected) in gradients.iter().zip(&expected) {
                let difference = (ours - expected).abs();
                assert!(difference < 1e-6 * largest.max(1.0), "{name}, {device}: {difference}");
            }
        }
    }
    Ok(())
}
