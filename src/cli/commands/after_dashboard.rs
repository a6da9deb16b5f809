//! What is printed to the normal screen after a dashboard has closed.

use crate::cli::output::{print_to_stderr, terminal_columns};
use crate::core::text::{align_left, display_path, wrap_width};
use crate::run::command_line::{command_line, path_argument};
use crate::run::protocol::Activity;
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::app::result_card::result_card;
use crate::screen::lang::Lang;
use std::io::Write;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

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

/// Says that a run which the user has left had ended, so that it does not continue, and how to see it
/// again.
pub(super) fn write_has_ended(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    let folder = state.output_folder().unwrap_or_default();
    let shown = display_path(&folder);
    let text = "{0}: the run had ended, so nothing continues. See it again with:";
    writeln!(out, "{}", state.lang.tr_with(text, &[&shown]))?;
    writeln!(out, "  {}", attach_command(&folder))?;
    out.flush()
}

/// Says what became of a run whose replay the user has left before its end, and how to see all of it:
/// `ended` describes the end of the run in this folder, if it has ended.
pub(super) fn write_left_replay(
    state: &State,
    run: &Path,
    ended: Option<&str>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let (lang, shown) = (state.lang, display_path(run));
    let path = path_argument(&run.display().to_string());
    if let Some(ended) = ended {
        writeln!(out, "{shown}: {ended}")?;
        writeln!(out, "{}", lang.tr("See all of it with:"))?;
        writeln!(out, "  {}", command_line(&["attach", &path]))?;
    } else {
        let text = "{0}: the replay was left at step {1}. Begin it again with:";
        writeln!(out, "{}", lang.tr_with(text, &[&shown, &state.steps_done()]))?;
        writeln!(out, "  {}", command_line(&["replay", &path]))?;
    }
    out.flush()
}

/// The line of a fact, in as many lines as the columns require, which are indented. Words are kept
/// whole.
fn fact_lines(name: &str, text: &str, columns: Option<usize>) -> Vec<String> {
    let width = columns.map_or(usize::MAX, |columns| columns.saturating_sub(NAME).max(20));
    let lines = if text.width() <= width { vec![text] } else { wrap_width(text, width) };
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let line = |(name, line): (&str, &str)| align_left(name, NAME) + line.trim_end();
    names.zip(lines).map(line).collect()
}

/// Prints the result of a run to the normal screen after the dashboard has closed, in the language of
/// the dashboard.
pub(super) fn write_summary(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    let lang = state.lang;
    let card = result_card(state).or_else(|| {
        // The dashboard was closed in the middle of the run.
        let left = state.steps_done() > 0 && state.is_running();
        left.then(|| result_card(&State { activity: Activity::Idle, ..state.clone() })).flatten()
    });
    let card = card.unwrap_or_default();
    for fact in card.facts.iter().filter(|fact| fact.level != Level::Error) {
        for line in fact_lines(lang.tr(fact.name), &fact.text, terminal_columns()) {
            writeln!(out, "{line}")?;
        }
    }
    for command in &card.commands {
        let arguments: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
        writeln!(out, "{}:", command.purpose)?;
        writeln!(out, "  {}", command_line(&arguments))?;
    }
    if state.steps_done() > 0 && state.saved.is_none() && state.replay.is_none() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_facts_are_wrapped_between_words() {
        let text =
            "learning rate too high: train loss 6.214 (constant answer: 0.693), accuracy 0.530";
        let lines = fact_lines("verdict", text, Some(50));
        assert_eq!(
            lines,
            [
                "verdict   learning rate too high: train loss 6.214",
                "          (constant answer: 0.693), accuracy 0.530",
            ]
        );
        assert_eq!(fact_lines("판단", text, None), [format!("판단      {text}")], "not a terminal");
        let korean = fact_lines("판단", "학습률이 너무 높음: 학습 손실 6.214", Some(30));
        assert!(korean.len() > 1 && korean.iter().all(|line| line.width() <= 30), "{korean:?}");
    }
}
