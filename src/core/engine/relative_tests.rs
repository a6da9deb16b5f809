//! Models with relative positions: numbers that depend on nothing but the texts and the weights.

use super::tests::{NO_UPDATE, SETTINGS, compare, engines, step};
use super::*;
use crate::core::data::batching::Example;
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use serde_json::{Value, json};

fn options(threads: usize) -> EngineOptions {
    EngineOptions { threads, device: DeviceChoice::Cpu, ..EngineOptions::default() }
}

/// A small model with dropout whose distances share buckets.
fn model(shares_keys: bool) -> anyhow::Result<SequenceClassifier> {
    let values: [(&'static str, Value); 13] = [
        ("model_type", json!("deberta-v2")),
        ("vocab_size", json!(60)),
        ("hidden_size", json!(64)),
        ("num_attention_heads", json!(4)),
        ("intermediate_size", json!(96)),
        ("num_hidden_layers", json!(2)),
        ("initializer_range", json!(0.1)),
        ("relative_attention", json!(true)),
        ("pos_att_type", json!("p2c|c2p")),
        ("position_buckets", json!(12)),
        ("max_relative_positions", json!(50)),
        ("share_att_key", json!(shares_keys)),
        ("position_biased_input", json!(false)),
    ];
    small_model(values, 3)
}

/// Batches of more sequences than parts of a sum, of different lengths.
fn batches() -> Vec<PackedBatch> {
    let example = |batch: u32, row: u32| {
        let length = 1 + (7 * row + 13 * batch) % 61;
        let ids = (0..length).map(|i| 4 + (5 * i + 3 * row + batch) % 50).collect();
        Example::new(ids, row % 2)
    };
    let of =
        |batch| PackedBatch::new(&(0..37).map(|row| example(batch, row)).collect::<Vec<_>>(), 0);
    (0..3).map(of).collect()
}

#[test]
fn threads_and_gradient_checkpointing_do_not_change_any_bit() -> anyhow::Result<()> {
    let mut ends = Vec::new();
    for (threads, gradient_checkpointing) in [(1, false), (3, false), (2, true)] {
        let model = model(true)?;
        let options = EngineOptions { gradient_checkpointing, ..options(threads) };
        let mut engine = build(&model, &options)?;
        engine.begin_training(SETTINGS, true)?;
        for (number, batch) in (1..).zip(batches()) {
            let update = Update { learning_rate: 1e-2, max_grad_norm: 1.0 };
            engine.step(&StepInput::new(vec![batch]), &step(number, update))?;
        }
        let logits = engine.logits(&batches()[0])?;
        engine.store()?;
        let weights = model.parameters().flat().to_vec1::<f32>()?;
        let bits = logits.into_iter().chain(weights).map(f32::to_bits);
        ends.push(bits.collect::<Vec<u32>>());
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
    Ok(())
}

#[test]
fn micro_batches_add_up_to_the_whole_batch() -> anyhow::Result<()> {
    for shares_keys in [true, false] {
        let model = super::tests::without_dropout(&model(shares_keys)?)?;
        let examples: Vec<Example> = batches()[1]
            .sequences()
            .zip(0..9)
            .map(|(ids, row)| Example::new(ids.to_vec(), row % 2))
            .collect();
        let of = |examples: &[Example]| PackedBatch::new(examples, 0);
        for (name, mut engine) in engines(&model)? {
            engine.begin_training(SETTINGS, false)?;
            engine.step(&StepInput::new(vec![of(&examples)]), &step(1, NO_UPDATE))?;
            let together = engine.gradients()?;
            // The parts have sequences of other lengths, and so use other rows of the table.
            let parts = [&examples[..2], &examples[2..3], &examples[3..]].map(of);
            engine.step(&StepInput::new(parts.into()), &step(1, NO_UPDATE))?;
            let (difference, size) = compare(&engine.gradients()?, &together);
            assert!(difference < 1e-5 * size.max(1.0), "{name}: {difference} of {size}");
        }
    }
    Ok(())
}

#[test]
fn logits_do_not_depend_on_padding_or_other_sequences() -> anyhow::Result<()> {
    let model = model(false)?;
    let batch = &batches()[2];
    for (name, mut engine) in engines(&model)? {
        let together = engine.logits(batch)?;
        for (row, (ids, expected)) in batch.sequences().zip(together.chunks(2)).enumerate().take(8)
        {
            let example = Example::new(ids.to_vec(), 0);
            let alone = engine.logits(&PackedBatch::new(&[example], 80))?;
            assert!(compare(&alone, expected).0 < 1e-5, "{name}, {row}");
        }
    }
    Ok(())
}

#[test]
fn int8_and_bfloat16_are_close_to_float32() -> anyhow::Result<()> {
    let model = model(true)?;
    let batch = &batches()[0];
    let expected = build(&model, &options(2))?.logits(batch)?;
    for changed in [
        EngineOptions { int8: true, ..options(2) },
        EngineOptions { bf16: Bf16::True, ..options(2) },
    ] {
        let (difference, size) = compare(&build(&model, &changed)?.logits(batch)?, &expected);
        assert!(difference < 0.05 * size, "{changed:?}: {difference} of {size}");
    }
    Ok(())
}
