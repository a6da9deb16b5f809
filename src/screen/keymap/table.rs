//! The table of key bindings.

mod mistakes;
mod runs;
mod text;
mod train;

use super::key::Key;
use super::{Binding, KeyContext};
use crate::screen::app::Action;

const fn binding(
    context: KeyContext,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { keys, action, context, help, footer }
}

const PARTS: [&[Binding]; 4] =
    [train::BINDINGS, runs::BINDINGS, text::BINDINGS, mistakes::BINDINGS];

const COUNT: usize = PARTS[0].len() + PARTS[1].len() + PARTS[2].len() + PARTS[3].len();

const JOINED: [Binding; COUNT] = {
    let mut joined = [PARTS[0][0]; COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut within = 0;
        while within < PARTS[part].len() {
            joined[at] = PARTS[part][within];
            (at, within) = (at + 1, within + 1);
        }
        part += 1;
    }
    joined
};

/// All key bindings.
pub const BINDINGS: &[Binding] = &JOINED;
