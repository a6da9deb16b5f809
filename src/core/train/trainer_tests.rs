//! Tests that train small models from start to end.

use super::*;
use crate::core::engine::{EngineOptions, build};
use crate::core::model::fixtures::small_config;
use crate::core::model::{ModelConfig, Weights};
use crate::core::train::arguments::{Recipe, StartingWeights};
use crate::core::train::command::Command;
use crate::core::train::event::Evaluated;
use serde_json::json;

/// A model small enough to train in a few seconds.
pub fn tiny(seed: u64) -> anyhow::Result<SequenceClassifier> {
    Ok(SequenceClassifier::new(tiny_config()?, Weights::none(), seed)?.0)
}

pub fn tiny_config() -> anyhow::Result<ModelConfig> {
    small_config([
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("intermediate_size", json!(48)),
        ("num_hidden_layers", json!(2)),
        ("initializer_range", json!(0.1)),
    ])
}

/// Random sequences labelled by whether they contain token 7.
pub fn examples(count: usize, salt: u64) -> Vec<Example> {
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
            Example::new(ids, label)
        })
        .collect()
}

#[derive(Default)]
pub struct EventCollector {
    pub events: Vec<TrainEvent>,
    /// A number of steps and the command to send once after them.
    pub stop: Option<(usize, Command)>,
}

impl Observer for EventCollector {
    fn publish(&mut self, event: TrainEvent) {
        self.events.push(event);
    }

    fn next_command(&mut self, _: &mut dyn Engine, _: bool) -> Option<Command> {
        let steps = self.steps().len();
        self.stop.take_if(|(after, _)| steps >= *after).map(|(_, command)| command)
    }
}

impl EventCollector {
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
        ..TrainingArguments::of_recipe(Recipe::Trainer, StartingWeights::Random)
    };
    change(&mut arguments);
    arguments
}

fn run(
    arguments: &TrainingArguments,
    collector: &mut EventCollector,
) -> anyhow::Result<(SequenceClassifier, Result<Finished, TrainError>)> {
    run_on(EngineOptions::default(), arguments, collector)
}

fn run_on(
    options: EngineOptions,
    arguments: &TrainingArguments,
    collector: &mut EventCollector,
) -> anyhow::Result<(SequenceClassifier, Result<Finished, TrainError>)> {
    let model = tiny(arguments.seed)?;
    let (train, eval) = (examples(200, 1), examples(80, 2));
    let mut engine = build(&model, &options)?;
    let trainer = Trainer::new(&model, arguments, &train, &eval);
    let finished = trainer.run(engine.as_mut(), collector, None);
    engine.store()?;
    Ok((model, finished.map(|outcome| outcome.finished)))
}

#[test]
fn a_model_learns_a_learnable_task() -> anyhow::Result<()> {
    let mut collector = EventCollector::default();
    let arguments = arguments(|_| {});
    let (_, finished) = run(&arguments, &mut collector)?;
    let finished = finished?;
    assert_eq!((finished.global_step, finished.stopped), (6 * 13, false));
    assert_eq!(collector.steps().len(), 78);
    let evaluations = collector.evaluations();
    assert_eq!(evaluations.len(), 6, "there must be one evaluation per epoch");
    let last = &evaluations[5].metrics;
    assert!(last.eval_accuracy > 0.9, "{last:?}");
    assert_eq!((last.eval_samples, last.eval_confusion.total()), (80, 80));
    let bins = &last.eval_calibration.bins;
    assert_eq!((bins.len(), last.eval_calibration.total()), (10, 80));
    let right: f64 = bins.iter().map(|bin| bin.count as f64 * bin.accuracy).sum();
    assert!((right / 80.0 - last.eval_accuracy).abs() < 1e-12);
    assert_eq!(
        bins[..5].iter().map(|bin| bin.count).sum::<u64>(),
        0,
        "one of two classes has at least 0.5"
    );
    let first = collector.steps()[0];
    assert!((first.loss - 0.69).abs() < 0.3 && first.learning_rate == 0.0);
    let tokens: usize = collector.steps().iter().take(13).map(|s| s.tokens).sum();
    let expected: usize = examples(200, 1).iter().map(|e| e.ids.len()).sum();
    assert_eq!(tokens, expected);
    let flos = finished.metrics.total_flos;
    assert!(flos > 6.0 * 6.0 * tokens as f64 * 10_000.0, "{flos}");
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| arguments.max_steps = Some(12));
    let bits = |threads| -> anyhow::Result<(Vec<u64>, Vec<u32>)> {
        let mut collector = EventCollector::default();
        let options = EngineOptions { threads, ..EngineOptions::default() };
        let (model, finished) = run_on(options, &arguments, &mut collector)?;
        finished?;
        let losses = collector.steps().iter().map(|s| s.loss.to_bits()).collect();
        let weights = model.parameters().flat().to_vec1::<f32>()?;
        Ok((losses, weights.into_iter().map(f32::to_bits).collect()))
    };
    let one = bits(1)?;
    assert!(one == bits(1)? && one == bits(2)? && one == bits(5)?);
    Ok(())
}

#[test]
fn a_different_seed_gives_different_losses() -> anyhow::Result<()> {
    let losses = |seed| -> anyhow::Result<Vec<f64>> {
        let mut collector = EventCollector::default();
        let arguments = arguments(|arguments| {
            arguments.max_steps = Some(3);
            (arguments.seed, arguments.data_seed) = (seed, seed);
        });
        run(&arguments, &mut collector)?.1?;
        Ok(collector.steps().iter().map(|s| s.loss).collect())
    };
    assert_ne!(losses(1)?, losses(2)?);
    Ok(())
}

#[test]
fn a_stop_ends_the_run_at_once_with_or_without_an_evaluation() -> anyhow::Result<()> {
    for (evaluate, expected) in [(false, 0), (true, 1)] {
        let mut collector = EventCollector {
            stop: Some((5, Command::Stop { evaluate })),
            ..EventCollector::default()
        };
        let (_, finished) = run(&arguments(|_| {}), &mut collector)?;
        let finished = finished?;
        assert_eq!((finished.global_step, finished.stopped), (5, true));
        assert_eq!(collector.evaluations().len(), expected);
    }
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_before_the_weights_change() -> anyhow::Result<()> {
    let mut collector = EventCollector::default();
    let arguments = arguments(|arguments| {
        arguments.learning_rate = 1e30;
        arguments.warmup_steps = 0.0;
    });
    let (model, finished) = run(&arguments, &mut collector)?;
    let Err(error @ TrainError::NotFinite { step, .. }) = finished else {
        anyhow::bail!("the run did not fail: {finished:?}");
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("--learning-rate")));
    let steps = collector.steps();
    assert_eq!(steps.len() as u64, step, "the failed step must be published");
    let last = steps[steps.len() - 1];
    assert!(!last.loss.is_finite() || !last.grad_norm.is_finite());
    for (name, var) in model.parameters().iter() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        assert!(values.iter().all(|v| v.is_finite()), "{name}");
    }
    Ok(())
}

#[test]
fn no_training_examples_are_an_error_and_no_evaluation_examples_are_not() -> anyhow::Result<()> {
    let (model, arguments) = (tiny(1)?, arguments(|arguments| arguments.max_steps = Some(2)));
    let mut collector = EventCollector::default();
    let mut engine = build(&model, &EngineOptions::default())?;
    let none =
        Trainer::new(&model, &arguments, &[], &[]).run(engine.as_mut(), &mut collector, None);
    assert!(matches!(none, Err(TrainError::NoExamples)));
    Trainer::new(&model, &arguments, &examples(20, 1), &[]).run(
        engine.as_mut(),
        &mut collector,
        None,
    )?;
    let metrics = &collector.evaluations()[0].metrics;
    assert_eq!((metrics.eval_samples, metrics.eval_loss), (0, 0.0));
    Ok(())
}

/// The emulated GPU returns the metrics of a step after the next step has started.
#[cfg(unix)]
#[test]
fn metrics_that_arrive_late_are_published_in_order() -> anyhow::Result<()> {
    use crate::core::engine::fused::FusedEngine;
    use crate::core::ops::cuda::emulator::{BEGIN_CAPTURE, Emulated, Fault};
    use crate::core::ops::cuda::{CudaBackend, Precision};

    // The graph of a step cannot be captured, after the check at the beginning.
    let mut probe = CudaBackend::new(Emulated::new(Precision::Full));
    probe.check_graphs()?;
    let after = probe.driver().launches(BEGIN_CAPTURE);
    let arguments = arguments(|arguments| {
        arguments.num_train_epochs = 2.0;
        arguments.per_device_train_batch_size = 4;
    });
    let (train, eval) = (examples(20, 1), examples(4, 2));
    let events = |gpu: bool| -> anyhow::Result<Vec<TrainEvent>> {
        let model = tiny(arguments.seed)?;
        let mut engine: Box<dyn Engine> = if gpu {
            let driver = Emulated::new(Precision::Full);
            let driver = driver.with_late_fault(BEGIN_CAPTURE, Fault::Rejected, after);
            let mut backend = CudaBackend::new(driver);
            assert_eq!(backend.check_graphs()?, None);
            Box::new(FusedEngine::new(backend, &model, false, "emulated".to_owned())?)
        } else {
            build(&model, &EngineOptions::default())?
        };
        let command = Some((3, Command::Evaluate));
        let mut collector = EventCollector { stop: command, ..EventCollector::default() };
        let trainer = Trainer::new(&model, &arguments, &train, &eval);
        trainer.run(engine.as_mut(), &mut collector, None)?;
        Ok(collector.events)
    };
    let steps = |events: &[TrainEvent]| -> Vec<(u64, f64, f64, f64)> {
        let step = |event: &TrainEvent| match event {
            TrainEvent::Step(s) => Some((s.step, s.learning_rate, s.loss, s.grad_norm)),
            _ => None,
        };
        events.iter().filter_map(step).collect()
    };
    let (cpu, gpu) = (events(false)?, events(true)?);
    let (cpu_steps, gpu_steps) = (steps(&cpu), steps(&gpu));
    assert_eq!(gpu_steps.len(), 10);
    let warnings = |events: &[TrainEvent]| -> Vec<String> {
        let warning = |event: &TrainEvent| match event {
            TrainEvent::Warned(warned) => Some(warned.message.clone()),
            _ => None,
        };
        events.iter().filter_map(warning).collect()
    };
    let warned = warnings(&gpu);
    assert!(warned.len() == 1 && warned[0].contains("CUDA graphs fail"), "{warned:?}");
    assert_eq!(warnings(&cpu), [""; 0]);
    for (cpu, gpu) in cpu_steps.iter().zip(&gpu_steps) {
        assert_eq!((cpu.0, cpu.1), (gpu.0, gpu.1));
        assert!((cpu.2 - gpu.2).abs() < 1e-3 && (cpu.3 - gpu.3).abs() < 1e-2, "{cpu:?} {gpu:?}");
    }
    // Epochs, evaluations and effects of commands are published after the steps they depend on.
    for events in [&cpu, &gpu] {
        let mut last = 0;
        for event in events {
            match event {
                TrainEvent::Step(step) => {
                    assert_eq!(step.step, last + 1);
                    last = step.step;
                }
                TrainEvent::Epoch(epoch) => assert_eq!(epoch.step, last),
                TrainEvent::Evaluated(evaluated) => assert_eq!(evaluated.step, last),
                TrainEvent::CommandApplied(applied) => assert_eq!(applied.step, last),
                _ => {}
            }
        }
    }
    Ok(())
}
