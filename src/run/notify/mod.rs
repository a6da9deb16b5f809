//! Notifies the user of a run who does not watch it: by a command, by a message to an address, and
//! by the terminal. Training never waits for it.

mod command;
mod delivery;
mod message;
mod watch;
mod watchdog;

pub use delivery::Notifier;
