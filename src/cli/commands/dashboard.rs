//! The dashboard, with the user's saved arrangement of the panels and theme.

use crate::cli::output::print_to_stderr;
use crate::screen::app::State;
use crate::screen::display::DisplayOptions;
use crate::screen::lang::Lang;
use crate::screen::preferences::{self, Preferences};
use crate::screen::terminal::{self, Connection, ExitReason};
use std::io::IsTerminal;

/// Whether there is a terminal to draw on and to read keys from.
pub fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !dumb && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Shows a run until the user quits, and saves the arrangement of the panels and the theme.
pub fn show(
    connection: &impl Connection,
    display: DisplayOptions,
    mut state: State,
) -> anyhow::Result<(ExitReason, State)> {
    state.lang = Lang::detect(display.language, |name| std::env::var(name).ok());
    let path = preferences::path();
    let saved = path.as_deref().map(Preferences::read).unwrap_or_default();
    saved.apply(&mut state);
    state.theme = display.theme.or(state.theme);
    let (leaving, state) = terminal::run(connection, display, state)?;
    let current = saved.updated(&state, display.theme);
    if let Some(path) = path.filter(|_| current != saved)
        && let Err(error) = current.write(&path)
    {
        let path = path.display().to_string();
        print_to_stderr(format_args!(
            "{path}: the arrangement of the panels could not be saved: {error}"
        ));
    }
    Ok((leaving, state))
}
