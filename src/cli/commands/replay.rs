//! `nsmc-tui replay`.

use super::after_dashboard::{attach_command, write_left_replay, write_summary};
use super::{attach, dashboard};
use crate::cli::flags::ReplayFlags;
use crate::cli::output::print_to_stderr;
use crate::cli::text_output::{EventPrinter, write_json};
use crate::core::text::display_path;
use crate::core::train::TrainEvent;
use crate::run::is_locked;
use crate::run::journal::JOURNAL;
use crate::run::protocol::{Activity, RunChannels, RunReport};
use crate::run::recording::Recording;
use crate::run::worker::replay;
use crate::screen::app::replay::Replay;
use crate::screen::app::{Message, State, update};
use crate::screen::terminal::ExitReason;
use anyhow::bail;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(flags: &ReplayFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let is_plain = flags.json || flags.plain || !dashboard::is_possible();
    let folder = run_folder(&flags.run);
    if let Some(folder) = folder.as_deref().filter(|folder| !is_plain && is_locked(folder)) {
        // A run under way is shown live, with the keys.
        return attach::show(folder, flags.display.options(), out);
    }
    let recording = Recording::open(&flags.run)?;
    let worker = replay::start(&recording, flags.speed, folder.clone())?;
    let mut has_ended = false;
    let code = if is_plain {
        has_ended = print_events(&worker.channels, flags.json, &mut out)?;
        ExitCode::SUCCESS
    } else {
        let mut replay = Replay::new(flags.speed);
        replay.folder.clone_from(&folder);
        let state = State { replay: Some(replay), ..State::default() };
        let (leaving, state) = dashboard::show(&worker.channels, flags.display.options(), state)?;
        match leaving {
            ExitReason::Quit | ExitReason::Detached => {
                has_ended = write_end(&state, flags, folder.as_deref(), &mut out)?;
                ExitCode::SUCCESS
            }
            ExitReason::HungUp => ExitCode::SUCCESS,
            ExitReason::Signalled(number) => ExitCode::from(128 + number),
            ExitReason::Panicked => bail!("the dashboard failed"),
        }
    };
    worker.join();
    // A run that has ended keeps its lock while its dashboard is open.
    if !flags.json && !has_ended && is_locked(&flags.run) {
        print_to_stderr("The run is still under way. Its dashboard is shown by:");
        print_to_stderr(format_args!("  {}", attach_command(&flags.run)));
    }
    Ok(code)
}

/// Prints the result of a run, also if its replay was left before its end; if the recording has no end,
/// how the run ended. Returns whether the run has ended.
fn write_end(
    state: &State,
    flags: &ReplayFlags,
    folder: Option<&Path>,
    out: &mut impl Write,
) -> std::io::Result<bool> {
    if state.finished.is_some() || state.failed.is_some() {
        write_summary(state, out)?;
        return Ok(true);
    }
    if is_locked(&flags.run) {
        return Ok(false);
    }
    if let Some(whole) = whole_run(state, &flags.run) {
        let (shown, lang) = (display_path(&flags.run), state.lang);
        let text = "{0}: the replay was left at step {1}. The result of the run:";
        writeln!(out, "{}", lang.tr_with(text, &[&shown, &state.steps_done()]))?;
        write_summary(&whole, out)?;
        return Ok(true);
    }
    let ended = folder.and_then(|folder| attach::end_of(folder, state.lang));
    let run = folder.filter(|_| ended.is_some()).unwrap_or(&flags.run);
    write_left_replay(state, run, ended.as_deref(), out)?;
    Ok(ended.is_some())
}

/// The state at the end of a recorded run; `None` if the recording has no end, or cannot be read.
fn whole_run(state: &State, run: &Path) -> Option<State> {
    let mut whole = State { lang: state.lang, replay: state.replay.clone(), ..State::default() };
    for event in Recording::open(run).ok()?.events().ok()? {
        update(&mut whole, Message::Report(RunReport::Event(event.ok()?)));
    }
    update(&mut whole, Message::Report(RunReport::Activity(Activity::Idle)));
    (whole.finished.is_some() || whole.failed.is_some()).then_some(whole)
}

/// The folder of the run whose folder or journal is given; `None` for a recording elsewhere.
fn run_folder(run: &Path) -> Option<PathBuf> {
    if run.is_dir() {
        return Some(run.to_path_buf());
    }
    let is_journal = run.file_name().is_some_and(|name| name == JOURNAL);
    run.parent().filter(|_| is_journal).map(|folder| Path::new(".").join(folder))
}

/// Prints the events of the run in the format of `train`. Returns whether its end is among them.
fn print_events(channels: &RunChannels, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let mut printer = EventPrinter::default();
    let mut ended = false;
    for report in &channels.reports {
        match report {
            RunReport::Event(event) => {
                ended |= matches!(event, TrainEvent::Finished(_) | TrainEvent::Failed(_));
                if json { write_json(&event, out)? } else { printer.write(&event, out)? }
            }
            RunReport::Activity(Activity::Idle) => break,
            _ => {}
        }
    }
    if !ended && !json {
        print_to_stderr("The journal ends here: the run was interrupted, or is still running.");
    }
    Ok(ended)
}
