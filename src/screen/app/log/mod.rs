//! The log of a run: its lines, and which of them are shown.

mod events;
mod line;
mod query;
mod view;

pub use line::{Level, LogLine};
pub use query::Query;
pub use view::{LogAction, LogInput, LogView, Purpose};

use crate::core::text::sanitize_for_terminal;
use crate::run::summary::clock;
use std::borrow::Cow;
use std::collections::VecDeque;

/// The maximum number of lines; older ones are dropped.
const MAX_LINES: usize = 10_000;

/// The lines of the log, oldest first, and the part of them in view.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The lines.
    pub lines: VecDeque<LogLine>,
    /// The number of shown lines below the view; 0 follows the latest line.
    pub scroll: usize,
    /// Which lines are shown.
    pub view: LogView,
    /// Whether the run pretrains: then no predictions are counted in training.
    pretrains: bool,
    /// The latest time of a line, in seconds: times never run backwards.
    latest: f64,
    /// The serial number of the first line, which is the number of dropped lines.
    first: usize,
}

impl Log {
    /// Whether a text is searched for.
    pub fn is_searched(&self) -> bool {
        !self.view.search.is_empty()
    }

    /// Adds a line. A view that is scrolled back keeps its position.
    pub fn push(&mut self, elapsed: f64, level: Level, text: String) {
        // Messages may contain text from files, including control characters.
        let clean = match sanitize_for_terminal(&text) {
            Cow::Owned(clean) => Some(clean),
            Cow::Borrowed(_) => None,
        };
        let text = clean.unwrap_or(text);
        self.latest = self.latest.max(elapsed);
        let line = LogLine { time: clock(self.latest), level, text };
        let is_shown = self.view.push(self.first + self.lines.len(), &line);
        self.lines.push_back(line);
        if self.scroll > 0 && is_shown {
            self.scroll += 1;
        }
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
            self.view.remove(self.first);
            self.first += 1;
        }
        self.scroll = self.scroll.min(self.view.shown_count().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_never_run_backwards() {
        let mut log = Log::default();
        for elapsed in [1.0, 62.0, 3.0, f64::NAN, 65.0] {
            log.push(elapsed, Level::Info, String::new());
        }
        let times: Vec<&str> = log.lines.iter().map(|line| line.time.as_str()).collect();
        assert_eq!(times, ["0:01", "1:02", "1:02", "1:02", "1:05"]);
    }

    #[test]
    fn a_scrolled_view_keeps_its_position_and_lines_are_bounded() {
        let mut log = Log::default();
        for i in 0..MAX_LINES + 50 {
            log.push(i as f64, Level::Info, format!("{i}"));
            if i == 10 {
                log.scroll = 3;
            }
        }
        assert_eq!(log.lines.len(), MAX_LINES);
        assert_eq!(log.scroll, MAX_LINES - 1, "it stays within the lines");
        let mut log = Log::default();
        log.push(0.0, Level::Info, "a".into());
        log.push(0.0, Level::Info, "b".into());
        log.scroll = 1;
        log.push(0.0, Level::Info, "c".into());
        assert_eq!(log.scroll, 2);
    }
}
