//! The results of a sweep as a table, also one that is drawn again in place.

use crate::core::text::{align_left, align_right, sanitize_for_terminal, truncate_width};
use crate::run::sweep::{ConfigurationRow, SweepPlan, SweepTable, Trial};
use crate::screen::lang::Lang;
use std::fmt::Write as _;
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// The size of a terminal that does not say its own, in columns and rows.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The values of a trial that others do not have.
pub(super) fn described(plan: &SweepPlan, trial: &Trial) -> String {
    let configuration = plan.configurations.get(trial.configuration);
    let value = |name: &str| configuration.and_then(|values| values.get(name));
    let names = plan.settings.iter().map(|setting| setting.name);
    let values = names.filter_map(|name| Some(format!("{name}={}", value(name)?)));
    let seed = trial.seed.iter().map(|seed| format!("seed={seed}"));
    let epochs = plan.epochs.get(trial.rung).map(|epochs| format!("num_train_epochs={epochs}"));
    values.chain(seed).chain(epochs).collect::<Vec<_>>().join(" ")
}

/// A configuration and its result in one line.
pub(super) fn summary(table: &SweepTable, row: &ConfigurationRow) -> String {
    let value = |name: &&str| Some(format!("{name}={}", row.settings.get(*name)?));
    let settings: Vec<String> = table.settings.iter().filter_map(value).collect();
    let settings = if settings.is_empty() { String::new() } else { settings.join(" ") + ": " };
    let count = row.finished.len();
    let plural = if count == 1 { "" } else { "s" };
    format!("{settings}{} {} in {count} trial{plural}", row.metric, result(row))
}

/// The mean with its interval.
fn result(row: &ConfigurationRow) -> String {
    match (row.mean, row.half_width) {
        (None, _) => "-".to_owned(),
        (Some(mean), None) => format!("{mean:.4}"),
        (Some(mean), Some(half)) => format!("{mean:.4} ± {half:.4}"),
    }
}

/// A line of titles, and one for each configuration, the best first. There are no columns that would be
/// empty.
pub(super) fn lines(table: &SweepTable) -> Vec<String> {
    let has_running = table.rows.iter().any(|row| row.running > 0);
    let has_failed = table.rows.iter().any(|row| !row.failed.is_empty());
    let mut titles: Vec<String> = table.settings.iter().map(|name| (*name).to_owned()).collect();
    if table.has_rungs {
        titles.extend(["RUNG", "EPOCHS"].map(str::to_owned));
    }
    let first_number = table.settings.len();
    titles.push("DONE".to_owned());
    titles.extend(has_running.then(|| "RUNNING".to_owned()));
    titles.extend(has_failed.then(|| "FAILED".to_owned()));
    let last_number = titles.len();
    titles.push(table.metric.name().to_uppercase());
    let mut all = vec![titles];
    for row in &table.rows {
        let value = |name: &&str| row.settings.get(*name).cloned().unwrap_or_default();
        let mut cells: Vec<String> = table.settings.iter().map(value).collect();
        if table.has_rungs {
            let text = |number: Option<String>| number.unwrap_or_default();
            cells.push(text(row.rung.map(|rung| rung.to_string())));
            cells.push(text(row.num_train_epochs.map(|epochs| epochs.to_string())));
        }
        cells.push(format!("{}/{}", row.finished.len(), row.trials));
        cells.extend(has_running.then(|| row.running.to_string()));
        cells.extend(has_failed.then(|| row.failed.len().to_string()));
        cells.push(result(row));
        all.push(cells);
    }
    let all: Vec<Vec<String>> = all
        .into_iter()
        .map(|cells| cells.iter().map(|cell| sanitize_for_terminal(cell).into_owned()).collect())
        .collect();
    let width = |column: usize| all.iter().map(|cells| cells[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=last_number).map(width).collect();
    let line = |cells: &Vec<String>| {
        let aligned = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let is_number = (first_number..last_number).contains(&column);
            if is_number { align_right(cell, *width) } else { align_left(cell, *width) }
        });
        aligned.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

/// The lines below the table while trials are running.
pub(super) fn progress(table: &SweepTable, lang: Lang) -> Vec<String> {
    let done = lang.tr_with("{0} of {1} trials done", &[&table.settled, &table.trials]);
    let mut all = vec![String::new(), done];
    all.extend(table.running.iter().map(|(name, step, max_steps)| match max_steps {
        0 => lang.tr_with("{0}: starting", &[name]),
        _ => lang.tr_with("{0}: step {1} of {2}", &[name, step, max_steps]),
    }));
    let failed = table.rows.iter().flat_map(|row| &row.failed);
    all.extend(
        failed.map(|failed| lang.tr_with("{0} failed: {1}", &[&failed.trial, &failed.error])),
    );
    all
}

/// Lines that are drawn again in place on standard error, which is a terminal.
#[derive(Default)]
pub(super) struct LiveTable {
    drawn: Vec<String>,
}

impl LiveTable {
    /// Replaces the lines that were drawn before.
    pub fn draw(&mut self, lines: &[String]) {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
        let size = size.map_or(USUAL_SIZE, |size| (size.ws_col.into(), size.ws_row.into()));
        // What cannot be written is not seen.
        let _ = std::io::stderr().write_all(self.frame(lines, size).as_bytes());
    }

    /// What is written to replace the lines on a terminal of so many columns and rows.
    fn frame(&mut self, lines: &[String], (columns, rows): (usize, usize)) -> String {
        let (columns, rows) = if columns * rows == 0 { USUAL_SIZE } else { (columns, rows) };
        // A terminal that was made narrower has wrapped them.
        let height = |line: &String| line.width().div_ceil(columns).max(1);
        let above: usize = self.drawn.iter().map(height).sum();
        let mut frame = String::new();
        if above > 0 {
            // Writing to a string cannot fail.
            let _ = write!(frame, "\u{1b}[{}A\r\u{1b}[J", above.min(rows.saturating_sub(1)));
        }
        // The cursor is below them.
        let most = rows.saturating_sub(1).max(1);
        let shown = if lines.len() > most { most - 1 } else { lines.len() };
        self.drawn = lines[..shown].iter().map(|line| truncate_width(line, columns)).collect();
        if shown < lines.len() {
            let rest = format!("… {} more lines", lines.len() - shown);
            self.drawn.push(truncate_width(&rest, columns));
        }
        for line in &self.drawn {
            frame.push_str(line);
            frame.push('\n');
        }
        frame
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
