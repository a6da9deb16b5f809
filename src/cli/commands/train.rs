//! `nsmc-tui train`, with the dashboard or without.

use super::after_dashboard::{
    attach_command, is_paused, write_has_ended, write_summary, write_way_back,
};
use super::ranks::{self, Ranks};
use super::{background, dashboard, foreground};
use crate::cli::flags::{PretrainFlags, TrainFlags};
use crate::cli::output::print_to_stderr;
use crate::cli::text_output::{self, FollowResult, ProcessEnd, RunSoFar};
use crate::cli::train_request::TrainRequest;
use crate::run::session::LocalKind;
use crate::run::worker::{OnRecording, Worker, print_config};
use crate::screen::app::State;
use crate::screen::display::DisplayOptions;
use crate::screen::terminal::ExitReason;
use std::io::Write;
use std::process::ExitCode;

pub fn run(flags: TrainFlags, out: impl Write) -> anyhow::Result<ExitCode> {
    let role = ProcessRole::of(&flags);
    follow(TrainRequest::new(flags, std::env::vars_os())?, role, out)
}

/// `nsmc-tui pretrain`.
pub fn pretrain(flags: PretrainFlags, out: impl Write) -> anyhow::Result<ExitCode> {
    let role = ProcessRole::of(&flags.train);
    follow(TrainRequest::of_pretraining(flags, std::env::vars_os())?, role, out)
}

/// The processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProcessRole {
    /// The one that the user has started.
    First,
    /// One that trains and draws the dashboard, for which the first one waits.
    Foreground,
    /// One in the background.
    Background,
}

impl ProcessRole {
    fn of(flags: &TrainFlags) -> Self {
        match (flags.background, flags.foreground) {
            (true, _) => Self::Background,
            (false, true) => Self::Foreground,
            (false, false) => Self::First,
        }
    }
}

fn follow(
    request: TrainRequest,
    role: ProcessRole,
    mut out: impl Write,
) -> anyhow::Result<ExitCode> {
    if role != ProcessRole::First {
        background::name_process();
    }
    let json = request.prints_json();
    let plain = request.prints_lines() || !dashboard::is_possible();
    if request.prints_config() {
        let text = print_config(&request.run, &mut super::saved::download_progress())?;
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let ranks = Ranks::find(request.processes())?;
    if let Some(rank) = ranks.other_rank() {
        return ranks::follow(request.run, rank, ranks.membership()?);
    }
    if role == ProcessRole::Background {
        let ready: OnRecording = Box::new(background::leave_terminal);
        let (run, notify) = (request.run, request.notify);
        let (local, membership) = (LocalKind::Text, ranks.membership()?);
        let worker = Worker::spawn_with(run, notify, local, Some(ready), membership)?;
        let (so_far, end) = (RunSoFar::default(), ProcessEnd::AfterOthers);
        return Ok(exit_code(text_output::follow(worker, false, so_far, end, &mut out)?));
    }
    let display: DisplayOptions = request.display.clone().into();
    if request.detaches() {
        return background::start(request.run.output_dir(), json, plain, display, out);
    }
    let run_folder = Some(request.run.output_dir().to_path_buf());
    let spawn = |run, notify, local| -> anyhow::Result<Worker> {
        Ok(Worker::spawn_with(run, notify, local, None, ranks.membership()?)?)
    };
    if json || plain {
        let worker = spawn(request.run, request.notify, LocalKind::Text)?;
        let (so_far, end) = (RunSoFar::of(display), ProcessEnd::AtOnce);
        return Ok(exit_code(text_output::follow(worker, json, so_far, end, &mut out)?));
    }
    if role == ProcessRole::First {
        return foreground::wait_for_run();
    }
    foreground::follow_parent()?;
    let worker = spawn(request.run, request.notify, LocalKind::Dashboard)?;
    let (leaving, state) =
        dashboard::show(&worker.channels, display, State { run_folder, ..State::default() })?;
    if leaving == ExitReason::Detached && state.is_running() {
        return continue_in_background(worker, state, &mut out);
    }
    if state.is_running() && matches!(leaving, ExitReason::HungUp | ExitReason::Panicked) {
        // A pause is not ended: `attach` comes back to it.
        worker.release_keys();
        // The run continues to its end, even if its output cannot be read.
        let mut discarded = std::io::sink();
        let so_far = RunSoFar {
            started: state.started,
            throughput: state.throughput,
            notify: display.notify,
        };
        let out: &mut dyn Write = if leaving == ExitReason::Panicked {
            print_to_stderr("The dashboard failed; the run continues without it. Come back with:");
            let folder = state.run_folder.clone().unwrap_or_default();
            print_to_stderr(format_args!("  {}", attach_command(&folder)));
            &mut out
        } else {
            &mut discarded
        };
        let end = ProcessEnd::AfterOthers;
        return Ok(exit_code(text_output::follow(worker, json, so_far, end, out)?));
    }
    if !state.is_running() {
        worker.join();
    }
    if leaving == ExitReason::HungUp {
        return Ok(ExitCode::SUCCESS);
    }
    if leaving == ExitReason::Detached {
        write_has_ended(&state, &mut out)?;
    }
    write_summary(&state, &mut out)?;
    Ok(match leaving {
        ExitReason::Signalled(number) => ExitCode::from(128 + number),
        _ if state.failed.is_some() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Continues a run whose dashboard the user has left.
fn continue_in_background(
    worker: Worker,
    state: State,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let folder = state.run_folder.clone().unwrap_or_default();
    write_way_back(&folder, std::process::id(), is_paused(&state), state.lang, out)?;
    foreground::leave(&folder);
    worker.release_keys();
    let so_far =
        RunSoFar { started: state.started, throughput: state.throughput, ..RunSoFar::default() };
    let result = text_output::follow(worker, false, so_far, ProcessEnd::AfterOthers, out)?;
    Ok(exit_code(result))
}

fn exit_code(ending: FollowResult) -> ExitCode {
    match ending {
        FollowResult::Finished => ExitCode::SUCCESS,
        FollowResult::Failed => ExitCode::FAILURE,
        FollowResult::Signalled(number) => ExitCode::from(128 + number),
    }
}
