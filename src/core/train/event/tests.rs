//! Tests of events as JSON.

use super::*;
use crate::core::train::calibration::Bin;

#[test]
fn a_non_finite_loss_round_trips_through_json() -> serde_json::Result<()> {
    let step = |loss| {
        TrainEvent::Step(Step {
            step: 3,
            epoch: 0.5,
            loss,
            grad_norm: 1.0,
            learning_rate: 1e-4,
            parts: None,
            samples: 32,
            pseudo_labelled: None,
            tokens: 700,
            elapsed: 1.5,
        })
    };
    let json = serde_json::to_string(&step(f64::NAN))?;
    assert!(json.starts_with(r#"{"event":"step","step":3,"#), "{json}");
    assert!(json.contains(r#""loss":"NaN""#), "{json}");
    let TrainEvent::Step(back) = serde_json::from_str(&json)? else {
        panic!("decoded another event");
    };
    assert!(back.loss.is_nan());
    for loss in [0.25, f64::INFINITY, f64::NEG_INFINITY] {
        let json = serde_json::to_string(&step(loss))?;
        assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, step(loss));
    }
    Ok(())
}

#[test]
fn an_evaluation_from_an_earlier_version_can_be_read() -> serde_json::Result<()> {
    let old = r#"{"event": "evaluated", "step": 63, "epoch": 1.0, "eval_loss": 0.6,
        "eval_accuracy": 0.75, "eval_f1": 0.8, "eval_precision": 0.7, "eval_recall": 0.9,
        "eval_confusion": [[2, 1], [0, 1]], "eval_samples": 4, "eval_runtime": 1.5,
        "eval_samples_per_second": 2.7, "elapsed": 9.0}"#;
    let TrainEvent::Evaluated(mut evaluated) = serde_json::from_str(old)? else {
        panic!("decoded another event");
    };
    assert_eq!(evaluated.metrics.eval_calibration, Calibration::default());
    let bin = Bin { count: 4, confidence: 0.8, accuracy: 0.75 };
    evaluated.metrics.eval_calibration.bins.push(bin);
    let json = serde_json::to_string(&TrainEvent::Evaluated(evaluated.clone()))?;
    let bins = r#""eval_calibration":[{"count":4,"confidence":0.8,"accuracy":0.75}],"#;
    assert!(json.contains(bins), "{json}");
    assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, TrainEvent::Evaluated(evaluated));
    Ok(())
}

#[test]
fn a_rate_that_is_not_finite_is_written_and_an_old_null_is_read() -> serde_json::Result<()> {
    let mut evaluated = crate::core::train::fixtures::evaluated(63, 1.0, 0.75, 9.0);
    evaluated.metrics.eval_samples_per_second = f64::INFINITY;
    let event = TrainEvent::Evaluated(evaluated);
    let json = serde_json::to_string(&event)?;
    assert!(json.contains(r#""eval_samples_per_second":"Infinity""#), "{json}");
    assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, event);
    let old = json.replace(r#""Infinity""#, "null");
    let TrainEvent::Evaluated(read) = serde_json::from_str(&old)? else {
        panic!("decoded another event");
    };
    assert!(read.metrics.eval_samples_per_second.is_nan());
    Ok(())
}

#[test]
fn applied_commands_have_a_stable_json_format() -> serde_json::Result<()> {
    let (step, epoch, elapsed) = (7, 0.5, 1.25);
    let head = r#"{"event":"steered","step":7,"epoch":0.5,"elapsed":1.25,"steering":"#;
    for (effect, tail) in [
        (CommandEffect::Paused, r#""paused"}"#),
        (CommandEffect::Resumed { seconds: 2.0 }, r#""resumed","seconds":2.0}"#),
        (CommandEffect::CheckpointRequested, r#""save_requested"}"#),
        (CommandEffect::EvaluationRequested, r#""evaluate_requested"}"#),
        (CommandEffect::AlreadySaved, r#""already_saved"}"#),
        (CommandEffect::AlreadyEvaluated, r#""already_evaluated"}"#),
        (CommandEffect::StopAfterEpoch { enabled: true }, r#""stop_after_epoch","asked":true}"#),
        (
            CommandEffect::LearningRateChanged { from: 0.25, to: 0.5 },
            r#""learning_rate","from":0.25,"to":0.5}"#,
        ),
    ] {
        let event = TrainEvent::CommandApplied(CommandApplied { step, epoch, elapsed, effect });
        let json = serde_json::to_string(&event)?;
        assert_eq!(json, format!("{head}{tail}"));
        assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, event);
    }
    Ok(())
}

#[test]
fn a_log_entry_round_trips_through_json() -> serde_json::Result<()> {
    let step = crate::core::train::fixtures::step(50, 0.5, 6.25);
    let logged = Logged { elapsed: 6.25, entry: training_entry(&step, 0.625) };
    let event = TrainEvent::Logged(logged.clone());
    assert!(!event.is_journaled());
    let json = serde_json::to_string(&event)?;
    assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, event);
    let training = logged.training();
    assert_eq!(training.map(|log| (log.step, log.loss, log.grad_norm)), Some((50, 0.625, 1.25)));
    Ok(())
}
