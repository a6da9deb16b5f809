//! The axes of the charts.

/// The quantity on the x axis of the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XAxis {
    /// Optimizer steps.
    #[default]
    Step,
    /// Epochs.
    Epoch,
    /// Time since training began.
    Relative,
    /// Time of day.
    Wall,
}

impl XAxis {
    /// All quantities, in the order in which a key cycles through them.
    pub const ALL: [Self; 4] = [Self::Step, Self::Epoch, Self::Relative, Self::Wall];

    /// Its name, in files and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Relative => "relative",
            Self::Wall => "wall",
        }
    }
}

/// The range of the y axis of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum YRange {
    /// The range of most values; outliers are cut off.
    #[default]
    Typical,
    /// The range of all values.
    Full,
    /// A fixed range, which later values do not change.
    Fixed([f64; 2]),
}
