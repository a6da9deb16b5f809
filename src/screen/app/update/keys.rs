//! Whether this dashboard has the keys, among several that show a run.

use crate::screen::app::log::Level;
use crate::screen::app::page::Page;
use crate::screen::app::state::{Notice, RunLocation, State};

/// Whether the dashboard has the keys; if not, it says who has them.
pub(super) fn check_keys(state: &mut State) -> bool {
    if state.has_keys() {
        return true;
    }
    let holder = state.session.as_ref().and_then(|session| session.holder.clone());
    let text = match holder {
        Some(name) => {
            let name = state.lang.tr(&name);
            // On this page, letters are typed.
            let text = match state.page {
                Page::Predict => "{0} has the keys; Esc, then K takes them over",
                _ => "{0} has the keys; K takes them over",
            };
            state.lang.tr_with(text, &[&name])
        }
        None if state.location == RunLocation::Unreachable => {
            state.lang.tr("the run is on another computer: it can only be watched").to_owned()
        }
        None => state.lang.tr("K takes over the keys").to_owned(),
    };
    warn(state, text);
    false
}

/// Shows a warning for a short time.
pub(super) fn warn(state: &mut State, text: String) {
    state.notice = Some(Notice { level: Level::Warning, text, since: state.now });
}
