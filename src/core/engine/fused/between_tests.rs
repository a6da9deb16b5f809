use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::{EngineOptions, OptimizerOptions, StepInput, StepOptions, build};
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::Update;

fn model() -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", 40),
        ("hidden_size", 24),
        ("num_attention_heads", 2),
        ("intermediate_size", 32),
        ("num_hidden_layers", 3),
    ];
    small_model(values, 3)
}

/// The tokens of a step are few of the vocabulary, so that the rows of others have pending updates.
fn input(step: u32) -> StepInput {
    let batch = |micro: u32| {
        let example = |row: u32| {
            let ids = (0..5).map(|i| (row * 7 + i * 3 + step * 5 + micro) % 40).collect();
            Example::new(ids, (row + step) % 2)
        };
        PackedBatch::new(&(0..2).map(example).collect::<Vec<_>>(), 0)
    };
    StepInput::new(vec![batch(0), batch(1)])
}

fn question() -> PackedBatch {
    let texts = [vec![1, 9, 17, 39, 2], vec![3, 9, 5]];
    let examples: Vec<Example> = texts.map(|ids| Example::new(ids, 0)).to_vec();
    PackedBatch::new(&examples, 0)
}

/// The weights after a few steps, and the logits before each step, computed between steps or within
/// them.
fn train(
    checkpointing: bool,
    ema_decay: f64,
    asks_within: bool,
) -> anyhow::Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let model = model()?;
    let options = EngineOptions { gradient_checkpointing: checkpointing, ..Default::default() };
    let mut engine = build(&model, &options)?;
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    engine.begin_training_with(&OptimizerOptions {
        ema_decay,
        ..OptimizerOptions::new(settings, false)
    })?;
    let (mut answers, question) = (Vec::new(), question());
    for step in 0..6u32 {
        let update = Update { learning_rate: 1e-2, max_grad_norm: 1.0 };
        let (seed, number) = (1, u64::from(step) + 1);
        let options =
            StepOptions { seed, number, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update };
        if asks_within {
            let mut within = Vec::new();
            engine.interruptible_step(&input(step), &options, &mut |logits| {
                within.push(logits(&question));
            })?;
            let within = within.into_iter().collect::<Result<Vec<_>, _>>()?;
            // Before and after six parts of three layers forward, eight backward and the recomputed
            // activations, of two micro-batches.
            assert_eq!(within.len(), 2 * (2 + 3 * (6 + 8 + usize::from(checkpointing))));
            assert!(within.iter().all(|logits| *logits == within[0]), "they are the same");
            answers.push(within[0].clone());
        } else {
            answers.push(engine.logits(&question)?);
            engine.step(&input(step), &options)?;
        }
        engine.step_metrics()?;
    }
    engine.store()?;
    Ok((model.parameters().flat().to_vec1::<f32>()?, answers))
}

#[test]
fn questions_within_a_step_are_answered_as_before_it_and_change_nothing() -> anyhow::Result<()> {
    for (checkpointing, ema_decay) in [(false, 0.0), (true, 0.0), (false, 0.9)] {
        let (weights, answers) = train(checkpointing, ema_decay, false)?;
        let (interrupted, within) = train(checkpointing, ema_decay, true)?;
        assert_eq!(answers, within);
        assert!(weights == interrupted, "the weights differ");
    }
    Ok(())
}

#[test]
fn a_question_that_cannot_be_answered_does_not_fail_the_step() -> anyhow::Result<()> {
    let model = model()?;
    let mut engine = build(&model, &EngineOptions::default())?;
    let settings = AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    engine.begin_training_with(&OptimizerOptions::new(settings, false))?;
    let update = Update { learning_rate: 1e-2, max_grad_norm: 1.0 };
    let options =
        StepOptions { seed: 1, number: 1, label_smoothing_factor: 0.0, rdrop_alpha: 0.0, update };
    let outside = PackedBatch::new(&[Example::new(vec![1, 40], 0)], 0);
    let mut failures = 0;
    engine.interruptible_step(&input(0), &options, &mut |logits| {
        failures += usize::from(logits(&outside).is_err());
    })?;
    assert_eq!(failures, 2 * (2 + 3 * (6 + 8)), "at each interruption");
    assert!(engine.step_metrics()?.loss.is_finite());
    Ok(())
}

#[test]
fn questions_within_a_batch_of_an_evaluation_change_nothing() -> anyhow::Result<()> {
    let model = model()?;
    let mut engine = build(&model, &EngineOptions::default())?;
    let (question, batch) = (question(), input(3).own().next().map(|(_, batch)| batch.clone()));
    let batch = batch.unwrap_or_else(|| question.clone());
    let (expected, answer) = (engine.logits(&batch)?, engine.logits(&question)?);
    let mut answers = Vec::new();
    let logits = engine.interruptible_logits(&batch, &mut |logits| {
        answers.push(logits(&question));
    })?;
    assert!(logits == expected, "{logits:?} {expected:?}");
    assert_eq!(answers.len(), 18, "six parts of three layers");
    for other in answers {
        assert!(other? == answer);
    }
    Ok(())
}
