//! Runs that are steered, with checkpoints.

use super::*;
use crate::core::train::event::Step;
use crate::core::train::steering::{Steered, Steering};

/// 24 steps, 8 an epoch.
fn settings() -> anyhow::Result<TrainingArguments> {
    arguments(|arguments| arguments.save_total_limit = None)
}

fn asking(asked: &[(usize, Request)]) -> Recorder {
    Recorder { asked: asked.iter().copied().collect(), ..Recorder::default() }
}

fn steps(recorder: &Recorder) -> Vec<&Step> {
    let events = recorder.events.iter();
    events.filter_map(|e| if let TrainEvent::Step(step) = e { Some(step) } else { None }).collect()
}

fn steered(recorder: &Recorder) -> Vec<&Steered> {
    let events = recorder.events.iter();
    events.filter_map(|e| if let TrainEvent::Steered(how) = e { Some(how) } else { None }).collect()
}

#[test]
fn waiting_judging_and_saving_change_nothing_else() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (plain, asked) = (Folder::new()?, Folder::new()?);
    let mut undisturbed = Recorder::default();
    let (expected, _) = plain.train(&arguments, &mut undisturbed, None)?;
    let mut recorder = asking(&[
        (0, Request::Evaluate),
        (3, Request::Pause),
        (3, Request::Pause),
        (3, Request::Evaluate),
        (3, Request::Save),
        (3, Request::Resume),
        (3, Request::Resume),
        (5, Request::StopAfterEpoch(true)),
        (6, Request::StopAfterEpoch(false)),
        (11, Request::Save),
    ]);
    let (weights, _) = asked.train(&arguments, &mut recorder, None)?;
    assert!(weights == expected, "the parameters differ");
    let losses = |recorder: &Recorder| -> Vec<u64> {
        steps(recorder).iter().map(|step| step.loss.to_bits()).collect()
    };
    assert_eq!(losses(&recorder), losses(&undisturbed));
    let hows: Vec<(u64, Steering)> =
        steered(&recorder).iter().map(|steered| (steered.step, steered.how)).collect();
    assert!(matches!(hows[4], (3, Steering::Resumed { seconds }) if seconds >= 0.0));
    let others: Vec<_> =
        hows.iter().enumerate().filter(|(i, _)| *i != 4).map(|(_, how)| *how).collect();
    assert_eq!(
        others,
        [
            (0, Steering::EvaluateRequested),
            (3, Steering::Paused),
            (3, Steering::EvaluateRequested),
            (3, Steering::SaveRequested),
            (5, Steering::StopAfterEpoch { asked: true }),
            (6, Steering::StopAfterEpoch { asked: false }),
            (11, Steering::SaveRequested),
        ]
    );
    let saved = asked.steps();
    assert!(saved.contains(&3) && saved.contains(&11), "{saved:?}");
    Ok(())
}

#[test]
fn a_pause_does_not_count_as_training() -> anyhow::Result<()> {
    struct Patient(Recorder);
    impl Observer for Patient {
        fn publish(&mut self, event: TrainEvent) {
            self.0.publish(event);
        }
        fn evaluating(&mut self, _: usize, _: usize) {}
        fn logged(&mut self, _: &LogEntry) {}
        fn saving(&mut self) {}
        fn between_batches(&mut self, _: &mut dyn Engine) -> Control {
            Control::Continue
        }
        fn request(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Request> {
            if paused {
                std::thread::sleep(std::time::Duration::from_millis(1500));
            }
            self.0.request(engine, paused)
        }
    }
    let arguments = settings()?;
    let folder = Folder::new()?;
    let mut observer = Patient(asking(&[(4, Request::Pause), (4, Request::Resume)]));
    let (model, _) = SequenceClassifier::new(config()?, Weights::none(), 1)?;
    let (train, eval, checkpoints) = (examples(60), examples(20), folder.checkpoints(&arguments));
    let mut engine = build(&model, &EngineOptions::default())?;
    let outcome = Trainer::new(&model, &arguments, &train, &eval)
        .with_checkpoints(&checkpoints)
        .run(engine.as_mut(), &mut observer, None)?;
    let waited = steered(&observer.0).iter().find_map(|steered| match steered.how {
        Steering::Resumed { seconds } => Some(seconds),
        _ => None,
    });
    assert!(waited.is_some_and(|seconds| seconds >= 1.5), "{waited:?}");
    let around: Vec<f64> = steps(&observer.0)[3..5].iter().map(|step| step.elapsed).collect();
    assert!(around[1] - around[0] < 1.0, "{around:?}");
    assert!(outcome.finished.metrics.train_runtime >= around[1]);
    Ok(())
}

#[test]
fn a_changed_rate_scales_the_schedule_and_outlives_a_resumption() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (whole, parts) = (Folder::new()?, Folder::new()?);
    let change = [(6, Request::LearningRate(1e-3))];
    let mut uncut = asking(&change);
    let (expected, _) = whole.train(&arguments, &mut uncut, None)?;
    let mut undisturbed = Recorder::default();
    let (other, _) = Folder::new()?.train(&arguments, &mut undisturbed, None)?;
    assert!(expected != other, "the rate had no effect");
    let rates = |recorder: &Recorder| -> Vec<f64> {
        steps(recorder).iter().map(|step| step.learning_rate).collect()
    };
    let (changed, scheduled) = (rates(&uncut), rates(&undisturbed));
    assert_eq!(changed[..6], scheduled[..6]);
    assert!((changed[6] - 1e-3).abs() < 1e-12);
    let at_change = scheduled[6];
    for (changed, scheduled) in changed[6..].iter().zip(&scheduled[6..]) {
        // Both in the same proportion, without dividing by a last rate that may be zero.
        assert!((changed * at_change - 1e-3 * scheduled).abs() < 1e-12);
    }
    let told = steered(&uncut);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].how, Steering::LearningRate { from: scheduled[6], to: 1e-3 });

    let mut first = Recorder { stop_at: Some(10), ..asking(&change) };
    parts.train(&arguments, &mut first, None)?;
    let checkpoint = parts.0.path().join("checkpoint-10");
    let (weights, _) = parts.train(&arguments, &mut Recorder::default(), Some(&checkpoint))?;
    assert!(weights == expected, "resumed, the parameters differ");
    Ok(())
}

#[test]
fn a_rate_that_is_none_is_refused_and_one_at_zero_is_the_highest() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        arguments.save_total_limit = None;
        arguments.warmup_steps = 4.0;
    })?;
    let refused =
        [f64::NAN, f64::INFINITY, 0.0, -1.0, 1.5].map(|rate| (0, Request::LearningRate(rate)));
    let mut recorder = asking(&refused);
    let folder = Folder::new()?;
    let (weights, _) = folder.train(&arguments, &mut recorder, None)?;
    let (expected, _) = Folder::new()?.train(&arguments, &mut Recorder::default(), None)?;
    assert!(weights == expected);
    let warnings = recorder.events.iter().filter(|event| matches!(event, TrainEvent::Warned(_)));
    assert_eq!(warnings.count(), refused.len());

    let mut recorder = asking(&[(0, Request::LearningRate(1e-3))]);
    Folder::new()?.train(&arguments, &mut recorder, None)?;
    let rates: Vec<f64> = steps(&recorder).iter().map(|step| step.learning_rate).collect();
    assert_eq!(rates[0], 0.0, "a warm-up still begins at zero");
    assert!((rates[4] - 1e-3).abs() < 1e-12, "{rates:?}");
    Ok(())
}

#[test]
fn it_stops_with_the_epoch_judged_and_saved() -> anyhow::Result<()> {
    let arguments = settings()?;
    let folder = Folder::new()?;
    let mut recorder = asking(&[(3, Request::StopAfterEpoch(true))]);
    folder.train(&arguments, &mut recorder, None)?;
    assert_eq!(steps(&recorder).len(), 8);
    let judged = recorder.events.iter().filter(|event| matches!(event, TrainEvent::Evaluated(_)));
    assert_eq!(judged.count(), 1);
    assert!(folder.steps().contains(&8), "{:?}", folder.steps());
    Ok(())
}

#[test]
fn a_rate_changed_after_its_step_was_saved_is_saved_too() -> anyhow::Result<()> {
    let arguments = settings()?;
    let (whole, parts) = (Folder::new()?, Folder::new()?);
    let change = (8, Request::LearningRate(1e-3));
    let (expected, _) = whole.train(&arguments, &mut asking(&[change]), None)?;
    let mut cut = asking(&[(8, Request::Save), change, (8, Request::Stop { evaluate: false })]);
    parts.train(&arguments, &mut cut, None)?;
    let checkpoint = parts.0.path().join("checkpoint-8");
    let (weights, _) = parts.train(&arguments, &mut Recorder::default(), Some(&checkpoint))?;
    assert!(weights == expected, "resumed, the parameters differ");
    Ok(())
}

#[test]
fn an_evaluation_asked_for_is_never_the_best() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        arguments.save_total_limit = None;
    })?;
    let (plain, asked) = (Folder::new()?, Folder::new()?);
    let (expected, state) = plain.train(&arguments, &mut Recorder::default(), None)?;
    let every_step: Vec<_> = (1..24).map(|step| (step, Request::Evaluate)).collect();
    let (weights, disturbed) = asked.train(&arguments, &mut asking(&every_step), None)?;
    assert!(weights == expected, "the parameters differ");
    assert_eq!(disturbed.best_global_step, state.best_global_step);
    Ok(())
}
