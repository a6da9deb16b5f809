//! The event that a command to a run took effect.

use crate::core::number;
use crate::core::text::{clock, interpolate, truncate_width};
use serde::{Deserialize, Serialize};

/// A command took effect between two steps. In journals this is the event `steered`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandApplied {
    /// The number of steps completed.
    pub step: u64,
    /// The number of epochs completed, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
    /// Seconds since training began, excluding pauses.
    #[serde(with = "number")]
    pub elapsed: f64,
    /// The effect of the command.
    #[serde(flatten)]
    pub effect: CommandEffect,
}

/// The most columns of a sentence in a message.
const MAX_SENTENCE: usize = 60;

/// The effect of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "steering", rename_all = "snake_case")]
pub enum CommandEffect {
    /// The run is paused.
    Paused,
    /// The run continues after a pause.
    Resumed {
        /// The duration of the pause in seconds.
        #[serde(with = "number")]
        seconds: f64,
    },
    /// A checkpoint was requested; it is written next.
    #[serde(rename = "save_requested")]
    CheckpointRequested,
    /// This step has a checkpoint already.
    AlreadySaved,
    /// An evaluation was requested; it runs next.
    #[serde(rename = "evaluate_requested")]
    EvaluationRequested,
    /// The weights were evaluated already: their evaluation is the answer.
    #[serde(rename = "already_evaluated")]
    AlreadyEvaluated,
    /// A stop at the end of the epoch was requested or cancelled.
    StopAfterEpoch {
        /// Whether the run stops at the end of the epoch.
        #[serde(rename = "asked")]
        enabled: bool,
    },
    /// The learning rate of the next step was changed.
    #[serde(rename = "learning_rate")]
    LearningRateChanged {
        /// The rate that the schedule gave before the change.
        #[serde(with = "number")]
        from: f64,
        /// The new rate.
        #[serde(with = "number")]
        to: f64,
    },
    /// A sentence is pinned: each evaluation classifies it from now on.
    SentencePinned {
        /// The sentence; empty in a journal of an earlier version.
        #[serde(default)]
        text: String,
    },
    /// A sentence is no longer pinned.
    SentenceUnpinned {
        /// The sentence; empty in a journal of an earlier version.
        #[serde(default)]
        text: String,
    },
}

impl CommandEffect {
    /// A message with the placeholders `{0}` and `{1}`, and the values for them.
    pub fn message(&self) -> (&'static str, [String; 2]) {
        let none = || [String::new(), String::new()];
        let sentence = |text: &str| [truncate_width(text, MAX_SENTENCE), String::new()];
        match self {
            Self::Paused => ("paused", none()),
            Self::Resumed { seconds } => {
                ("resumed after a pause of {0}", [clock(*seconds), String::new()])
            }
            Self::CheckpointRequested => ("checkpoint requested", none()),
            Self::AlreadySaved => ("this step has a checkpoint already", none()),
            Self::EvaluationRequested => ("evaluation requested", none()),
            Self::AlreadyEvaluated => ("evaluated already", none()),
            Self::StopAfterEpoch { enabled: true } => ("stops after this epoch", none()),
            Self::StopAfterEpoch { enabled: false } => ("does not stop after this epoch", none()),
            Self::LearningRateChanged { from, to } => {
                let rates = [from, to].map(|rate| format!("{rate:.2e}"));
                ("learning rate changed from {0} to {1}", rates)
            }
            Self::SentencePinned { text } => ("pinned: {0}", sentence(text)),
            Self::SentenceUnpinned { text } => ("pinned no longer: {0}", sentence(text)),
        }
    }
}

impl std::fmt::Display for CommandEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, [first, second]) = self.message();
        f.write_str(&interpolate(text, &[&first, &second]))
    }
}
