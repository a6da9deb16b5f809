//! Tests of commands to runs that write checkpoints.

use super::*;
use crate::core::train::event::{CommandApplied, CommandEffect, Started, Step};
use crate::core::train::log_history::StepLogger;

/// Arguments of a run of 24 steps, 8 per epoch.
fn settings() -> anyhow::Result<TrainingArguments> {
    arguments(|arguments| arguments.save_total_limit = None)
}

fn with_commands(commands: &[(usize, Command)]) -> EventCollector {
    EventCollector { commands: commands.iter().cloned().collect(), ..EventCollector::default() }
}

fn steps(collector: &EventCollector) -> Vec<&Step> {
    let events = collector.events.iter();
    events.filter_map(|e| if let TrainEvent::Step(step) = e { Some(step) } else { None }).collect()
}

fn applied(collector: &EventCollector) -> Vec<&CommandApplied> {
    let events = collector.events.iter();
    let applied =
        events.map(|e| if let TrainEvent::CommandApplied(e) = e { Some(e) } else { None });
    applied.flatten().collect()
}

#[test]
fn pauses_evaluations_and_checkpoints_do_not_change_the_run() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (plain, commanded) = (Folder::new()?, Folder::new()?);
    let mut uninterrupted = EventCollector::default();
    let (expected, _) = plain.train(&arguments, &mut uninterrupted, None)?;
    let sentence = || "재미있다".to_owned();
    let mut collector = with_commands(&[
        (0, Command::Evaluate),
        (3, Command::Pause),
        (3, Command::Pause),
        (3, Command::Evaluate),
        (3, Command::Evaluate),
        (3, Command::Pin { text: sentence() }),
        (3, Command::Evaluate),
        (3, Command::Unpin { text: sentence() }),
        // The step has a checkpoint by its number.
        (3, Command::SaveCheckpoint),
        (3, Command::Resume),
        (3, Command::Resume),
        (5, Command::StopAfterEpoch { enabled: true }),
        (6, Command::StopAfterEpoch { enabled: false }),
        (11, Command::SaveCheckpoint),
    ]);
    let (weights, _) = commanded.train(&arguments, &mut collector, None)?;
    assert!(weights == expected, "the parameters differ");
    let losses = |collector: &EventCollector| -> Vec<u64> {
        steps(collector).iter().map(|step| step.loss.to_bits()).collect()
    };
    assert_eq!(losses(&collector), losses(&uninterrupted));
    let effects: Vec<(u64, CommandEffect)> =
        applied(&collector).iter().map(|applied| (applied.step, applied.effect.clone())).collect();
    assert!(matches!(effects[8], (3, CommandEffect::Resumed { seconds }) if seconds >= 0.0));
    let others: Vec<_> = effects
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != 8)
        .map(|(_, effect)| effect.clone())
        .collect();
    assert_eq!(
        others,
        [
            (0, CommandEffect::EvaluationRequested),
            (3, CommandEffect::Paused),
            (3, CommandEffect::EvaluationRequested),
            (3, CommandEffect::AlreadyEvaluated),
            (3, CommandEffect::SentencePinned { text: sentence() }),
            (3, CommandEffect::EvaluationRequested),
            (3, CommandEffect::SentenceUnpinned { text: sentence() }),
            (3, CommandEffect::AlreadySaved),
            (5, CommandEffect::StopAfterEpoch { enabled: true }),
            (6, CommandEffect::StopAfterEpoch { enabled: false }),
            (11, CommandEffect::CheckpointRequested),
        ]
    );
    let saved = commanded.steps();
    assert!(saved.contains(&3) && saved.contains(&11), "{saved:?}");
    Ok(())
}

#[test]
fn a_pause_does_not_count_as_training() -> anyhow::Result<()> {
    struct Slow(EventCollector);
    impl Observer for Slow {
        fn publish(&mut self, event: TrainEvent) {
            self.0.publish(event);
        }
        fn next_command(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Command> {
            if paused {
                std::thread::sleep(std::time::Duration::from_millis(1500));
            }
            self.0.next_command(engine, paused)
        }
    }
    let arguments = settings()?;
    let folder = Folder::new()?;
    let mut observer = Slow(with_commands(&[(4, Command::Pause), (4, Command::Resume)]));
    let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
    let (train, eval, checkpoints) = (examples(60), examples(20), folder.checkpoints(&arguments));
    let mut engine = build(&model, &EngineOptions::default())?;
    let outcome = Trainer::new(&model, &arguments, &train, &eval)
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), &mut observer, None)?;
    let waited = applied(&observer.0).iter().find_map(|applied| match applied.effect {
        CommandEffect::Resumed { seconds } => Some(seconds),
        _ => None,
    });
    assert!(waited.is_some_and(|seconds| seconds >= 1.5), "{waited:?}");
    let around: Vec<f64> = steps(&observer.0)[3..5].iter().map(|step| step.elapsed).collect();
    assert!(around[1] - around[0] < 1.0, "{around:?}");
    assert!(outcome.finished.metrics.train_runtime >= around[1]);
    Ok(())
}

#[test]
fn a_changed_rate_scales_the_schedule_and_is_restored_on_resume() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (whole, parts) = (Folder::new()?, Folder::new()?);
    let change = [(6, Command::SetLearningRate { rate: 1e-3 })];
    let mut uncut = with_commands(&change);
    let (expected, _) = whole.train(&arguments, &mut uncut, None)?;
    let mut uninterrupted = EventCollector::default();
    let (other, _) = Folder::new()?.train(&arguments, &mut uninterrupted, None)?;
    assert!(expected != other, "the rate had no effect");
    let rates = |collector: &EventCollector| -> Vec<f64> {
        steps(collector).iter().map(|step| step.learning_rate).collect()
    };
    let (changed, scheduled) = (rates(&uncut), rates(&uninterrupted));
    assert_eq!(changed[..6], scheduled[..6]);
    assert!((changed[6] - 1e-3).abs() < 1e-12);
    let at_change = scheduled[6];
    for (changed, scheduled) in changed[6..].iter().zip(&scheduled[6..]) {
        // The ratios are equal; multiplied out because the last rate may be zero.
        assert!((changed * at_change - 1e-3 * scheduled).abs() < 1e-12);
    }
    let applied = applied(&uncut);
    assert_eq!(applied.len(), 1);
    assert_eq!(
        applied[0].effect,
        CommandEffect::LearningRateChanged { from: scheduled[6], to: 1e-3 }
    );

    let mut first = EventCollector { stop_at: Some(10), ..with_commands(&change) };
    parts.train(&arguments, &mut first, None)?;
    let checkpoint = parts.0.path().join("checkpoint-10");
    let (weights, _) =
        parts.train(&arguments, &mut EventCollector::default(), Some(&checkpoint))?;
    assert!(weights == expected, "the parameters differ after resuming");
    Ok(())
}

#[test]
fn an_invalid_rate_is_rejected_and_a_rate_during_warmup_sets_the_peak() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        arguments.save_total_limit = None;
        arguments.warmup_steps = 4.0;
    })?;
    let refused = [f64::NAN, f64::INFINITY, 0.0, -1.0, 1.5]
        .map(|rate| (0, Command::SetLearningRate { rate }));
    let mut collector = with_commands(&refused);
    let folder = Folder::new()?;
    let (weights, _) = folder.train(&arguments, &mut collector, None)?;
    let (expected, _) = Folder::new()?.train(&arguments, &mut EventCollector::default(), None)?;
    assert!(weights == expected);
    let warnings = collector.events.iter().filter(|event| matches!(event, TrainEvent::Warned(_)));
    assert_eq!(warnings.count(), refused.len());

    let mut collector = with_commands(&[(0, Command::SetLearningRate { rate: 1e-3 })]);
    Folder::new()?.train(&arguments, &mut collector, None)?;
    let rates: Vec<f64> = steps(&collector).iter().map(|step| step.learning_rate).collect();
    assert_eq!(rates[0], 0.0, "a warm-up must start at zero");
    assert!((rates[4] - 1e-3).abs() < 1e-12, "{rates:?}");
    Ok(())
}

#[test]
fn a_stop_after_the_epoch_evaluates_and_saves() -> anyhow::Result<()> {
    let arguments = settings()?;
    let folder = Folder::new()?;
    let mut collector = with_commands(&[(3, Command::StopAfterEpoch { enabled: true })]);
    folder.train(&arguments, &mut collector, None)?;
    assert_eq!(steps(&collector).len(), 8);
    let evaluations =
        collector.events.iter().filter(|event| matches!(event, TrainEvent::Evaluated(_)));
    assert_eq!(evaluations.count(), 1);
    assert!(folder.steps().contains(&8), "{:?}", folder.steps());
    Ok(())
}

#[test]
fn a_rate_changed_after_a_checkpoint_is_saved_in_a_new_checkpoint() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (whole, parts) = (Folder::new()?, Folder::new()?);
    let change = (8, Command::SetLearningRate { rate: 1e-3 });
    let (expected, _) =
        whole.train(&arguments, &mut with_commands(std::slice::from_ref(&change)), None)?;
    let mut cut = with_commands(&[
        (8, Command::SaveCheckpoint),
        change,
        (8, Command::Stop { evaluate: false }),
    ]);
    parts.train(&arguments, &mut cut, None)?;
    let checkpoint = parts.0.path().join("checkpoint-8");
    let (weights, _) =
        parts.train(&arguments, &mut EventCollector::default(), Some(&checkpoint))?;
    assert!(weights == expected, "the parameters differ after resuming");
    Ok(())
}

#[test]
fn a_requested_evaluation_never_counts_as_the_best() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        arguments.save_total_limit = None;
    })?;
    let (plain, commanded) = (Folder::new()?, Folder::new()?);
    let (expected, state) = plain.train(&arguments, &mut EventCollector::default(), None)?;
    let every_step: Vec<_> = (1..24).map(|step| (step, Command::Evaluate)).collect();
    let (weights, interrupted) =
        commanded.train(&arguments, &mut with_commands(&every_step), None)?;
    assert!(weights == expected, "the parameters differ");
    assert_eq!(interrupted.best_global_step, state.best_global_step);
    Ok(())
}

#[test]
fn commands_during_an_evaluation_are_applied_after_it_and_a_stop_ends_it() -> anyhow::Result<()> {
    /// Returns its commands one by one once the evaluation at step 8 has started.
    struct DuringEvaluation(EventCollector, Vec<Command>);
    impl Observer for DuringEvaluation {
        fn publish(&mut self, event: TrainEvent) {
            self.0.publish(event);
        }
        fn next_command(&mut self, _: &mut dyn Engine, _: bool) -> Option<Command> {
            let begun = |event: &TrainEvent| matches!(event, TrainEvent::EvaluationProgress(_));
            (self.0.events.iter().any(begun) && !self.1.is_empty()).then(|| self.1.remove(0))
        }
    }
    let arguments = settings()?;
    for (stop, evaluations) in [(false, 0), (true, 1)] {
        let folder = Folder::new()?;
        let commands = vec![
            Command::StopAfterEpoch { enabled: true },
            Command::SaveModel,
            Command::Stop { evaluate: stop },
        ];
        let mut observer = DuringEvaluation(EventCollector::default(), commands);
        let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
        let (train, eval) = (examples(60), examples(20));
        let checkpoints = folder.checkpoints(&arguments);
        let mut engine = build(&model, &EngineOptions::default())?;
        let outcome = Trainer::new(&model, &arguments, &train, &eval)
            .with_checkpoints(&checkpoints)
            .run(engine.as_mut(), &mut observer, None)?;
        assert_eq!((outcome.finished.global_step, outcome.finished.stopped), (8, true));
        let events = &observer.0.events;
        let complete = events.iter().filter(|event| matches!(event, TrainEvent::Evaluated(_)));
        assert_eq!(complete.count(), evaluations);
        assert!(applied(&observer.0).is_empty(), "the stop must precede the pending commands");
    }
    let mut observer = DuringEvaluation(
        EventCollector::default(),
        vec![Command::StopAfterEpoch { enabled: true }],
    );
    let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
    let (train, eval) = (examples(60), examples(20));
    let mut engine = build(&model, &EngineOptions::default())?;
    let trainer = Trainer::new(&model, &arguments, &train, &eval);
    let outcome = trainer.run(engine.as_mut(), &mut observer, None)?;
    assert_eq!(outcome.finished.global_step, 16, "the command must be applied after step 8");
    Ok(())
}

#[test]
fn log_entries_computed_from_steps_equal_those_of_the_trainer() -> anyhow::Result<()> {
    let arguments = settings()?;
    let mut collector = EventCollector::default();
    let (_, state) = Folder::new()?.train(&arguments, &mut collector, None)?;
    let mut logger = StepLogger::default();
    let started = Started { logging_steps: 4, ..crate::core::train::fixtures::started() };
    logger.push(&TrainEvent::Started(started));
    let made: Vec<_> = collector.events.iter().filter_map(|event| logger.push(event)).collect();
    let published = collector.events.iter().filter_map(|event| match event {
        TrainEvent::Logged(logged) => Some(logged),
        _ => None,
    });
    let training: Vec<_> =
        published.clone().filter(|log| log.training().is_some()).cloned().collect();
    assert_eq!(made, training);
    assert_eq!(made.len(), 6);
    let history: Vec<_> = published.map(|logged| logged.entry.clone()).collect();
    assert_eq!(history, state.log_history);
    Ok(())
}
