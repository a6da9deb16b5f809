//! The pages of the dashboard and what opens over them.

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Charts, metrics and progress.
    #[default]
    Train,
    /// Predictions for texts the user types.
    Predict,
    /// The effective settings of the run, with the source of each.
    Settings,
    /// The log of the run.
    Log,
    /// Several runs compared.
    Runs,
}

impl Page {
    /// All pages of a run, in the order of their tabs.
    pub const ALL: [Self; 4] = [Self::Train, Self::Predict, Self::Settings, Self::Log];

    /// The title of its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Predict => "Predict",
            Self::Settings => "Settings",
            Self::Log => "Log",
            Self::Runs => "Runs",
        }
    }
}

/// What is open over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The key bindings.
    Help,
    /// Asks whether to quit while training runs.
    ConfirmQuit,
    /// Asks whether to quit although the model is not saved.
    ConfirmUnsaved,
    /// Asks for a new learning rate.
    LearningRate,
    /// The command palette.
    Palette,
}
