//! The message that is sent to an address, in the form that its service reads.

use crate::core::text::truncate_width;
use crate::run::options::{NotifyFormat, NotifyUrl};
use crate::run::protocol::{Notification, NotifyEvent};
use serde_json::{Value, json};

/// The most columns of a text: Discord accepts 2,000 characters.
const MAX_COLUMNS: usize = 1500;

/// A request: the address, which may differ from the one that was given, and the JSON object.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub url: String,
    pub body: Value,
}

/// The form of the messages to a host.
fn of_host(host: &str) -> NotifyFormat {
    match host {
        "hooks.slack.com" => NotifyFormat::Slack,
        "discord.com" | "discordapp.com" => NotifyFormat::Discord,
        host if host == "ntfy.sh" || host.starts_with("ntfy.") => NotifyFormat::Ntfy,
        _ => NotifyFormat::Json,
    }
}

/// The request that sends a notification.
///
/// # Errors
/// If the address has no topic, which ntfy needs.
pub(super) fn request(
    url: &NotifyUrl,
    format: NotifyFormat,
    notification: &Notification,
) -> Result<Request, String> {
    let format = match format {
        NotifyFormat::Auto => of_host(url.host()),
        format => format,
    };
    let title = format!("nsmc-tui {}: {}", notification.run, notification.event);
    let text = truncate_width(&format!("{title}: {}", notification.message), MAX_COLUMNS);
    let whole = url.as_str().to_owned();
    Ok(match format {
        NotifyFormat::Auto | NotifyFormat::Json => {
            let body = serde_json::to_value(notification).map_err(|error| error.to_string())?;
            Request { url: whole, body }
        }
        // Slack reads & < > as its own marks.
        NotifyFormat::Slack => {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Request { url: whole, body: json!({ "text": text }) }
        }
        NotifyFormat::Discord => {
            let body = json!({ "content": text, "allowed_mentions": { "parse": [] } });
            Request { url: whole, body }
        }
        NotifyFormat::Ntfy => {
            let (root, topic) = split_topic(&whole)
                .ok_or("ntfy needs a topic in the address, such as https://ntfy.sh/my-topic")?;
            let body = json!({
                "topic": topic,
                "title": title,
                "message": notification.message,
                "priority": if notification.event.is_problem() { 4 } else { 3 },
                "tags": [tag(notification.event)],
            });
            Request { url: root, body }
        }
    })
}

/// The address of an ntfy server, to which JSON is sent, and the topic.
fn split_topic(url: &str) -> Option<(String, String)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = path.split_once("://")?;
    let (server, topic) = rest.trim_end_matches('/').rsplit_once('/')?;
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    (!topic.is_empty()).then(|| (format!("{scheme}://{server}/{query}"), topic.to_owned()))
}

/// ntfy's name of an emoji.
fn tag(event: NotifyEvent) -> &'static str {
    match event {
        NotifyEvent::Finished => "white_check_mark",
        NotifyEvent::Failed => "x",
        NotifyEvent::Stopped => "stop_button",
        NotifyEvent::Best => "chart_with_upwards_trend",
        NotifyEvent::Nan | NotifyEvent::Spike | NotifyEvent::Stall | NotifyEvent::Disk => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        Notification {
            event: NotifyEvent::Failed,
            run: "outputs".to_owned(),
            message: "row 3 has <!channel> & @everyone".to_owned(),
            step: 7,
            max_steps: 9,
            seconds: 1.5,
            loss: Some(0.25),
            eval_loss: None,
            eval_accuracy: None,
        }
    }

    fn sent(url: &str) -> Result<Request, String> {
        request(&url.parse()?, NotifyFormat::Auto, &notification())
    }

    #[test]
    fn the_host_decides_on_the_form() -> Result<(), String> {
        let slack = sent("https://hooks.slack.com/services/T/B/x")?;
        let text = "nsmc-tui outputs: failed: row 3 has &lt;!channel&gt; &amp; @everyone";
        assert_eq!(slack.body, json!({ "text": text }));

        let discord = sent("https://discord.com/api/webhooks/1/x")?;
        let text = "nsmc-tui outputs: failed: row 3 has <!channel> & @everyone";
        let expected = json!({ "content": text, "allowed_mentions": { "parse": [] } });
        assert_eq!(discord.body, expected);

        let ntfy = sent("https://ntfy.sh/topic")?;
        assert_eq!((ntfy.url.as_str(), &ntfy.body["topic"]), ("https://ntfy.sh/", &json!("topic")));
        assert_eq!(ntfy.body["message"], "row 3 has <!channel> & @everyone");
        let ntfy = sent("https://ntfy.example:8/a/topic/?auth=x")?;
        assert_eq!(ntfy.url, "https://ntfy.example:8/a/?auth=x");
        assert!(sent("https://ntfy.sh/").is_err_and(|reason| reason.contains("topic")));

        let other = sent("https://example.org/hook?key=1")?;
        assert_eq!(other.url, "https://example.org/hook?key=1");
        let expected = json!({
            "event": "failed", "run": "outputs", "message": "row 3 has <!channel> & @everyone",
            "step": 7, "max_steps": 9, "seconds": 1.5, "loss": 0.25,
        });
        assert_eq!(other.body, expected);
        Ok(())
    }
}
