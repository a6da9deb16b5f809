//! `nsmc-tui runs`.

mod open;
mod table;

use super::dashboard;
use crate::cli::flags::RunsFlags;
use crate::cli::output::{print_to_stderr, terminal_columns};
use crate::core::text::{sanitize_for_terminal, to_json};
use crate::run::run_index::{
    CurveName, Query, RunEntry, RunSummary, compare_runs, find_runs, read_entry, read_points,
};
use crate::run::worker::run_index;
use crate::screen::app::log::Level;
use crate::screen::app::runs::RunComparison;
use crate::screen::app::{Notice, Page, State};
use crate::screen::lang::Lang;
use crate::screen::terminal::ExitReason;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(flags: &RunsFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    if let Some([run, curve]) = flags.csv.as_deref() {
        write_curve(&flags.folder, run, curve, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = sanitize_for_terminal(&flags.folder.display().to_string()).into_owned();
    let folders = find_runs(&flags.folder).with_context(|| {
        format!("{shown}: cannot be read; pass a folder that contains the output folders of runs")
    })?;
    if !(flags.json || flags.plain) && dashboard::is_possible() {
        return show(flags, shown);
    }
    print(flags, &shown, &folders, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the list of runs, and each run that the user opens, until the list is closed.
fn show(flags: &RunsFlags, shown: String) -> anyhow::Result<ExitCode> {
    let worker = run_index::start(flags.folder.clone())?;
    let runs = RunComparison::new(shown, flags.sort, flags.reverse, &flags.filter);
    let mut state = State { runs: Some(runs), page: Page::Runs, ..State::idle() };
    let leaving = loop {
        let (leaving, closed) = dashboard::show(&worker.channels, flags.display.options(), state)?;
        state = closed;
        let opened = state.runs.as_mut().and_then(RunComparison::take_opening);
        let Some(entry) = opened.filter(|_| leaving == ExitReason::Quit) else { break leaving };
        match open::show(&entry, flags.display.options()) {
            Ok(ExitReason::Quit | ExitReason::Detached) => {}
            Ok(leaving) => break leaving,
            Err(error) => {
                let text = sanitize_for_terminal(&format!("{error:#}")).into_owned();
                state.notice = Some(Notice { level: Level::Warning, text, since: 0.0 });
            }
        }
    };
    worker.join();
    match leaving {
        ExitReason::Quit | ExitReason::Detached | ExitReason::HungUp => Ok(ExitCode::SUCCESS),
        ExitReason::Signalled(number) => Ok(ExitCode::from(128 + number)),
        ExitReason::Panicked => bail!("the dashboard failed"),
    }
}

/// Prints the runs that match the filter, as a table or as JSON.
fn print(
    flags: &RunsFlags,
    shown: &str,
    folders: &[PathBuf],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let query = Query::parse(&flags.filter)?;
    let found = folders.iter().filter_map(|folder| read_entry(&flags.folder, folder));
    let found: Vec<RunEntry> = found.collect();
    let all: Vec<&RunEntry> = found.iter().collect();
    for name in query.unknown_names(&all).iter().filter(|_| !all.is_empty()) {
        print_to_stderr(format_args!("warning: no run has a setting or metric named {name}"));
    }
    let translate = |status| Lang::Korean.tr(status);
    let mut entries = all;
    entries.retain(|entry| query.matches(entry, translate));
    entries.sort_by(|one, other| compare_runs(one, other, flags.sort));
    if flags.reverse {
        entries.reverse();
    }
    let mut summaries: Vec<&RunSummary> = Vec::new();
    for entry in &entries {
        match &entry.summary {
            Ok(summary) => {
                if let Some(problem) = &summary.notes_problem {
                    print_to_stderr(format_args!("warning: {problem}"));
                }
                summaries.push(summary);
            }
            Err(unreadable) => {
                print_to_stderr(format_args!("{}: {}", unreadable.name, unreadable.reason));
            }
        }
    }
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
        table::write(&summaries, terminal_columns(), out)?;
    }
    Ok(())
}

/// Prints the points of a curve. The run is named as in the list, or by the path of its folder.
fn write_curve(root: &Path, run: &str, curve: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let below = root.join(run);
    let folder = if below.exists() { below } else { PathBuf::from(run) };
    let curve: CurveName = curve.parse().map_err(|expected: String| {
        let curve = sanitize_for_terminal(curve);
        anyhow::anyhow!("--csv: there is no curve {curve}: {expected}")
    })?;
    let points = read_points(&folder, curve)?;
    writeln!(out, "step,{curve}")?;
    for point in points {
        let (step, value) = point?;
        writeln!(out, "{step},{value}")?;
    }
    out.flush()?;
    Ok(())
}
