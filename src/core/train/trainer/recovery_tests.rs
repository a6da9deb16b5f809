//! Runs whose steps fail: with values that are not finite, or without memory.

use super::*;
use crate::core::collective::{Collective, Single};
use crate::core::data::batching::PackedBatch;
use crate::core::engine::{
    Engine, EngineError, EngineOptions, EngineResult, OptimizerOptions, StepInput, StepOptions,
    StepTimings, build,
};
use crate::core::model::SequenceClassifier;
use crate::core::model::fixtures::small_model;
use crate::core::ops::OUT_OF_MEMORY;
use crate::core::ops::backend::{Moments, StepMetrics};
use crate::core::train::arguments::{StartingWeights, StepInterval, TrainingArguments};
use crate::core::train::checkpoint::Checkpoints;
use crate::core::train::event::Step;
use crate::core::train::schedule::SchedulerType;
use crate::core::train::trainer::TrainingOutcome;
use crate::core::train::trainer::tests::{EventCollector, arguments, examples};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// An engine whose steps fail under conditions.
struct FaultyEngine {
    inner: Box<dyn Engine>,
    /// Whether the loss of a step, by its number and its learning rate, is NaN.
    is_nan: Box<dyn Fn(u64, f64) -> bool + Send>,
    /// The most examples of a batch for which there is memory.
    memory: usize,
    /// Whether the loss of the last step is NaN.
    failed: bool,
}

impl Engine for FaultyEngine {
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>> {
        self.inner.logits(batch)
    }

    fn begin_training_with(&mut self, options: &OptimizerOptions) -> EngineResult<()> {
        self.inner.begin_training_with(options)
    }

    fn join(&mut self, collective: Arc<dyn Collective>) -> EngineResult<Option<String>> {
        self.inner.join(collective)
    }

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        if input.batches.iter().any(|batch| batch.batch_size() > self.memory) {
            return Err(EngineError(format!("{OUT_OF_MEMORY}: 9 MiB more are needed")));
        }
        self.failed = (self.is_nan)(options.number, options.update.learning_rate);
        // As in a real engine, nothing is updated if the loss is not finite.
        if self.failed { Ok(()) } else { self.inner.step(input, options) }
    }

    fn step_metrics(&mut self) -> EngineResult<StepMetrics> {
        if self.failed {
            return Ok(StepMetrics { loss: f64::NAN, grad_norm: 1.0, ..StepMetrics::default() });
        }
        self.inner.step_metrics()
    }

    fn gradients(&mut self) -> EngineResult<Vec<f32>> {
        self.inner.gradients()
    }

    fn store(&mut self) -> EngineResult<()> {
        self.inner.store()
    }

    fn reload(&mut self) -> EngineResult<()> {
        self.inner.reload()
    }

    fn moments(&mut self) -> EngineResult<Moments> {
        self.inner.moments()
    }

    fn restore(&mut self, moments: Moments) -> EngineResult<()> {
        self.inner.restore(moments)
    }

    fn measure_parts(&mut self, measure: bool) {
        self.inner.measure_parts(measure);
    }

    fn timings(&self) -> Option<StepTimings> {
        self.inner.timings()
    }

    fn matmul_rate(&mut self) -> EngineResult<Option<f64>> {
        self.inner.matmul_rate()
    }

    fn peak_memory(&self) -> Option<usize> {
        self.inner.peak_memory()
    }

    fn device(&self) -> String {
        self.inner.device()
    }

    fn note(&self) -> Option<&str> {
        self.inner.note()
    }
}

/// A small model without dropout, whose masks differ between parts of a batch.
fn tiny() -> anyhow::Result<SequenceClassifier> {
    let values = [
        ("vocab_size", json!(50)),
        ("hidden_size", json!(24)),
        ("intermediate_size", json!(48)),
        ("num_hidden_layers", json!(1)),
        ("hidden_dropout_prob", json!(0.0)),
        ("attention_probs_dropout_prob", json!(0.0)),
    ];
    small_model(values, 7)
}

/// 12 steps of 16 examples at a constant rate, with a checkpoint every third step.
fn twelve_steps(change: impl FnOnce(&mut TrainingArguments)) -> TrainingArguments {
    arguments(|arguments| {
        arguments.max_steps = Some(12);
        arguments.lr_scheduler_type = SchedulerType::Constant;
        arguments.save_steps = StepInterval::new(3.0);
        arguments.logging_steps = StepInterval::new(4.0);
        arguments.save_total_limit = None;
        arguments.nan_policy = NanPolicy::Rollback;
        change(arguments);
    })
}

struct Outcome {
    events: Vec<TrainEvent>,
    result: Result<TrainingOutcome, TrainError>,
    weights: Vec<f32>,
}

impl Outcome {
    fn steps(&self) -> Vec<&Step> {
        let events = self.events.iter();
        events.filter_map(|e| if let TrainEvent::Step(s) = e { Some(s) } else { None }).collect()
    }

    fn numbers(&self) -> Vec<u64> {
        self.steps().iter().map(|step| step.step).collect()
    }

    fn rollbacks(&self) -> Vec<&RolledBack> {
        let events = self.events.iter();
        let of =
            events.map(|e| if let TrainEvent::RolledBack(back) = e { Some(back) } else { None });
        of.flatten().collect()
    }

    fn warnings(&self) -> Vec<&str> {
        let events = self.events.iter();
        let of =
            events.map(|e| if let TrainEvent::Warned(w) = e { Some(&*w.message) } else { None });
        of.flatten().collect()
    }
}

/// Runs in a folder, from a checkpoint in it if `resume` names one.
fn run(
    folder: &Path,
    arguments: &TrainingArguments,
    is_nan: impl Fn(u64, f64) -> bool + Send + 'static,
    memory: usize,
    resume: Option<u64>,
) -> anyhow::Result<Outcome> {
    run_rank(folder, arguments, is_nan, memory, (resume, Arc::new(Single)))
}

/// As [`run`], as one of these ranks.
fn run_rank(
    folder: &Path,
    arguments: &TrainingArguments,
    is_nan: impl Fn(u64, f64) -> bool + Send + 'static,
    memory: usize,
    (resume, collective): (Option<u64>, Arc<dyn Collective>),
) -> anyhow::Result<Outcome> {
    let model = tiny()?;
    let (train, eval) = (examples(100, 1), examples(20, 2));
    let checkpoints = Checkpoints {
        output_dir: folder.to_path_buf(),
        tokenizer: Vec::new(),
        save_total_limit: arguments.save_total_limit,
        save_only_model: false,
        starting_weights: StartingWeights::Random,
        logging_dir: None,
        options: BTreeMap::new(),
    };
    let checkpoint = resume.map(|step| Checkpoint::read(&checkpoints.folder(step))).transpose()?;
    if let Some(checkpoint) = &checkpoint {
        load_weights(&checkpoint.folder, &model)?;
    }
    let inner = build(&model, &EngineOptions::default())?;
    let mut engine = FaultyEngine { inner, is_nan: Box::new(is_nan), memory, failed: false };
    let mut collector = EventCollector::default();
    let writes = collective.rank() == 0;
    let mut trainer = Trainer::new(&model, arguments, &train, &eval).with_collective(collective);
    if writes {
        trainer = trainer.with_checkpoints(&checkpoints);
    }
    let result = trainer.run(&mut engine, &mut collector, checkpoint.as_ref());
    let mut weights = Vec::new();
    for (_, var) in model.parameters().iter() {
        weights.extend(var.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(Outcome { events: collector.events, result, weights })
}

#[test]
fn a_run_goes_back_to_a_checkpoint_and_continues_with_half_the_rate() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|_| {});
    let is_nan = |number, rate| number == 8 && rate > 2e-3;
    let outcome = run(folder.path(), &arguments, is_nan, 99, None)?;
    let finished = outcome.result.as_ref().map(|outcome| outcome.finished.clone());
    let finished = finished.map_err(|error| anyhow::anyhow!("{error}"))?;
    assert_eq!((finished.global_step, finished.stopped), (12, false));
    assert_eq!(outcome.numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 7, 8, 9, 10, 11, 12]);
    let [back] = outcome.rollbacks()[..] else { anyhow::bail!("not one rollback") };
    assert_eq!((back.step, back.failed_step, back.count, back.limit), (6, 8, 1, 3));
    let rates: Vec<f64> = outcome.steps().iter().map(|step| step.learning_rate).collect();
    assert!(rates[..8].iter().all(|rate| *rate == 3e-3) && rates[8..].iter().all(|r| *r == 1.5e-3));
    // The log has one entry for each interval, and the sum of losses one loss for each step.
    let logged = outcome.result?.state.log_history;
    let logged: Vec<_> = logged.iter().filter(|entry| entry.contains_key("loss")).collect();
    assert_eq!(logged.iter().map(|entry| &entry["step"]).collect::<Vec<_>>(), [4, 8, 12]);

    // The checkpoint has the new rate: a run that is resumed from it ends with the same weights.
    let resumed = run(folder.path(), &arguments, |_, _| false, 99, Some(6))?;
    assert_eq!(resumed.numbers(), [7, 8, 9, 10, 11, 12]);
    assert!(resumed.weights == outcome.weights);
    let state = Checkpoint::read(&folder.path().join("checkpoint-12"))?;
    assert_eq!((state.run.progress.rollbacks, state.run.progress.rate_factor), (1, 0.5));
    Ok(())
}

#[test]
fn the_checkpoint_of_the_step_before_is_not_tried() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|arguments| arguments.ema_decay = 0.9);
    let is_nan = |number, rate| number == 7 && rate > 1e-3;
    let outcome = run(folder.path(), &arguments, is_nan, 99, None)?;
    let steps: Vec<_> = outcome.rollbacks().iter().map(|back| (back.step, back.count)).collect();
    assert_eq!(steps, [(3, 1), (3, 2)]);
    assert!(outcome.result.is_ok());
    let resumed = run(folder.path(), &arguments, |_, _| false, 99, Some(3))?;
    assert!(resumed.weights == outcome.weights, "the average of the weights is restored too");
    Ok(())
}

#[test]
fn a_run_gives_up_with_the_reason() -> anyhow::Result<()> {
    let message = |outcome: &Outcome| outcome.result.as_ref().err().map(ToString::to_string);
    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|arguments| arguments.nan_rollbacks = 2);
    let outcome = run(folder.path(), &arguments, |number, _| number == 8, 99, None)?;
    assert_eq!(outcome.rollbacks().len(), 2);
    let expected = "the loss is NaN at step 8; the run went back to a checkpoint 2 times before, the \
                    most that --nan-rollbacks allows";
    assert_eq!(message(&outcome).as_deref(), Some(expected));
    let hint = outcome.result.as_ref().err().and_then(TrainError::hint);
    assert!(hint.is_some_and(|hint| hint.contains("--learning-rate")));

    let folder = tempfile::tempdir()?;
    let outcome = run(folder.path(), &arguments, |number, _| number == 4, 99, None)?;
    let text = message(&outcome).unwrap_or_default();
    assert!(
        text.ends_with("there is no whole checkpoint two steps or more before it to go back to"),
        "{text}"
    );

    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|arguments| arguments.nan_policy = NanPolicy::Stop);
    let outcome = run(folder.path(), &arguments, |number, _| number == 8, 99, None)?;
    assert_eq!(message(&outcome).as_deref(), Some("the loss is NaN at step 8"));
    Ok(())
}

#[test]
fn a_batch_without_memory_is_computed_in_parts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|arguments| arguments.auto_find_batch_size = true);
    let whole = run(folder.path(), &arguments, |_, _| false, 99, None)?;
    let folder = tempfile::tempdir()?;
    let parts = run(folder.path(), &arguments, |_, _| false, 5, None)?;
    assert!(parts.result.is_ok());
    assert_eq!(parts.numbers(), (1..=12).collect::<Vec<_>>());
    for (whole, parts) in whole.steps().iter().zip(parts.steps()) {
        assert_eq!((whole.samples, whole.tokens), (parts.samples, parts.tokens));
        assert!((whole.loss - parts.loss).abs() < 1e-5, "{whole:?} {parts:?}");
    }
    let warnings = parts.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[1].contains("batches of 16 are computed in 4 parts of up to 4 texts from step 1")
    );
    // A resumed run begins with the parts.
    let resumed = run(folder.path(), &arguments, |_, _| false, 5, Some(6))?;
    assert_eq!(resumed.warnings(), [""; 0]);
    assert!(resumed.weights == parts.weights);
    Ok(())
}

#[test]
fn memory_that_is_not_enough_for_one_text_ends_the_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = twelve_steps(|arguments| arguments.auto_find_batch_size = true);
    let outcome = run(folder.path(), &arguments, |_, _| false, 0, None)?;
    assert!(matches!(outcome.result, Err(TrainError::OutOfMemory(_))));
    assert_eq!(outcome.warnings().len(), 4);

    let arguments = twelve_steps(|_| {});
    let outcome = run(folder.path(), &arguments, |_, _| false, 5, None)?;
    let Err(error @ TrainError::OutOfMemory(_)) = outcome.result else {
        anyhow::bail!("the run did not fail")
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("--auto-find-batch-size")));
    Ok(())
}

#[path = "rank_recovery_tests.rs"]
mod ranks;
