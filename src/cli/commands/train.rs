//! `nsmc-tui train`, with the dashboard or without.

use super::dashboard;
use crate::cli::flags::TrainFlags;
use crate::cli::text_output::{self, Ending, Known};
use crate::cli::train_request::TrainRequest;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::steering::Request;
use crate::run::summary::{evaluation, how_to_go_on, quoted, train_output};
use crate::run::worker::{Command, Worker, print_config};
use crate::screen::app::State;
use crate::screen::terminal::ExitReason;
use std::io::Write;
use std::process::ExitCode;

pub fn run(flags: TrainFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let request = TrainRequest::new(flags, std::env::vars_os())?;
    let json = request.prints_json();
    let plain = request.prints_lines() || !dashboard::is_possible();
    if request.prints_config() {
        let text = print_config(&request.run, &mut super::saved::download_progress())?;
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let display = request.display.into();
    let worker = Worker::spawn(request.run)?;
    if json || plain {
        return Ok(exit_code(text_output::follow(worker, json, Known::default(), &mut out)?));
    }
    let (leaving, state) = dashboard::show(&worker.source, display, State::default())?;
    if state.is_running() && matches!(leaving, ExitReason::HungUp | ExitReason::Panicked) {
        // Nobody is left who could end a pause; a run that does not wait is not disturbed.
        let _ = worker.source.commands.send(Command::Steer(Request::Resume));
        // The run is worth its end, whether or not anybody can read of it.
        let mut nowhere = std::io::sink();
        let known = Known { started: state.started, throughput: state.throughput };
        let out: &mut dyn Write = if leaving == ExitReason::Panicked {
            eprintln!("The dashboard failed; the run goes on without it.");
            &mut out
        } else {
            &mut nowhere
        };
        return Ok(exit_code(text_output::follow(worker, json, known, out)?));
    }
    if !state.is_running() {
        worker.join();
    }
    if leaving == ExitReason::HungUp {
        return Ok(ExitCode::SUCCESS);
    }
    write_summary(&state, &mut out)?;
    Ok(match leaving {
        ExitReason::Signalled(number) => ExitCode::from(128 + number),
        _ if state.failed.is_some() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn exit_code(ending: Ending) -> ExitCode {
    match ending {
        Ending::Finished => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Signalled(number) => ExitCode::from(128 + number),
    }
}

/// What stays on the normal screen when the dashboard has closed.
fn write_summary(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    if let Some(finished) = &state.finished {
        writeln!(out, "{}", train_output(finished))?;
    }
    if let Some(evaluated) = &state.evaluated {
        writeln!(out, "{}", evaluation(evaluated))?;
    }
    if let Some(saved) = &state.saved {
        let path = &saved.path;
        let saved = "The model is saved in {0}. Ask it again with:";
        writeln!(out, "{}", state.lang.tr_with(saved, &[path]))?;
        let folder = quoted(path);
        let model = if path == "outputs" {
            String::new()
        } else {
            format!(" --model-name-or-path {folder}")
        };
        // As it was called, so that the line can be copied after `cargo run` too.
        let program = std::env::args().next().unwrap_or_else(|| "nsmc-tui".to_owned());
        let program = sanitize_for_terminal(&program);
        writeln!(out, "  {program} predict{model} \"정말 재미있는 영화\"")?;
    }
    if let (Some(started), Some(finished)) = (&state.started, &state.finished)
        && let Some(hint) = how_to_go_on(started, finished, state.checkpoint.as_ref())
    {
        writeln!(out, "{hint}")?;
    }
    if state.steps_done() > 0 && state.saved.is_none() {
        eprintln!("{}", state.lang.tr("The dashboard closed before the model was saved."));
        if let Some(checkpoint) = &state.checkpoint {
            let path = quoted(&checkpoint.path);
            let program = std::env::args().next().unwrap_or_else(|| "nsmc-tui".to_owned());
            let program = sanitize_for_terminal(&program);
            eprintln!("{}", state.lang.tr("There is a checkpoint. Go on from it with:"));
            eprintln!("  {program} train --resume-from-checkpoint {path}");
        }
    }
    if let Some(failed) = &state.failed {
        eprintln!("error: {}", failed.message);
        if let Some(hint) = &failed.hint {
            eprintln!("{hint}");
        }
    }
    out.flush()
}
