//! Sharing a run among front ends: that of its own process, and others that attach to it over a
//! Unix socket in the folder of the run.
//!
//! One thread, the hub, stands between the training thread and the front ends. It passes each
//! report to all of them and each command to the run. One front end at a time has the keys: only its
//! commands reach the run, except questions, which every front end may ask. A front end that does
//! not read its reports is disconnected; the run never waits for one.
//!
//! A front end that attaches reads the events so far from the journal and the rest from the socket,
//! as lines of [`encoding`](crate::run::protocol::encoding).

mod attached;
mod clock;
mod ends;
mod hub;
mod journal_follower;
mod listener;
mod messages;
mod queue;
mod stream;

pub use attached::{AttachError, Attached, Purpose, attach};
pub use ends::{HubHandle, ReportsBeside, WorkerReports};
pub use hub::LocalKind;
pub(super) use hub::start as start_hub;
pub use journal_follower::follow_journal;

use serde::{Deserialize, Serialize};

/// The name of the socket in the folder of a run.
pub const SOCKET: &str = ".nsmc-tui.sock";

/// The most bytes of a message from a front end.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The most bytes of a front end's name.
const MAX_NAME: usize = 64;

/// The first message of a front end; commands follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hello {
    /// A name for the other front ends, such as `kim on pts/3`.
    name: String,
    /// What it is attached for.
    purpose: Purpose,
}
