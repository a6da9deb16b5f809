//! What is printed to the normal screen after a dashboard has closed.

use crate::cli::output::print_to_stderr;
use crate::core::text::{align_left, display_path};
use crate::run::command_line::{command_line, path_argument};
use crate::run::protocol::Activity;
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::app::result_card::result_card;
use crate::screen::lang::Lang;
use std::io::Write;
use std::path::Path;

/// Columns of the names of the lines of a result.
const NAME: usize = 10;

/// Whether a run waits for the user.
pub(super) fn is_paused(state: &State) -> bool {
    state.activity == Activity::Paused
}

/// Says that a run continues or stays paused, and how to come back to it.
pub(super) fn write_way_back(
    folder: &Path,
    pid: u32,
    is_paused: bool,
    lang: Lang,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let shown = display_path(folder);
    let text = if is_paused {
        "{0}: the run is paused, as process {1}. Come back with:"
    } else {
        "{0}: the run continues as process {1}. Come back with:"
    };
    writeln!(out, "{}", lang.tr_with(text, &[&shown, &pid]))?;
    writeln!(out, "  {}", attach_command(folder))?;
    out.flush()
}

/// The command that comes back to a run.
pub(super) fn attach_command(folder: &Path) -> String {
    command_line(&["attach", &path_argument(&folder.display().to_string())])
}

/// Prints the result of a run to the normal screen after the dashboard has closed, in the language of
/// the dashboard.
pub(super) fn write_summary(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    let lang = state.lang;
    let card = result_card(state).unwrap_or_default();
    for fact in card.facts.iter().filter(|fact| fact.level != Level::Error) {
        let name = align_left(lang.tr(fact.name), NAME);
        writeln!(out, "{name}{}", fact.text)?;
    }
    for command in &card.commands {
        let arguments: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
        writeln!(out, "{}:", command.purpose)?;
        writeln!(out, "  {}", command_line(&arguments))?;
    }
    if state.steps_done() > 0 && state.saved.is_none() {
        print_to_stderr(lang.tr("The dashboard closed before the model was saved."));
    }
    if let Some(failed) = &state.failed {
        let error = lang.tr("error");
        print_to_stderr(format_args!("{error}: {}", lang.tr_filled(&failed.message)));
        if let Some(hint) = failed.hint.as_ref().filter(|_| card.facts.is_empty()) {
            print_to_stderr(lang.tr_filled(hint));
        }
    }
    out.flush()
}
