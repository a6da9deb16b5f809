//! A line of the log.

/// The severity of a line, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Progress.
    #[default]
    Info,
    /// A result.
    Result,
    /// A possible problem.
    Warning,
    /// A failure.
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The time since training began, such as `1:02:03`.
    pub time: String,
    /// Its severity.
    pub level: Level,
    /// The message.
    pub text: String,
}
