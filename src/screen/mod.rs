//! The dashboard: its state, its keys, its panels and the terminal it is drawn on.

pub mod app;
pub mod display;
pub mod keymap;
pub mod lang;
pub mod preferences;
pub mod terminal;
pub mod ui;
