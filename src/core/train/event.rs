//! What a training run says of itself. A dashboard, a log and a JSON stream are all made from
//! these events and from nothing else.

use super::calibration::Calibration;
use super::metrics::Confusion;
use super::steering::Steered;
use serde::{Deserialize, Serialize};

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The data is read, the model stands, the first step is next.
    Started(Started),
    /// An optimizer step was taken.
    Step(Step),
    /// All training examples were seen once more.
    Epoch(Epoch),
    /// The model was judged on the evaluation examples.
    Evaluated(Evaluated),
    /// A checkpoint was written, from which the run can be resumed.
    Checkpoint(Saved),
    /// Something went wrong that the run survives.
    Warned(Warned),
    /// The user steered the run.
    Steered(Steered),
    /// The run has ended and gone back to its best model, which was judged so.
    BestLoaded(Evaluated),
    /// The model lies on disk.
    Saved(Saved),
    /// The run ended as it should, or was stopped on request.
    Finished(Finished),
    /// The run ended because something went wrong.
    Failed(Failed),
}

impl TrainEvent {
    /// When it happened, in seconds since training began, if it says so. (What is told of the best
    /// model was measured long before it was gone back to.)
    pub fn elapsed(&self) -> Option<f64> {
        match self {
            Self::Started(started) => Some(started.resumed_elapsed),
            Self::Step(step) => Some(step.elapsed),
            Self::Epoch(epoch) => Some(epoch.elapsed),
            Self::Evaluated(evaluated) => Some(evaluated.elapsed),
            Self::Steered(steered) => Some(steered.elapsed),
            Self::Finished(finished) => Some(finished.metrics.train_runtime),
            Self::BestLoaded(_)
            | Self::Checkpoint(_)
            | Self::Warned(_)
            | Self::Saved(_)
            | Self::Failed(_) => None,
        }
    }
}

/// What holds for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Which model is being trained.
    pub model: String,
    /// Its shape in a few words.
    pub architecture: String,
    /// How many trainable numbers it has.
    pub parameters: usize,
    /// The names of the classes, by number.
    pub labels: Vec<String>,
    /// How many examples are trained on.
    pub train_samples: usize,
    /// How many examples are evaluated on.
    pub eval_samples: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// Steps in the whole run, if nothing stops it.
    pub max_steps: u64,
    /// Epochs asked for.
    pub num_train_epochs: f64,
    /// Steps between two evaluations; none but the last if it is 0.
    pub eval_steps: u64,
    /// Steps between two checkpoints; none but the last if it is 0.
    #[serde(default)]
    pub save_steps: u64,
    /// Steps between two log lines.
    pub logging_steps: u64,
    /// Where the model will be saved.
    pub output_dir: String,
    /// Whether another model lies there, which saving replaces.
    pub replaces_model: bool,
    /// Every setting, by its Hugging Face name, with why it holds.
    pub settings: Vec<Setting>,
    /// Steps that were done before the run was resumed.
    pub resumed_at: u64,
    /// Seconds they had taken.
    pub resumed_elapsed: f64,
    /// Things worth knowing: rows skipped, parameters initialised.
    pub notes: Vec<String>,
}

/// One setting of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Hugging Face's name for it.
    pub name: String,
    /// Its value, as one would type it.
    pub value: String,
    /// Where the value comes from: a flag, the recipe, the model.
    pub why: String,
}

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Counted from 1.
    pub step: u64,
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// The batch's mean loss.
    #[serde(with = "number")]
    pub loss: f64,
    /// The norm of all gradients, before clipping.
    #[serde(with = "number")]
    pub grad_norm: f64,
    /// The rate this step used.
    pub learning_rate: f64,
    /// Examples in the batch.
    pub samples: usize,
    /// Tokens in the batch, padding left out.
    pub tokens: usize,
    /// Seconds since training began.
    pub elapsed: f64,
}

/// One pass over the training examples; scores are those of the predictions made while training,
/// as the tutorial's own loop counts them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// The mean loss of its steps.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Right predictions among its examples.
    pub train_accuracy: f64,
    /// F1 of class 1 among its examples.
    pub train_f1: f64,
    /// Seconds since training began.
    pub elapsed: f64,
}

/// The figures of an evaluation, by the names that `Trainer.evaluate()` gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss.
    #[serde(with = "number")]
    pub eval_loss: f64,
    /// The share of right predictions.
    pub eval_accuracy: f64,
    /// F1 of class 1.
    pub eval_f1: f64,
    /// Precision of class 1.
    pub eval_precision: f64,
    /// Recall of class 1.
    pub eval_recall: f64,
    /// `[true][predicted]`.
    pub eval_confusion: Confusion,
    /// How sure the predictions were against how right; empty in journals of earlier versions.
    #[serde(default)]
    pub eval_calibration: Calibration,
    /// How many examples were judged.
    pub eval_samples: u64,
    /// Seconds it took.
    pub eval_runtime: f64,
    /// Examples a second.
    pub eval_samples_per_second: f64,
}

impl Metrics {
    /// The figure of this name, with or without `eval_` before it, if there is one and it is
    /// finite.
    pub fn by_name(&self, name: &str) -> Option<f64> {
        let value = match name.strip_prefix("eval_").unwrap_or(name) {
            "loss" => self.eval_loss,
            "accuracy" => self.eval_accuracy,
            "f1" => self.eval_f1,
            "precision" => self.eval_precision,
            "recall" => self.eval_recall,
            _ => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: f64,
    /// Its figures.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Seconds since training began.
    pub elapsed: f64,
}

/// A model was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The folder.
    pub path: String,
    /// Steps done.
    pub step: u64,
    /// How long writing took.
    #[serde(default)]
    pub seconds: f64,
}

/// Something that went wrong and that the run survives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// What happened.
    pub message: String,
    /// Steps done.
    pub step: u64,
}

/// The end of a run: what transformers' `TrainOutput` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Steps done.
    pub global_step: u64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub training_loss: f64,
    /// Speed and size of the run.
    pub metrics: TrainMetrics,
    /// Whether it was stopped before its last step.
    pub stopped: bool,
}

/// `TrainOutput.metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// Seconds, evaluations included.
    pub train_runtime: f64,
    /// Examples a second.
    pub train_samples_per_second: f64,
    /// Steps a second.
    pub train_steps_per_second: f64,
    /// 6 × tokens, padding included, × parameters outside the embeddings.
    pub total_flos: f64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Epochs done.
    pub epoch: f64,
}

/// The end of a run that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What happened.
    pub message: String,
    /// What to do about it, where something is known.
    pub hint: Option<String>,
    /// Steps done.
    pub step: u64,
}

/// The losses of the steps in a history that came after its last log line.
pub fn untold_losses(history: &[TrainEvent], logging_steps: u64) -> impl Iterator<Item = f64> {
    let steps = |event: &TrainEvent| match event {
        TrainEvent::Step(step) => Some((step.step, step.loss)),
        _ => None,
    };
    let last = history.iter().filter_map(steps).next_back().map_or(0, |(step, _)| step);
    let told = last - last % logging_steps.max(1);
    history.iter().filter_map(steps).filter(move |(step, _)| *step > told).map(|(_, loss)| loss)
}

/// Numbers that may not be finite. JSON has no word for those; they are written as the strings
/// `"NaN"`, `"Infinity"` and `"-Infinity"`.
pub mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a number.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else {
            serializer.serialize_str(name(*value))
        }
    }

    fn name(value: f64) -> &'static str {
        if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    }

    /// Reads a number.
    ///
    /// # Errors
    /// If it is neither a number nor one of the three names.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Name(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(value) => Ok(value),
            Either::Name(name) => match name.as_str() {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(serde::de::Error::custom("not a number")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::calibration::Bin;

    #[test]
    fn a_loss_that_is_not_finite_survives_json() -> serde_json::Result<()> {
        let step = |loss| {
            TrainEvent::Step(Step {
                step: 3,
                epoch: 0.5,
                loss,
                grad_norm: 1.0,
                learning_rate: 1e-4,
                samples: 32,
                tokens: 700,
                elapsed: 1.5,
            })
        };
        let json = serde_json::to_string(&step(f64::NAN))?;
        assert!(json.starts_with(r#"{"event":"step","step":3,"#), "{json}");
        assert!(json.contains(r#""loss":"NaN""#), "{json}");
        let TrainEvent::Step(back) = serde_json::from_str(&json)? else {
            panic!("another event came back");
        };
        assert!(back.loss.is_nan());
        for loss in [0.25, f64::INFINITY, f64::NEG_INFINITY] {
            let json = serde_json::to_string(&step(loss))?;
            assert_eq!(serde_json::from_str::<TrainEvent>(&json)?, step(loss));
        }
        Ok(())
    }

    #[test]
    fn an_evaluation_of_an_earlier_version_is_read() -> serde_json::Result<()> {
        let old = r#"{"event": "evaluated", "step": 63, "epoch": 1.0, "eval_loss": 0.6,
            "eval_accuracy": 0.75, "eval_f1": 0.8, "eval_precision": 0.7, "eval_recall": 0.9,
            "eval_confusion": [[2, 1], [0, 1]], "eval_samples": 4, "eval_runtime": 1.5,
            "eval_samples_per_second": 2.7, "elapsed": 9.0}"#;
        let TrainEvent::Evaluated(mut evaluated) = serde_json::from_str(old)? else {
            panic!("another event came back");
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
}
