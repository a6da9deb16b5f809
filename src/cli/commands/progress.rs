//! The progress of a command over many texts, on standard error.

use crate::run::summary::clock;
use crate::screen::lang::Lang;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// The cells of the bar.
const CELLS: usize = 24;

/// How often the line changes at most.
const INTERVAL: Duration = Duration::from_millis(100);

/// One changing line, if standard error is a terminal.
pub(super) struct ProgressLine {
    total: usize,
    began: Instant,
    /// When it was drawn last.
    drawn: Option<Instant>,
    is_shown: bool,
    lang: Lang,
}

impl ProgressLine {
    /// The progress towards this many texts, in a language.
    pub fn new(total: usize, lang: Lang) -> Self {
        let is_shown = std::io::stderr().is_terminal();
        Self { total, began: Instant::now(), drawn: None, is_shown, lang }
    }

    /// Shows that this many texts are done.
    pub fn show(&mut self, done: usize) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL);
        if self.is_shown && (is_due || done == self.total) {
            self.drawn = Some(Instant::now());
            let seconds = self.began.elapsed().as_secs_f64();
            let line = line(done, self.total, seconds, self.lang);
            // If it cannot be written, there is no progress to see.
            let _ = write!(std::io::stderr(), "\r{line}\u{1b}[K");
        }
    }
}

impl Drop for ProgressLine {
    /// Ends the line, so that what follows begins on the next one.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// The line after `seconds`: a bar, the texts done, their rate and the time left.
fn line(done: usize, total: usize, seconds: f64, lang: Lang) -> String {
    let filled = (done * CELLS).checked_div(total).unwrap_or(CELLS).min(CELLS);
    let bar = "#".repeat(filled) + &"-".repeat(CELLS - filled);
    let rate = done as f64 / seconds.max(1e-3);
    let left = total.saturating_sub(done) as f64 / rate;
    let rate = format!("{rate:.0}");
    let (bar, left) = (format!("[{bar}]"), left.is_finite().then(|| clock(left)));
    match left.filter(|_| done < total) {
        Some(left) => {
            let text = "{0} {1}/{2} texts, {3}/s, {4} left";
            lang.tr_with(text, &[&bar, &done, &total, &rate, &left])
        }
        None => lang.tr_with("{0} {1}/{2} texts, {3}/s", &[&bar, &done, &total, &rate]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_bar_a_rate_and_the_time_left() {
        let line = |done, total, seconds| line(done, total, seconds, Lang::English);
        let bar = "[############------------]";
        assert_eq!(line(500, 1000, 2.0), format!("{bar} 500/1000 texts, 250/s, 0:02 left"));
        assert_eq!(line(0, 10, 1.0), format!("[{}] 0/10 texts, 0/s", "-".repeat(CELLS)));
        assert!(line(10, 10, 0.0).ends_with("10/10 texts, 10000/s"));
        assert!(line(0, 0, 0.0).starts_with(&format!("[{}] 0/0", "#".repeat(CELLS))));
    }
}
