//! Flags for how the user of a run is notified.

use super::values::{choice, flag};
use crate::run::options::{EventSet, Given, NotifyFormat, NotifyOptions, NotifyUrl};
use clap::Args;

/// How the user of a run is notified.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Notifications")]
pub struct NotifyFlags {
    /// Execute a command of the shell for each event, with `NSMC_TUI_EVENT`, `NSMC_TUI_RUN`,
    /// `NSMC_TUI_MESSAGE` and `NSMC_TUI_STEP` in its environment and a JSON object on its standard
    /// input; it is killed after 30 s
    #[arg(long, value_name = "COMMAND", value_parser = flag(NotifyOptions::on_event))]
    pub on_event: Option<Given<String>>,
    /// Send a message for each event: to a topic of ntfy, a webhook of Slack or Discord, or any other
    /// address, which receives a JSON object. In the environment (`NSMC_TUI_NOTIFY_URL`) other users
    /// do not see it
    #[arg(long, value_name = "URL", value_parser = flag(NotifyOptions::notify_url))]
    pub notify_url: Option<Given<NotifyUrl>>,
    /// The form of the message [default: auto]
    #[arg(long, value_name = "FORM", value_parser = choice(NotifyOptions::notify_format))]
    pub notify_format: Option<Given<NotifyFormat>>,
    /// The events, with commas between them: finished, failed, stopped, nan, spike (of the loss),
    /// stall, best (evaluation), disk (nearly full) [default: all]
    #[arg(long, value_name = "EVENT,…|all", value_parser = flag(NotifyOptions::notify_on))]
    pub notify_on: Option<Given<EventSet>>,
    /// Minutes without a step, an evaluated batch or a checkpoint after which a run has stalled; 0 for
    /// never [default: 10]
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true, value_parser = flag(NotifyOptions::stall_minutes))]
    pub stall_minutes: Option<Given<f64>>,
}

impl From<NotifyFlags> for NotifyOptions {
    fn from(flags: NotifyFlags) -> Self {
        let NotifyFlags { on_event, notify_url, notify_format, notify_on, stall_minutes } = flags;
        Self { on_event, notify_url, notify_format, notify_on, stall_minutes }
    }
}
