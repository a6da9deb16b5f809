//! Synthetic events of a run, for tests.

use crate::core::train::calibration::{Calibration, Reliability};
use crate::core::train::event::{
    Epoch, Evaluated, Failed, Finished, Metrics, Saved, Setting, Started, Step, TrainEvent,
    TrainMetrics,
};
use crate::core::train::log_history::StepLogger;
use crate::core::train::metrics::Confusion;

pub fn started() -> Started {
    let setting = |name: &str, value: &str, reason: &str| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    Started {
        model: "embedded small Korean BERT".to_owned(),
        architecture: "BERT 4 layers × 192, 3 heads, 8000 pieces".to_owned(),
        parameters: 3_383_234,
        labels: vec!["negative".to_owned(), "positive".to_owned()],
        train_samples: 2000,
        eval_samples: 2000,
        steps_per_epoch: 63,
        max_steps: 630,
        num_train_epochs: 10.0,
        eval_steps: 63,
        save_steps: 50,
        logging_steps: 50,
        output_dir: "outputs".to_owned(),
        replaces_model: true,
        settings: vec![
            setting("recipe", "trainer", "default"),
            setting("num_train_epochs", "10", "tutorial"),
            setting("per_device_train_batch_size", "32", "tutorial"),
            setting("learning_rate", "3e-4", "random weights"),
            setting("lr_scheduler_type", "linear", "recipe trainer"),
            setting("seed", "7", "flag"),
        ],
        resumed_at: 0,
        resumed_elapsed: 0.0,
        notes: vec!["the model starts from random weights".to_owned()],
    }
}

pub fn step(step: u64, loss: f64, elapsed: f64) -> Step {
    Step {
        step,
        epoch: step as f64 / 63.0,
        loss,
        grad_norm: 1.25,
        learning_rate: 3e-4 * (1.0 - step as f64 / 630.0),
        parts: None,
        samples: 32,
        pseudo_labelled: None,
        tokens: 650,
        elapsed,
    }
}

pub fn evaluated(step: u64, epoch: f64, accuracy: f64, elapsed: f64) -> Evaluated {
    let right = (accuracy * 1000.0) as u64;
    Evaluated {
        step,
        epoch,
        metrics: Metrics {
            eval_loss: 1.2 - accuracy,
            eval_accuracy: accuracy,
            eval_f1: accuracy - 0.01,
            eval_precision: accuracy + 0.01,
            eval_recall: accuracy - 0.02,
            eval_confusion: Confusion {
                counts: vec![vec![right, 1000 - right], vec![1000 - right, right]],
            },
            perplexity: None,
            eval_generator_loss: None,
            eval_calibration: calibration(accuracy),
            eval_temperature: Some(1.25),
            eval_samples: 2000,
            eval_runtime: 2.0,
            eval_samples_per_second: 1000.0,
        },
        elapsed,
        probes: Vec::new(),
    }
}

/// The calibration of 2000 predictions of an overconfident model.
fn calibration(accuracy: f64) -> Calibration {
    let mut reliability = Reliability::default();
    for i in 0..2000u32 {
        // A Weyl sequence spreads the values; confident predictions are correct more often.
        let spread = (f64::from(i) * 0.618_034).fract();
        let right = (f64::from(i) * 0.414_214).fract() < accuracy - 0.2 + 0.35 * spread;
        reliability.add(1.0 - 0.499 * (1.0 - spread).powi(2), right);
    }
    reliability.calibration()
}

/// The journaled events of a run after `steps` steps.
pub fn run(steps: u64) -> Vec<TrainEvent> {
    let mut events = vec![TrainEvent::Started(started())];
    let mut elapsed = 0.0;
    for i in 1..=steps {
        elapsed += 0.125;
        // A decreasing curve with a periodic term, deterministic on every machine.
        let x = i as f64 / 630.0;
        let loss = 0.7 * (-2.5 * x).exp() + 0.06 * (i as f64 * 1.7).sin() + 0.06;
        events.push(TrainEvent::Step(step(i, loss, elapsed)));
        if i.is_multiple_of(63) {
            let epoch = i / 63;
            let share = epoch as f64 / 10.0;
            events.push(TrainEvent::Epoch(Epoch {
                epoch,
                step: i,
                train_loss: loss,
                train_accuracy: 0.5 + 0.49 * share,
                train_f1: 0.49 + 0.49 * share,
                elapsed,
            }));
            elapsed += 2.0;
            let accuracy = 0.76 - 0.25 * (-6.0 * share).exp();
            let result = evaluated(i, epoch as f64, accuracy, elapsed);
            events.push(TrainEvent::Evaluated(result));
        }
    }
    events
}

/// Adds the training log entries that the trainer publishes between the events.
pub fn with_log_entries(events: Vec<TrainEvent>) -> Vec<TrainEvent> {
    let mut logger = StepLogger::default();
    let with_entry = |event| {
        let logged = logger.push(&event).map(TrainEvent::Logged);
        std::iter::once(event).chain(logged)
    };
    events.into_iter().flat_map(with_entry).collect()
}

/// The final events of [`run`].
pub fn ending() -> Vec<TrainEvent> {
    vec![
        TrainEvent::Saved(Saved { path: "outputs".to_owned(), step: 630, seconds: 0.1 }),
        TrainEvent::Finished(Finished {
            global_step: 630,
            training_loss: 0.3012,
            metrics: TrainMetrics {
                train_runtime: 98.75,
                train_samples_per_second: 202.5,
                train_steps_per_second: 6.38,
                total_flos: 5.09e12,
                train_loss: 0.3012,
                epoch: 10.0,
            },
            stopped: false,
            early_stopping: None,
        }),
    ]
}

pub fn failure() -> TrainEvent {
    TrainEvent::Failed(Failed {
        message: "the loss is NaN at step 101".to_owned(),
        hint: Some("Try a lower --learning-rate.".to_owned()),
        step: 100,
    })
}
