//! What is printed to the normal screen after a dashboard has closed.

use crate::cli::output::print_to_stderr;
use crate::core::text::display_path;
use crate::run::command_line::{command_line, path_argument, resume_command};
use crate::run::summary::{evaluation, resume_hint, train_output};
use crate::screen::app::State;
use crate::screen::lang::Lang;
use std::io::Write;
use std::path::Path;

/// Says that a run continues, and how to come back to it.
pub(super) fn write_way_back(
    folder: &Path,
    pid: u32,
    lang: Lang,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let shown = display_path(folder);
    let text = "{0}: the run continues as process {1}. Come back with:";
    writeln!(out, "{}", lang.tr_with(text, &[&shown, &pid]))?;
    writeln!(out, "  {}", attach_command(folder))?;
    out.flush()
}

/// The command that comes back to a run.
pub(super) fn attach_command(folder: &Path) -> String {
    command_line(&["attach", &path_argument(&folder.display().to_string())])
}

/// Prints the results to the normal screen after the dashboard has closed.
pub(super) fn write_summary(state: &State, out: &mut impl Write) -> std::io::Result<()> {
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
