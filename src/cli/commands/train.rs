//! `nsmc-tui train`, with the dashboard or without.

use super::dashboard;
use crate::cli::flags::{PretrainFlags, TrainFlags};
use crate::cli::output::print_to_stderr;
use crate::cli::text_output::{self, FollowResult, RunSoFar};
use crate::cli::train_request::TrainRequest;
use crate::run::command_line::{command_line, path_argument, resume_command};
use crate::run::protocol::Command;
use crate::run::summary::{evaluation, resume_hint, train_output};
use crate::run::worker::{Worker, print_config};
use crate::screen::app::State;
use crate::screen::display::DisplayOptions;
use crate::screen::terminal::ExitReason;
use std::io::Write;
use std::process::ExitCode;

pub fn run(flags: TrainFlags, out: impl Write) -> anyhow::Result<ExitCode> {
    follow(TrainRequest::new(flags, std::env::vars_os())?, out)
}

/// `nsmc-tui pretrain`.
pub fn pretrain(flags: PretrainFlags, out: impl Write) -> anyhow::Result<ExitCode> {
    follow(TrainRequest::of_pretraining(flags, std::env::vars_os())?, out)
}

fn follow(request: TrainRequest, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let json = request.prints_json();
    let plain = request.prints_lines() || !dashboard::is_possible();
    if request.prints_config() {
        let text = print_config(&request.run, &mut super::saved::download_progress())?;
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let display: DisplayOptions = request.display.into();
    let run_folder = Some(request.run.output_dir().to_path_buf());
    let worker = Worker::spawn_notifying(request.run, request.notify)?;
    if json || plain {
        return Ok(exit_code(text_output::follow(worker, json, RunSoFar::of(display), &mut out)?));
    }
    let (leaving, state) =
        dashboard::show(&worker.channels, display, State { run_folder, ..State::default() })?;
    if state.is_running() && matches!(leaving, ExitReason::HungUp | ExitReason::Panicked) {
        // Without the dashboard nothing can end a pause; a run that is not paused ignores this.
        let _ = worker.channels.commands.send(Command::Resume);
        // The run continues to its end, even if its output cannot be read.
        let mut discarded = std::io::sink();
        let so_far = RunSoFar {
            started: state.started,
            throughput: state.throughput,
            notify: display.notify,
        };
        let out: &mut dyn Write = if leaving == ExitReason::Panicked {
            print_to_stderr("The dashboard failed; the run continues without it.");
            &mut out
        } else {
            &mut discarded
        };
        return Ok(exit_code(text_output::follow(worker, json, so_far, out)?));
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

fn exit_code(ending: FollowResult) -> ExitCode {
    match ending {
        FollowResult::Finished => ExitCode::SUCCESS,
        FollowResult::Failed => ExitCode::FAILURE,
        FollowResult::Signalled(number) => ExitCode::from(128 + number),
    }
}

/// Prints the results to the normal screen after the dashboard has closed.
fn write_summary(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    if let Some(finished) = &state.finished {
        writeln!(out, "{}", train_output(finished))?;
    }
    if let Some(evaluated) = &state.evaluated {
        writeln!(out, "{}", evaluation(evaluated))?;
    }
    if let Some(saved) = state.saved.as_ref().filter(|_| state.is_pretraining()) {
        let text = "The model is saved in {0}. Fine-tune it with:";
        writeln!(out, "{}", state.lang.tr_with(text, &[&saved.path]))?;
        let arguments = ["train", "--model-name-or-path", &path_argument(&saved.path)];
        writeln!(out, "  {}", command_line(&arguments))?;
    } else if let Some(saved) = &state.saved {
        let path = &saved.path;
        let saved = "The model is saved in {0}. Classify texts with:";
        writeln!(out, "{}", state.lang.tr_with(saved, &[path]))?;
        let mut arguments = vec!["predict"];
        let path = path_argument(path);
        if path != "outputs" {
            arguments.extend(["--model-name-or-path", &path]);
        }
        let example = if state.reads_pairs() {
            "A man sleeps ||| A man is awake"
        } else {
            "정말 재미있는 영화"
        };
        writeln!(out, "  {} \"{example}\"", command_line(&arguments))?;
    }
    if let (Some(started), Some(finished)) = (&state.started, &state.finished)
        && let Some(hint) = resume_hint(started, finished, state.checkpoint.as_ref())
    {
        writeln!(out, "{hint}")?;
    }
    if state.steps_done() > 0 && state.saved.is_none() {
        print_to_stderr(state.lang.tr("The dashboard closed before the model was saved."));
        if let Some(checkpoint) = &state.checkpoint {
            print_to_stderr(state.lang.tr("There is a checkpoint. Resume from it with:"));
            print_to_stderr(format_args!("  {}", resume_command(Some(&checkpoint.path))));
        }
    }
    if let Some(failed) = &state.failed {
        print_to_stderr(format_args!("error: {}", failed.message));
        if let Some(hint) = &failed.hint {
            print_to_stderr(hint);
        }
    }
    out.flush()
}
