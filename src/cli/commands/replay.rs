//! `nsmc-tui replay`.

use super::after_dashboard::attach_command;
use super::dashboard;
use crate::cli::flags::ReplayFlags;
use crate::cli::output::print_to_stderr;
use crate::cli::text_output::{EventPrinter, write_json};
use crate::core::train::TrainEvent;
use crate::run::is_locked;
use crate::run::journal::JOURNAL;
use crate::run::protocol::{Activity, RunChannels, RunReport};
use crate::run::recording::Recording;
use crate::run::worker::replay;
use crate::screen::app::State;
use crate::screen::app::replay::Replay;
use crate::screen::terminal::ExitReason;
use anyhow::bail;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

pub fn run(flags: &ReplayFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let recording = Recording::open(&flags.run)?;
    let worker = replay::start(&recording, flags.speed)?;
    let code = if flags.json || flags.plain || !dashboard::is_possible() {
        print_events(&worker.channels, flags.json, &mut out)?;
        ExitCode::SUCCESS
    } else {
        let folder = if flags.run.is_dir() {
            Some(flags.run.clone())
        } else {
            let is_journal = flags.run.file_name().is_some_and(|name| name == JOURNAL);
            flags.run.parent().filter(|_| is_journal).map(|folder| Path::new(".").join(folder))
        };
        let mut replay = Replay::new(flags.speed);
        replay.folder = folder;
        let state = State { replay: Some(replay), ..State::default() };
        match dashboard::show(&worker.channels, flags.display.options(), state)?.0 {
            ExitReason::Quit | ExitReason::Detached | ExitReason::HungUp => ExitCode::SUCCESS,
            ExitReason::Signalled(number) => ExitCode::from(128 + number),
            ExitReason::Panicked => bail!("the dashboard failed"),
        }
    };
    worker.join();
    if !flags.json && is_locked(&flags.run) {
        print_to_stderr("The run is still under way. Its dashboard is shown by:");
        print_to_stderr(format_args!("  {}", attach_command(&flags.run)));
    }
    Ok(code)
}

/// Prints the events of the run in the format of `train`.
fn print_events(channels: &RunChannels, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
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
    Ok(())
}
