//! The runs as a table.

use crate::core::text::{align_left, align_right, truncate_width};
use crate::run::run_index::{RunStatus, RunSummary, distinguishing_settings};
use crate::run::summary::clock;
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// The titles of the columns before those of the settings.
const TITLES: [&str; 8] =
    ["RUN", "STATUS", "STEP", "ACCURACY", "F1", "EVAL_LOSS", "TIME", "WRITTEN"];

/// The columns that are aligned right.
const NUMBERS: std::ops::Range<usize> = 2..7;

/// Writes one line for each run, with a column for each setting in which the runs differ; then one
/// for tags and one for notes, if a run has any. A line that is longer than `columns` is cut.
pub(super) fn write(
    runs: &[&RunSummary],
    columns: Option<usize>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let settings = distinguishing_settings(runs);
    let has_tags = runs.iter().any(|run| !run.notes.tags.is_empty());
    let has_notes = runs.iter().any(|run| !run.notes.note.is_empty());
    let mut titles: Vec<String> = TITLES.map(str::to_owned).into();
    titles.extend(settings.iter().cloned());
    titles.extend(has_tags.then(|| "TAGS".to_owned()));
    titles.extend(has_notes.then(|| "NOTE".to_owned()));
    let mut lines = vec![titles];
    for run in runs {
        let mut cells = fixed_cells(run);
        let values = settings.iter().map(|name| run.setting(name).unwrap_or("-").to_owned());
        cells.extend(values);
        cells.extend(has_tags.then(|| run.notes.tags.join(" ")));
        cells.extend(has_notes.then(|| run.notes.note.clone()));
        lines.push(cells);
    }
    let width = |column: usize| lines.iter().map(|cells| cells[column].width()).max();
    let widths: Vec<usize> = (0..lines[0].len()).map(|column| width(column).unwrap_or(0)).collect();
    for cells in &lines {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let align = if NUMBERS.contains(&column) { align_right } else { align_left };
            line.push_str(&align(cell, widths[column]));
            line.push_str("  ");
        }
        let line = line.trim_end();
        match columns {
            Some(columns) => writeln!(out, "{}", truncate_width(line, columns))?,
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// The status of a run. Whether one of another computer is dead is not known here.
fn status(run: &RunSummary) -> String {
    match &run.computer {
        Some(computer) if run.status == RunStatus::Dead => format!("dead, or on {computer}"),
        _ => run.status.name().to_owned(),
    }
}

fn fixed_cells(run: &RunSummary) -> Vec<String> {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let best = run.best.as_ref();
    vec![
        run.name.clone(),
        status(run),
        format!("{}/{}", run.step, run.max_steps),
        number(best.map(|best| best.eval_accuracy)),
        number(best.map(|best| best.eval_f1)),
        number(run.eval_loss()),
        clock(run.seconds),
        run.modified_local.clone(),
    ]
}
