//! Whole small runs.

use super::*;
use crate::core::engine::{EngineOptions, build};
use crate::core::model::{ModelConfig, Weights};
use crate::core::train::arguments::Recipe;
use crate::core::train::event::Evaluated;
use crate::core::train::observer::TrainError;
use serde_json::json;
use std::path::Path;

/// A model small enough to train in a moment.
fn tiny(seed: u64) -> anyhow::Result<SequenceClassifier> {
    let overrides: Vec<_> = [
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("intermediate_size", json!(48)),
        ("num_hidden_layers", json!(2)),
        ("initializer_range", json!(0.1)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let text = crate::core::model::config::EMBEDDED;
    let config = ModelConfig::parse(text, Path::new("config.json"), &overrides)?;
    Ok(SequenceClassifier::new(config, Weights::none(), seed)?.0)
}

/// Sentences whose label is whether token 7 is among them.
fn examples(count: usize, salt: u64) -> Vec<Example> {
    let mut generator = crate::core::data::sampling::Generator::new(salt);
    (0..count)
        .map(|i| {
            let label = (i % 2) as u32;
            let length = 3 + generator.next_u32() % 12;
            let mut ids: Vec<u32> = (0..length).map(|_| 10 + generator.next_u32() % 40).collect();
            if label == 1 {
                ids[(generator.next_u32() % length) as usize] = 7;
            }
            ids.insert(0, 2);
            ids.push(3);
            Example { ids, label }
        })
        .collect()
}

#[derive(Default)]
struct Recorder {
    events: Vec<TrainEvent>,
    /// Stop at this many steps.
    stop: Option<(usize, Control)>,
}

impl Observer for Recorder {
    fn publish(&mut self, event: TrainEvent) {
        self.events.push(event);
    }

    fn evaluating(&mut self, _: usize, _: usize) {}

    fn logged(&mut self, _: &crate::core::train::trainer_state::LogEntry) {}

    fn saving(&mut self) {}

    fn between_batches(&mut self, _: &mut dyn Engine) -> Control {
        let steps = self.steps().len();
        match self.stop {
            Some((at, control)) if steps >= at => control,
            _ => Control::Continue,
        }
    }
}

impl Recorder {
    fn steps(&self) -> Vec<&Step> {
        let events = self.events.iter();
        events.filter_map(|e| if let TrainEvent::Step(s) = e { Some(s) } else { None }).collect()
    }

    fn evaluations(&self) -> Vec<&Evaluated> {
        let events = self.events.iter();
        let of = events.map(|e| if let TrainEvent::Evaluated(e) = e { Some(e) } else { None });
        of.flatten().collect()
    }
}

pub fn arguments(change: impl FnOnce(&mut TrainingArguments)) -> TrainingArguments {
    let mut arguments = TrainingArguments {
        num_train_epochs: 6.0,
        per_device_train_batch_size: 16,
        learning_rate: 3e-3,
        ..TrainingArguments::of_recipe(Recipe::Trainer, true)
    };
    change(&mut arguments);
    arguments
}

fn run(
    arguments: &TrainingArguments,
    recorder: &mut Recorder,
) -> anyhow::Result<(SequenceClassifier, Result<Finished, TrainError>)> {
    run_on(EngineOptions::default(), arguments, recorder)
}

fn run_on(
    options: EngineOptions,
    arguments: &TrainingArguments,
    recorder: &mut Recorder,
) -> anyhow::Result<(SequenceClassifier, Result<Finished, TrainError>)> {
    let model = tiny(arguments.seed)?;
    let (train, eval) = (examples(200, 1), examples(80, 2));
    let mut engine = build(&model, &options)?;
    let trainer = Trainer::new(&model, arguments, &train, &eval);
    let finished = trainer.run(engine.as_mut(), recorder, None);
    engine.store()?;
    Ok((model, finished.map(|outcome| outcome.finished)))
}

#[test]
fn it_learns_what_can_be_learned() -> anyhow::Result<()> {
    let mut recorder = Recorder::default();
    let arguments = arguments(|_| {});
    let (_, finished) = run(&arguments, &mut recorder)?;
    let finished = finished?;
    assert_eq!((finished.global_step, finished.stopped), (6 * 13, false));
    assert_eq!(recorder.steps().len(), 78);
    let evaluations = recorder.evaluations();
    assert_eq!(evaluations.len(), 6, "one an epoch, the last one being the end's");
    let last = &evaluations[5].metrics;
    assert!(last.eval_accuracy > 0.9, "{last:?}");
    assert_eq!((last.eval_samples, last.eval_confusion.total()), (80, 80));
    let bins = &last.eval_calibration.bins;
    assert_eq!((bins.len(), last.eval_calibration.total()), (10, 80));
    let right: f64 = bins.iter().map(|bin| bin.count as f64 * bin.accuracy).sum();
    assert!((right / 80.0 - last.eval_accuracy).abs() < 1e-12);
    assert_eq!(bins[..5].iter().map(|bin| bin.count).sum::<u64>(), 0, "of two classes one leads");
    let first = recorder.steps()[0];
    assert!((first.loss - 0.69).abs() < 0.3 && first.learning_rate == 0.0);
    let tokens: usize = recorder.steps().iter().take(13).map(|s| s.tokens).sum();
    let expected: usize = examples(200, 1).iter().map(|e| e.ids.len()).sum();
    assert_eq!(tokens, expected);
    let flos = finished.metrics.total_flos;
    assert!(flos > 6.0 * 6.0 * tokens as f64 * 10_000.0, "{flos}");
    Ok(())
}

#[test]
fn a_seed_repeats_bit_for_bit_on_any_number_of_threads() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| arguments.max_steps = Some(12));
    let bits = |threads| -> anyhow::Result<(Vec<u64>, Vec<u32>)> {
        let mut recorder = Recorder::default();
        let options = EngineOptions { threads, ..EngineOptions::default() };
        let (model, finished) = run_on(options, &arguments, &mut recorder)?;
        finished?;
        let losses = recorder.steps().iter().map(|s| s.loss.to_bits()).collect();
        let weights = model.parameters().flat().to_vec1::<f32>()?;
        Ok((losses, weights.into_iter().map(f32::to_bits).collect()))
    };
    let one = bits(1)?;
    assert!(one == bits(1)? && one == bits(2)? && one == bits(5)?);
    Ok(())
}

#[test]
fn another_seed_is_another_run() -> anyhow::Result<()> {
    let losses = |seed| -> anyhow::Result<Vec<f64>> {
        let mut recorder = Recorder::default();
        let arguments = arguments(|arguments| {
            arguments.max_steps = Some(3);
            (arguments.seed, arguments.data_seed) = (seed, seed);
        });
        run(&arguments, &mut recorder)?.1?;
        Ok(recorder.steps().iter().map(|s| s.loss).collect())
    };
    assert_ne!(losses(1)?, losses(2)?);
    Ok(())
}

#[test]
fn a_stop_is_obeyed_at_once_with_or_without_an_evaluation() -> anyhow::Result<()> {
    for (evaluate, expected) in [(false, 0), (true, 1)] {
        let mut recorder =
            Recorder { stop: Some((5, Control::Stop { evaluate })), ..Recorder::default() };
        let (_, finished) = run(&arguments(|_| {}), &mut recorder)?;
        let finished = finished?;
        assert_eq!((finished.global_step, finished.stopped), (5, true));
        assert_eq!(recorder.evaluations().len(), expected);
    }
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_stops_before_the_weights_are_ruined() -> anyhow::Result<()> {
    let mut recorder = Recorder::default();
    let arguments = arguments(|arguments| {
        arguments.learning_rate = 1e30;
        arguments.warmup_steps = 0.0;
    });
    let (model, finished) = run(&arguments, &mut recorder)?;
    let Err(error @ TrainError::NotFinite { step, .. }) = finished else {
        anyhow::bail!("the run went on: {finished:?}");
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("--learning-rate")));
    let steps = recorder.steps();
    assert_eq!(steps.len() as u64, step, "the bad step itself is shown");
    let shown = steps[steps.len() - 1];
    assert!(!shown.loss.is_finite() || !shown.grad_norm.is_finite());
    for (name, var) in model.parameters().iter() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        assert!(values.iter().all(|v| v.is_finite()), "{name}");
    }
    Ok(())
}

#[test]
fn nothing_to_train_on_is_an_error_and_nothing_to_judge_on_is_not() -> anyhow::Result<()> {
    let (model, arguments) = (tiny(1)?, arguments(|arguments| arguments.max_steps = Some(2)));
    let mut recorder = Recorder::default();
    let mut engine = build(&model, &EngineOptions::default())?;
    let none = Trainer::new(&model, &arguments, &[], &[]).run(engine.as_mut(), &mut recorder, None);
    assert!(matches!(none, Err(TrainError::NoExamples)));
    Trainer::new(&model, &arguments, &examples(20, 1), &[]).run(
        engine.as_mut(),
        &mut recorder,
        None,
    )?;
    let metrics = &recorder.evaluations()[0].metrics;
    assert_eq!((metrics.eval_samples, metrics.eval_loss), (0, 0.0));
    Ok(())
}
