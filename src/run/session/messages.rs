//! The messages to the hub.

use super::Purpose;
use super::queue::LineSender;
use crate::run::protocol::{Command, RunReport};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A report of the run, and the number of events that this process has added to its journal after
/// it; `None` leaves the number as it is. It is negative if the run has gone back to a checkpoint.
pub(super) type NumberedReport = (RunReport, Option<i64>);

/// A message to the hub that is no report of the run.
pub(super) enum Incoming {
    /// The socket is open in this folder; the journal has this many events of earlier processes, or
    /// none are written to it any more.
    Opened { folder: PathBuf, past_events: Option<u64> },
    /// A front end has attached.
    Joined { id: u64, name: String, purpose: Purpose, outgoing: LineSender, stream: UnixStream },
    /// A front end sends a command.
    Command { id: u64, command: Command },
    /// A front end has disconnected, or is to be for this reason.
    Left { id: u64, refusal: Option<String> },
    /// The front end of the run's own process gives up the keys.
    LocalReleasesKeys,
    /// The process ends with its own front end, whoever else is attached.
    Close,
}
