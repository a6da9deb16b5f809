//! The figures that runs are compared by.

use crate::run::metric_series::{Curve, History};
use crate::screen::app::panels::Panel;

/// A figure that runs are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Figure {
    /// Loss of the training steps, smoothed.
    #[default]
    Loss,
    /// Loss of the evaluations.
    EvalLoss,
    /// Accuracy of the evaluations.
    EvalAccuracy,
    /// F1 of the evaluations.
    EvalF1,
    /// Accuracy while training.
    TrainAccuracy,
    /// The rate each step used.
    LearningRate,
    /// The norm of the gradients, smoothed.
    GradNorm,
    /// Samples a second, smoothed.
    Throughput,
}

impl Figure {
    /// All of them, in the order in which a key goes through them.
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

    /// Its curve in a run.
    pub fn of(self, history: &History) -> &Curve {
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

    /// Whether it is so noisy that it is smoothed.
    pub fn is_noisy(self) -> bool {
        matches!(self, Self::Loss | Self::GradNorm | Self::Throughput)
    }

    /// The panel whose axis it shares.
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
