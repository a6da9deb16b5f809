//! The bytes that make a terminal ring its bell and show a notification of the desktop: OSC 9
//! (iTerm2, Windows Terminal, `WezTerm`, kitty, Ghostty) or OSC 777 (rxvt, VTE, foot).

use crate::core::text::sanitize_for_terminal;
use crate::run::protocol::Notification;
use crate::screen::display::NotifyChoice;
use crate::screen::lang::Lang;

/// The least seconds of a run whose end is notified of, unless chosen otherwise.
const LONG: f64 = 60.0;

const BELL: &str = "\x07";

/// The most bytes that wait for a frame, as in the background.
const MAX_BYTES: usize = 1 << 14;

/// Notifications that are written with the next frame, so that neither training nor keys wait for
/// them.
#[derive(Debug)]
pub(super) struct PendingNotifications {
    choice: NotifyChoice,
    lang: Lang,
    pub bytes: Vec<u8>,
}

impl PendingNotifications {
    pub fn new(choice: NotifyChoice, lang: Lang) -> Self {
        Self { choice, lang, bytes: Vec::new() }
    }

    /// Adds a notification. Returns whether the terminal notifies of it.
    pub fn push(&mut self, notification: &Notification) -> bool {
        let variable = |name: &str| std::env::var(name).ok();
        let bytes = notification_bytes(self.choice, notification, self.lang, variable);
        let has_room = self.bytes.len() + bytes.len() <= MAX_BYTES;
        if has_room {
            self.bytes.extend_from_slice(&bytes);
        }
        has_room && !bytes.is_empty()
    }
}

/// The bytes of a notification, which are empty if there is none for it. `variable` reads the
/// environment.
pub fn notification_bytes(
    choice: NotifyChoice,
    notification: &Notification,
    lang: Lang,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<u8> {
    let is_long = notification.event.is_end() && notification.seconds >= LONG;
    let (bell, osc) = match choice {
        NotifyChoice::Auto => (is_long, is_long),
        NotifyChoice::Bell => (true, false),
        NotifyChoice::Osc => (false, true),
        NotifyChoice::Both => (true, true),
        NotifyChoice::Off => (false, false),
    };
    let term = variable("TERM").unwrap_or_default();
    // The console of Linux prints what follows the sequence.
    let osc = osc && !matches!(term.as_str(), "" | "dumb" | "linux");
    let mut text = String::new();
    if osc {
        text += &osc_sequence(notification, lang, &term, &variable);
    }
    if bell && !matches!(term.as_str(), "" | "dumb") {
        text += BELL;
    }
    text.into_bytes()
}

fn osc_sequence(
    notification: &Notification,
    lang: Lang,
    term: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> String {
    // Sanitized again: a notification may come from another program.
    let clean = |text: &str| sanitize_for_terminal(text).into_owned();
    let title = format!("nsmc-tui {}", lang.tr(notification.event.name()));
    let message = lang.tr_filled(&notification.message);
    let body = format!("{}: {}", clean(&notification.run), clean(&message));
    let reads_777 =
        variable("VTE_VERSION").is_some() || term.starts_with("rxvt") || term.starts_with("foot");
    let sequence = if reads_777 {
        format!("\x1b]777;notify;{title};{body}{BELL}")
    } else {
        format!("\x1b]9;{title}: {body}{BELL}")
    };
    if variable("TMUX").is_some_and(|tmux| !tmux.is_empty()) {
        // tmux hands it to its own terminal (`set -g allow-passthrough on`).
        return format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"));
    }
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::protocol::NotifyEvent;

    fn bytes(
        choice: NotifyChoice,
        event: NotifyEvent,
        seconds: f64,
        variables: &[(&str, &str)],
    ) -> String {
        let notification = Notification {
            event,
            run: "out\u{1b}puts".to_owned(),
            message: "finished\u{7}\u{1b}\\ at step 3".to_owned(),
            step: 3,
            max_steps: 3,
            seconds,
            loss: None,
            eval_loss: None,
            eval_accuracy: None,
        };
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        String::from_utf8_lossy(&notification_bytes(choice, &notification, Lang::English, variable))
            .into_owned()
    }

    const XTERM: (&str, &str) = ("TERM", "xterm-256color");

    #[test]
    fn by_default_the_end_of_a_long_run_rings() {
        use NotifyEvent::{Failed, Finished, Nan};
        let auto = |event, seconds| bytes(NotifyChoice::Auto, event, seconds, &[XTERM]);
        let osc = "\u{1b}]9;nsmc-tui finished: out\u{fffd}puts: finished\u{fffd}\u{fffd}\\ at step 3\u{7}";
        assert_eq!(auto(Finished, 61.0), format!("{osc}\u{7}"));
        assert!(!auto(Failed, 61.0).is_empty());
        assert_eq!((auto(Finished, 59.0), auto(Nan, 61.0)), (String::new(), String::new()));
        let chosen = |choice| bytes(choice, Finished, 1.0, &[XTERM]);
        assert_eq!(chosen(NotifyChoice::Bell), "\u{7}");
        assert_eq!(chosen(NotifyChoice::Osc), osc);
        assert_eq!(chosen(NotifyChoice::Both), format!("{osc}\u{7}"));
        assert_eq!(chosen(NotifyChoice::Off), "");
    }

    #[test]
    fn the_sequence_is_that_of_the_terminal() {
        let osc = |variables: &[_]| bytes(NotifyChoice::Osc, NotifyEvent::Stall, 1.0, variables);
        let vte = osc(&[XTERM, ("VTE_VERSION", "7600")]);
        assert!(vte.starts_with("\u{1b}]777;notify;nsmc-tui stall;out"), "{vte:?}");
        let tmux = osc(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]);
        assert!(tmux.starts_with("\u{1b}Ptmux;\u{1b}\u{1b}]9;nsmc-tui stall: out"), "{tmux:?}");
        assert!(tmux.ends_with("\u{7}\u{1b}\\"), "{tmux:?}");
        assert_eq!(osc(&[("TERM", "linux")]), "");
        assert_eq!(bytes(NotifyChoice::Both, NotifyEvent::Stall, 1.0, &[("TERM", "dumb")]), "");
        assert_eq!(
            bytes(NotifyChoice::Both, NotifyEvent::Stall, 1.0, &[("TERM", "linux")]),
            "\u{7}"
        );
    }
}
