//! The pages of the dashboard and their overlays.

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
    /// The reviews behind the numbers of an evaluation.
    Mistakes,
    /// The comparison of several runs.
    Runs,
}

impl Page {
    /// All pages of a run, in the order of their tabs.
    pub const ALL: [Self; 5] =
        [Self::Train, Self::Predict, Self::Settings, Self::Log, Self::Mistakes];

    /// The title of its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Predict => "Predict",
            Self::Settings => "Settings",
            Self::Log => "Log",
            Self::Mistakes => "Mistakes",
            Self::Runs => "Runs",
        }
    }
}

/// An overlay, which is drawn over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The key bindings.
    Help,
    /// The dialog that asks whether to quit during training.
    ConfirmQuit,
    /// The dialog that asks whether to quit without a saved model.
    ConfirmUnsaved,
    /// The dialog for a new learning rate.
    LearningRate,
    /// The command palette.
    Palette,
    /// The dialog that asks whether to delete a run.
    ConfirmDelete,
}
