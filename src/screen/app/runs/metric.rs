//! The metrics that runs are compared by.

use crate::run::metric_series::{Curve, History};
use crate::screen::app::panels::Panel;

/// A metric that runs are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunMetric {
    /// Training loss of each step, smoothed.
    #[default]
    Loss,
    /// Evaluation loss.
    EvalLoss,
    /// Evaluation accuracy.
    EvalAccuracy,
    /// Evaluation F1.
    EvalF1,
    /// Accuracy on the training data.
    TrainAccuracy,
    /// Learning rate of each step.
    LearningRate,
    /// Norm of the gradients, smoothed.
    GradNorm,
    /// Samples per second, smoothed.
    Throughput,
}

impl RunMetric {
    /// All metrics, in the order in which a key cycles through them.
    pub const ALL: [Self; 8] = [
        Self::Loss,
        Self::EvalLoss,
        Self::EvalAccuracy,
        Self::EvalF1,
        Self::TrainAccuracy,
        Self::LearningRate,
        Self::GradNorm,
        Self::Throughput,
    ];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "train loss",
            Self::EvalLoss => "eval loss",
            Self::EvalAccuracy => "eval accuracy",
            Self::EvalF1 => "eval F1",
            Self::TrainAccuracy => "train accuracy",
            Self::LearningRate => "learning rate",
            Self::GradNorm => "gradient norm",
            Self::Throughput => "samples/s",
        }
    }

    /// Its curve in the history of a run.
    pub fn curve(self, history: &History) -> &Curve {
        match self {
            Self::Loss => &history.loss,
            Self::EvalLoss => &history.eval_loss,
            Self::EvalAccuracy => &history.eval_accuracy,
            Self::EvalF1 => &history.eval_f1,
            Self::TrainAccuracy => &history.train_accuracy,
            Self::LearningRate => &history.learning_rate,
            Self::GradNorm => &history.grad_norm,
            Self::Throughput => &history.samples,
        }
    }

    /// Whether it is noisy and therefore smoothed.
    pub fn is_noisy(self) -> bool {
        matches!(self, Self::Loss | Self::GradNorm | Self::Throughput)
    }

    /// The panel whose y axis it shares.
    pub fn panel(self) -> Panel {
        match self {
            Self::Loss | Self::EvalLoss => Panel::Loss,
            Self::EvalAccuracy | Self::EvalF1 | Self::TrainAccuracy => Panel::Accuracy,
            Self::LearningRate => Panel::LearningRate,
            Self::GradNorm => Panel::GradNorm,
            Self::Throughput => Panel::Throughput,
        }
    }
}
