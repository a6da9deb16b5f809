//! `nsmc-tui sweep`.

mod host;
mod request;
mod table;

use super::saved::download_progress;
use crate::cli::flags::SweepFlags;
use crate::cli::output::print_to_stderr;
use crate::core::text::{display_path, to_json};
use crate::run::command_line::{command_line, path_argument};
use crate::run::sweep::{
    ConfigurationRow, PLAN, PlanError, SweepEnd, SweepPlan, SweepRunner, SweepTable, lock_sweep,
    write_best,
};
use crate::run::worker::print_config;
use crate::screen::lang::Lang;
use anyhow::Context;
use host::ProcessHost;
use request::RunRequest;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use table::{described, summary};

/// The prefix of the names of trials' folders.
const TRIAL: &str = "trial-";

pub fn run(flags: &SweepFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let request = match RunRequest::new(&flags.train)? {
        Ok(request) => request,
        Err(code) => return Ok(code),
    };
    let folder = &flags.output_dir;
    let recorded = SweepPlan::read(folder)?;
    let plan = plan(flags, &request, recorded.as_ref())?;
    let jobs = request::jobs(flags, &plan)?;
    if recorded.is_none() {
        check_no_trials(folder)?;
        check_configurations(&plan)?;
    }
    let lock = lock_sweep(folder)?;
    if SweepPlan::read(folder)? != recorded {
        return Err(PlanError::File(format!(
            "{}: another process has changed it at this moment; try again",
            display_path(&folder.join(PLAN))
        ))
        .into());
    }
    if recorded.is_none() {
        plan.write(folder)?;
    }
    let variable = |name: &str| std::env::var(name).ok();
    let language = flags.lang.or_else(|| variable("NSMC_TUI_LANG")?.parse().ok());
    let lang = Lang::detect(language.unwrap_or_default(), variable);
    let mut host = ProcessHost::new(flags, &request, &plan, jobs.count, lang)?;
    let mut runner = SweepRunner::new(folder, &plan, jobs, lock);
    for trial in runner.still_running() {
        let text = "{0}: a process of an earlier call trains it; waiting for its end";
        print_to_stderr(lang.tr_with(text, &[&display_path(trial)]));
    }
    let end = runner.run(&mut host)?;
    let table = runner.table();
    host.finish();
    write_results(&table, flags.json, lang, &mut out)?;
    if let SweepEnd::Signalled(signal) = end {
        for trial in runner.still_running() {
            let text = "{0}: the process that trains it belongs to an earlier call and continues";
            print_to_stderr(lang.tr_with(text, &[&display_path(trial)]));
        }
        let shown = path_argument(&display_path(folder));
        let text = "{0} of {1} trials are done. Resume the sweep with:";
        print_to_stderr(lang.tr_with(text, &[&table.settled, &table.trials]));
        print_to_stderr(format_args!("  {}", command_line(&["sweep", "--output-dir", &shown])));
        return Ok(ExitCode::from(128 + signal));
    }
    let Some((best, trial)) = write_best(folder, &table)? else {
        let text = "no trial is finished; see output.log in the folders of the trials";
        print_to_stderr(format_args!("{}: {}", lang.tr("error"), lang.tr(text)));
        return Ok(ExitCode::FAILURE);
    };
    if !flags.json
        && let Some(row) = table.best()
    {
        writeln!(out, "\nThe best: {}", summary(&table, row))?;
        writeln!(out, "Its arguments: {}", display_path(&best))?;
        writeln!(out, "Its best trial, with the model: {}", display_path(&trial))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The plan of the folder or, without one, that of the flags. Flags that are given agree with the plan
/// of the folder.
fn plan(
    flags: &SweepFlags,
    request: &RunRequest,
    recorded: Option<&SweepPlan>,
) -> anyhow::Result<SweepPlan> {
    let is_bare = flags.set.is_empty() && flags.train.is_empty();
    let Some(recorded) = recorded else {
        return request::new_plan(flags, request);
    };
    let asked = if is_bare {
        SweepPlan {
            search: flags.search.unwrap_or(recorded.search),
            trials: flags.trials.or(recorded.trials),
            search_seed: flags.search_seed.unwrap_or(recorded.search_seed),
            eta: flags.eta.unwrap_or(recorded.eta),
            metric: flags.metric.unwrap_or(recorded.metric),
            ..recorded.clone()
        }
    } else {
        request::new_plan(flags, request)?
    };
    let differences = recorded.differences(&asked);
    if !differences.is_empty() {
        let folder = &flags.output_dir;
        let resume =
            command_line(&["sweep", "--output-dir", &path_argument(&display_path(folder))]);
        return Err(PlanError::Request(format!(
            "{} has another plan: {}. Pass another --output-dir; {resume} resumes the sweep that is \
             there",
            display_path(&folder.join(PLAN)),
            differences.join("; ")
        ))
        .into());
    }
    Ok(SweepPlan { metric: asked.metric, ..recorded.clone() })
}

/// Checks that a folder without a plan has no trials, which would be taken for those of the new sweep.
fn check_no_trials(folder: &Path) -> Result<(), PlanError> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| name.starts_with(TRIAL)) {
        Some(name) => Err(PlanError::Request(format!(
            "{} has {name}, but no {PLAN}: it is of another sweep. Pass another --output-dir",
            display_path(folder)
        ))),
        None => Ok(()),
    }
}

/// Checks the arguments of each configuration, as its runs would.
fn check_configurations(plan: &SweepPlan) -> anyhow::Result<()> {
    for at in 0..plan.configurations.len() {
        if let Some(trial) = plan.trials_of(&[at], 0).first() {
            let options = plan.options(trial)?;
            print_config(&options, &mut download_progress())
                .with_context(|| described(plan, trial))?;
        }
    }
    Ok(())
}

fn write_results(
    table: &SweepTable,
    json: bool,
    lang: Lang,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if json {
        for row in &table.rows {
            writeln!(out, "{}", to_json(row)?)?;
        }
    } else {
        for line in table::lines(table) {
            writeln!(out, "{line}")?;
        }
    }
    for failed in table.rows.iter().flat_map(|ConfigurationRow { failed, .. }| failed) {
        print_to_stderr(lang.tr_with("{0} failed: {1}", &[&failed.trial, &failed.error]));
    }
    out.flush()?;
    Ok(())
}
