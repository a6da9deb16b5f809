//! How the user of a run is notified. These options are of one call of the program: they are neither
//! written to a run's `run.toml` nor to its checkpoints, so that a folder from elsewhere cannot make
//! a resumed run execute a command or send anything.

use super::group::option_group;
use super::parse::{from_str, not_negative, text};
use crate::core::named::{Named, named_enum, parse_name};
use crate::run::protocol::NotifyEvent;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The minutes without a step after which a run has stalled, unless given.
pub const DEFAULT_STALL_MINUTES: f64 = 10.0;

/// The longest limit: two years.
const MAX_STALL_MINUTES: f64 = 1e6;

option_group! {
    /// How the user of a run is notified.
    pub struct NotifyOptions {
        /// A command of the shell, which is executed for each event.
        on_event: String = text,
        /// The address to which a message is sent for each event.
        notify_url: NotifyUrl = from_str,
        /// The form of the message.
        notify_format: NotifyFormat = from_str,
        /// The events.
        notify_on: EventSet = from_str,
        /// Minutes without a step after which a run has stalled; 0 for never.
        stall_minutes: f64 = not_negative,
    }
}

impl NotifyOptions {
    /// Whether an event is one of those that are chosen.
    pub fn includes(&self, event: NotifyEvent) -> bool {
        self.notify_on.as_ref().is_none_or(|given| given.value.0.contains(&event))
    }

    /// Minutes without a step after which a run has stalled; `None` for never.
    pub fn stall_limit(&self) -> Option<f64> {
        let given = self.stall_minutes.as_ref().map_or(DEFAULT_STALL_MINUTES, |given| given.value);
        (given > 0.0).then_some(given.min(MAX_STALL_MINUTES))
    }
}

named_enum! {
    /// The form of the message that is sent to an address.
    #[derive(Default)]
    pub enum NotifyFormat {
        /// By the host: hooks.slack.com, discord.com, ntfy.sh and hosts that begin with ntfy; else json
        @default Auto = "auto",
        /// All values as one JSON object
        Json = "json",
        /// For a topic of ntfy: topic, title, message, priority and tags
        Ntfy = "ntfy",
        /// For an incoming webhook of Slack: text
        Slack = "slack",
        /// For a webhook of Discord: content
        Discord = "discord",
    }
}

/// Some of the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSet(pub BTreeSet<NotifyEvent>);

impl FromStr for EventSet {
    type Err = String;

    /// Parses names with commas between them, or `all`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(NotifyEvent::VARIANTS.iter().copied().collect()));
        }
        let names = text.split(',').map(|name| parse_name(name.trim()));
        let events = names.collect::<Result<_, _>>();
        events.map(Self).map_err(|expected| format!("{expected}, with commas between them, or all"))
    }
}

/// An http or https address. It is a secret: whoever knows a webhook can write to it. Only its host
/// is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NotifyUrl {
    url: String,
    host: String,
}

impl NotifyUrl {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The host in lower case, without a port and a user.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for NotifyUrl {
    /// Leaves out everything but the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyUrl").field("host", &self.host).finish_non_exhaustive()
    }
}

impl FromStr for NotifyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected an address such as https://ntfy.sh/my-topic".to_owned();
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or_else(expected)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            // An IPv6 address.
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(expected());
        }
        Ok(Self { url: text.to_owned(), host: host.to_ascii_lowercase() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_are_not_shown() -> Result<(), String> {
        for (text, host) in [
            ("https://ntfy.sh/topic", "ntfy.sh"),
            ("https://me:secret@Ntfy.Example:8443/a/topic?x=1", "ntfy.example"),
            ("http://[::1]:80/x", "::1"),
            ("http://127.0.0.1:9/x", "127.0.0.1"),
        ] {
            let url: NotifyUrl = text.parse()?;
            assert_eq!((url.host(), url.as_str()), (host, text));
            assert!(!format!("{url:?}").contains("topic"));
        }
        for text in ["", "ntfy.sh/x", "file:///etc/passwd", "https://", "https:///x", "http://a b"]
        {
            assert!(text.parse::<NotifyUrl>().is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn events_are_chosen_by_name() -> Result<(), String> {
        let chosen: EventSet = "finished, nan".parse()?;
        assert_eq!(chosen.0, [NotifyEvent::Finished, NotifyEvent::Nan].into());
        assert_eq!("all".parse::<EventSet>()?.0.len(), NotifyEvent::VARIANTS.len());
        let error = "finished,end".parse::<EventSet>().err().unwrap_or_default();
        assert!(error.contains("stall") && error.ends_with("or all"), "{error}");
        let options = NotifyOptions::default();
        assert!(options.includes(NotifyEvent::Best));
        assert_eq!(options.stall_limit(), Some(10.0));
        Ok(())
    }
}
