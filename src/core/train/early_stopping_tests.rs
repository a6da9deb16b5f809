//! Tests of runs that end early, and of their checkpoints.

use super::*;
use crate::core::train::event::Finished;

/// A run whose metric never improves by enough after the first evaluation. It is evaluated every 4
/// steps and saved every 3 steps.
fn never_improving(patience: u64) -> anyhow::Result<TrainingArguments> {
    arguments(|arguments| {
        arguments.eval_strategy = EvalStrategy::Steps;
        arguments.metric_for_best_model = Some("loss".to_owned());
        arguments.early_stopping_patience = patience;
        arguments.early_stopping_threshold = 10.0;
        arguments.save_total_limit = None;
    })
}

fn run(
    folder: &Folder,
    arguments: &TrainingArguments,
    collector: &mut EventCollector,
    resume: Option<&Path>,
) -> anyhow::Result<(Finished, TrainerState, Vec<u32>)> {
    let resume = resume.map(Checkpoint::read).transpose()?;
    let weights = match &resume {
        Some(checkpoint) => Weights::open(&checkpoint.folder, Architecture::Bert)?,
        None => Weights::none(),
    };
    let (model, _) = SequenceClassifier::new(config()?, weights, arguments.seed)?;
    let (train, eval) = (examples(60), examples(20));
    let mut engine = build(&model, &EngineOptions::default())?;
    let checkpoints = folder.checkpoints(arguments);
    let outcome = Trainer::new(&model, arguments, &train, &eval)
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), collector, resume.as_ref())?;
    Ok((outcome.finished, outcome.state, bits(&model)?))
}

fn counter(state: &TrainerState) -> serde_json::Value {
    let callback = &state.stateful_callbacks["EarlyStoppingCallback"];
    callback["attributes"]["early_stopping_patience_counter"].clone()
}

#[test]
fn a_run_without_an_improvement_ends_as_finished() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let arguments = never_improving(3)?;
    let mut collector = EventCollector::default();
    let (finished, state, _) = run(&folder, &arguments, &mut collector, None)?;
    // The first evaluation is that of step 4.
    assert_eq!((finished.global_step, finished.stopped), (16, false));
    let early = finished.early_stopping.ok_or_else(|| anyhow::anyhow!("no reason"))?;
    assert_eq!((early.metric.as_str(), early.evaluations), ("eval_loss", 3));
    assert_eq!(early.best_metric, state.best_metric);
    assert_eq!(early.best_step, state.best_global_step);
    assert_eq!(counter(&state), 3);
    assert_eq!(state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"], true);
    assert_eq!(folder.steps(), [3, 6, 9, 12, 15], "no checkpoint is due at its end");
    let evaluations = collector.events.iter().filter(|e| matches!(e, TrainEvent::Evaluated(_)));
    assert_eq!(evaluations.count(), 4, "the last step is evaluated once");
    for (step, expected) in [(3, 0), (6, 0), (9, 1), (12, 2), (15, 2)] {
        let checkpoint = Checkpoint::read(&folder.0.path().join(format!("checkpoint-{step}")))?;
        assert_eq!(counter(&checkpoint.state), expected, "step {step}");
    }
    Ok(())
}

#[test]
fn a_resumed_run_continues_the_count() -> anyhow::Result<()> {
    let whole = Folder::new()?;
    let arguments = never_improving(3)?;
    let (expected, _, weights) = run(&whole, &arguments, &mut EventCollector::default(), None)?;
    for stop_at in [5, 12, 13] {
        let parts = Folder::new()?;
        let mut first = EventCollector { stop_at: Some(stop_at), ..EventCollector::default() };
        let (stopped, _, _) = run(&parts, &arguments, &mut first, None)?;
        assert!(stopped.stopped && stopped.early_stopping.is_none());
        let checkpoint = parts.0.path().join(format!("checkpoint-{stop_at}"));
        let mut second = EventCollector::default();
        let (finished, _, ours) = run(&parts, &arguments, &mut second, Some(&checkpoint))?;
        assert_eq!(finished.early_stopping, expected.early_stopping, "stopped at {stop_at}");
        assert_eq!((finished.global_step, finished.stopped), (16, false));
        assert!(ours == weights, "stopped at {stop_at}");
    }
    Ok(())
}

#[test]
fn a_larger_patience_continues_a_run_that_ended_early() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let with_saves = |patience| -> anyhow::Result<TrainingArguments> {
        Ok(TrainingArguments { save_steps: StepInterval::new(4.0), ..never_improving(patience)? })
    };
    run(&folder, &with_saves(2)?, &mut EventCollector::default(), None)?;
    assert_eq!(folder.steps(), [4, 8, 12], "the last step was due for a checkpoint");
    let last = folder.0.path().join("checkpoint-12");
    let mut nothing = EventCollector::default();
    let (again, ..) = run(&folder, &with_saves(2)?, &mut nothing, Some(&last))?;
    assert_eq!(again.global_step, 12);
    assert!(again.early_stopping.is_some());
    assert!(!nothing.events.iter().any(|event| matches!(event, TrainEvent::Step(_))));
    let mut more = EventCollector::default();
    let (further, ..) = run(&folder, &with_saves(4)?, &mut more, Some(&last))?;
    assert_eq!(further.global_step, 20);
    assert_eq!(further.early_stopping.map(|early| early.evaluations), Some(4));
    let (rest, ..) = run(&folder, &with_saves(0)?, &mut EventCollector::default(), Some(&last))?;
    assert_eq!((rest.global_step, rest.early_stopping), (24, None));
    Ok(())
}

#[test]
fn early_stopping_at_the_last_step_is_an_ordinary_end() -> anyhow::Result<()> {
    let arguments = TrainingArguments { max_steps: Some(12), ..never_improving(2)? };
    let mut collector = EventCollector::default();
    let (finished, ..) = run(&Folder::new()?, &arguments, &mut collector, None)?;
    assert_eq!((finished.global_step, finished.early_stopping), (12, None));
    Ok(())
}

#[test]
fn what_early_stopping_needs_is_named() -> anyhow::Result<()> {
    let message = |arguments: TrainingArguments| {
        arguments.check().map_or_else(|error| error.0, |()| String::new())
    };
    let valid = never_improving(2)?;
    assert_eq!(message(valid.clone()), "");
    let without = TrainingArguments { metric_for_best_model: None, ..valid.clone() };
    assert!(message(without).contains("needs --metric-for-best-model"));
    let without = TrainingArguments { eval_strategy: EvalStrategy::No, ..valid };
    assert!(message(without).contains("needs an --eval-strategy other than no"));
    Ok(())
}
