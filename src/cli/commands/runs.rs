//! `nsmc-tui runs`.

use super::dashboard;
use crate::cli::flags::RunsFlags;
use crate::cli::output::print_to_stderr;
use crate::core::text::{align_left, align_right, sanitize_for_terminal, to_json};
use crate::run::run_index::{
    RunEntry, RunSummary, compare_runs, distinguishing_settings, find_runs, format_settings,
    matches_filter, read_entry,
};
use crate::run::summary::clock;
use crate::run::worker::run_index;
use crate::screen::app::runs::RunComparison;
use crate::screen::app::{Page, State};
use crate::screen::lang::Lang;
use crate::screen::terminal::ExitReason;
use anyhow::{Context, bail};
use std::io::Write;
use std::process::ExitCode;
use unicode_width::UnicodeWidthStr;

pub fn run(flags: &RunsFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let shown = sanitize_for_terminal(&flags.folder.display().to_string()).into_owned();
    let folders = find_runs(&flags.folder).with_context(|| {
        format!("{shown}: cannot be read; pass a folder that contains the output folders of runs")
    })?;
    if !(flags.json || flags.plain) && dashboard::is_possible() {
        let worker = run_index::start(flags.folder.clone())?;
        let runs = RunComparison::new(shown, flags.sort, flags.reverse, &flags.filter);
        let state = State { runs: Some(runs), page: Page::Runs, ..State::idle() };
        let leaving = dashboard::show(&worker.channels, flags.display.options(), state)?.0;
        worker.join();
        return match leaving {
            ExitReason::Quit | ExitReason::Detached | ExitReason::HungUp => Ok(ExitCode::SUCCESS),
            ExitReason::Signalled(number) => Ok(ExitCode::from(128 + number)),
            ExitReason::Panicked => bail!("the dashboard failed"),
        };
    }
    let translate = |status| Lang::Korean.tr(status);
    let entries = folders.iter().filter_map(|folder| read_entry(&flags.folder, folder));
    let mut entries: Vec<RunEntry> =
        entries.filter(|entry| matches_filter(entry, &flags.filter, translate)).collect();
    entries.sort_by(|one, other| compare_runs(one, other, flags.sort));
    if flags.reverse {
        entries.reverse();
    }
    for unreadable in entries.iter().filter_map(|entry| entry.summary.as_ref().err()) {
        print_to_stderr(format_args!("{}: {}", unreadable.name, unreadable.reason));
    }
    let summaries: Vec<&RunSummary> =
        entries.iter().filter_map(|entry| entry.summary.as_ref().ok()).collect();
    if flags.json {
        for summary in summaries {
            writeln!(out, "{}", to_json(summary)?)?;
        }
    } else if entries.is_empty() && !folders.is_empty() {
        let count = folders.len();
        print_to_stderr(format_args!("{shown}: none of {count} runs matches the filter"));
    } else if entries.is_empty() {
        print_to_stderr(format_args!(
            "{shown}: no runs; nsmc-tui train writes one to its --output-dir"
        ));
    } else {
        write_table(&summaries, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes one line for each run; the last column has the settings in which it differs from the
/// others.
fn write_table(runs: &[&RunSummary], out: &mut impl Write) -> std::io::Result<()> {
    let names = distinguishing_settings(runs);
    let head = ["RUN", "STATUS", "STEP", "ACCURACY", "F1", "EVAL_LOSS", "TIME", "WRITTEN"];
    let mut lines = vec![(head.map(str::to_owned), "SETTINGS".to_owned())];
    for run in runs {
        let number = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
        };
        let best = run.best.as_ref();
        let cells = [
            run.name.clone(),
            run.status.name().to_owned(),
            format!("{}/{}", run.step, run.max_steps),
            number(best.map(|best| best.eval_accuracy)),
            number(best.map(|best| best.eval_f1)),
            number(run.lowest_eval_loss),
            clock(run.seconds),
            run.modified_local.clone(),
        ];
        lines.push((cells, format_settings(run, &names)));
    }
    let width = |column: usize| lines.iter().map(|(cells, _)| cells[column].width()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    for (cells, settings) in &lines {
        for (column, cell) in cells.iter().enumerate() {
            let is_number = (2..7).contains(&column);
            let align = if is_number { align_right } else { align_left };
            write!(out, "{}  ", align(cell, widths[column]))?;
        }
        writeln!(out, "{settings}")?;
    }
    Ok(())
}
