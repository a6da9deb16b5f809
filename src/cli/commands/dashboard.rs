//! The dashboard as a command shows it: arranged as the user left it.

use crate::cli::flags::DisplayFlags;
use crate::core::text::sanitize_for_terminal;
use crate::screen::app::State;
use crate::screen::lang::Lang;
use crate::screen::preferences::{self, Preferences};
use crate::screen::terminal::{self, Connection, Leaving};
use std::io::IsTerminal;

/// Whether there is a terminal to draw on and to read keys from.
pub fn has_room() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !dumb && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Shows a run until the user leaves, and keeps how the panels were arranged.
pub fn show(
    connection: &impl Connection,
    display: DisplayFlags,
    mut state: State,
) -> anyhow::Result<(Leaving, State)> {
    state.lang = Lang::detect(display.lang, |name| std::env::var(name).ok());
    let place = preferences::place(|name| std::env::var_os(name));
    let kept = place.as_deref().map(Preferences::read).unwrap_or_default();
    kept.apply(&mut state);
    let (leaving, state) = terminal::run(connection, display, state)?;
    let wanted = Preferences::of(&state);
    if let Some(place) = place.filter(|_| wanted != kept)
        && let Err(error) = wanted.write(&place)
    {
        let place = place.display().to_string();
        eprintln!("{}: the arrangement could not be kept: {error}", sanitize_for_terminal(&place));
    }
    Ok((leaving, state))
}
