//! Deliveries to a command, to a local HTTP listener and to the front end.

use super::*;
use crate::core::named::Named;
use crate::core::train::event::{CommandApplied, Finished};
use crate::core::train::fixtures::{ending, evaluated, failure, run, started, step};
use crate::run::options::{OptionGroup, ValueSource};
use std::ffi::OsStr;

fn options(given: &[(&str, &str)]) -> anyhow::Result<NotifyOptions> {
    let mut options = NotifyOptions::default();
    for (name, text) in given {
        let outcome = options.set(name, OsStr::new(text), &ValueSource::Flag);
        outcome.ok_or_else(|| anyhow::anyhow!("no option {name}"))?.map_err(anyhow::Error::msg)?;
    }
    Ok(options)
}

type Reports = Receiver<(RunReport, Option<i64>)>;

/// A notifier, and what it reports.
fn notifier(given: &[(&str, &str)], folder: &Path) -> anyhow::Result<(Notifier, Reports)> {
    let (sender, reports) = ReportsBeside::channel();
    Ok((Notifier::start(&options(given)?, folder, sender), reports))
}

fn push(notifier: &mut Notifier, events: &[TrainEvent]) {
    for event in events {
        let notification = notifier.observe(event);
        notifier.send(notification);
    }
}

fn reported(reports: &Reports) -> (Vec<NotifyEvent>, Vec<String>) {
    let (mut kinds, mut warnings) = (Vec::new(), Vec::new());
    for (report, _) in reports {
        match report {
            RunReport::Notification(notification) => kinds.push(notification.event),
            RunReport::Event(TrainEvent::Warned(warned)) => warnings.push(warned.message),
            _ => {}
        }
    }
    (kinds, warnings)
}

#[test]
fn the_end_waits_for_the_command() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("events");
    let line = format!("sleep 0.3; echo \"$NSMC_TUI_EVENT\" >> '{}'", file.display());
    let given = [("on_event", line.as_str()), ("notify_on", "finished,stopped")];
    let (mut notifier, reports) = notifier(&given, folder.path())?;
    push(&mut notifier, &[run(100), ending()].concat());
    let mut stopped = ending();
    if let Some(TrainEvent::Finished(Finished { stopped, .. })) = stopped.last_mut() {
        *stopped = true;
    }
    push(&mut notifier, &stopped);
    // It is not chosen.
    push(&mut notifier, &[failure()]);
    drop(notifier);
    assert_eq!(std::fs::read_to_string(file)?, "finished\nstopped\n");
    let kinds = vec![NotifyEvent::Finished, NotifyEvent::Stopped];
    assert_eq!(reported(&reports), (kinds, Vec::new()));
    Ok(())
}

#[test]
fn a_failing_command_is_reported_once_and_events_never_wait() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let line = "sleep 0.1; echo \"no such printer\" >&2; exit 7";
    let (mut notifier, reports) = notifier(&[("on_event", line)], folder.path())?;
    let began = Instant::now();
    for _ in 0..3 {
        notifier.fail("the disk is full");
    }
    assert!(began.elapsed() < Duration::from_millis(100));
    notifier.wait();
    let waited = began.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    drop(notifier);
    let (kinds, warnings) = reported(&reports);
    assert_eq!(kinds, [NotifyEvent::Failed; 3]);
    let expected = "the command of --on-event failed: exit status: 7: no such printer";
    assert_eq!(warnings, [expected]);
    Ok(())
}

#[test]
fn a_full_queue_is_reported_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut notifier, reports) = notifier(&[("on_event", "sleep 0.02")], folder.path())?;
    for _ in 0..MAX_WAITING + 20 {
        notifier.fail("x");
    }
    drop(notifier);
    let (kinds, warnings) = reported(&reports);
    assert_eq!((kinds.len(), warnings.len()), (MAX_WAITING + 20, 1), "{warnings:?}");
    assert!(warnings[0].starts_with("notifications are given up"));
    Ok(())
}

#[test]
fn a_stall_is_noticed_but_not_during_a_pause() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // 0.6 seconds.
    let given = [("stall_minutes", "0.01"), ("notify_on", "stall")];
    let (mut notifier, reports) = notifier(&given, folder.path())?;
    let applied = |effect| {
        TrainEvent::CommandApplied(CommandApplied { step: 1, epoch: 0.1, elapsed: 0.2, effect })
    };
    push(&mut notifier, &[TrainEvent::Started(started()), TrainEvent::Step(step(1, 0.7, 0.1))]);
    push(&mut notifier, &[applied(CommandEffect::Paused)]);
    assert!(reports.recv_timeout(Duration::from_millis(1500)).is_err(), "it is paused");
    push(&mut notifier, &[applied(CommandEffect::Resumed { seconds: 1.5 })]);
    let (report, _) = reports.recv_timeout(Duration::from_secs(20))?;
    assert!(
        matches!(&report, RunReport::Notification(stall) if stall.event == NotifyEvent::Stall),
        "{report:?}"
    );
    push(&mut notifier, &ending());
    drop(notifier);
    assert_eq!(reported(&reports).0, []);
    Ok(())
}

#[cfg(feature = "hub")]
mod address {
    use super::*;
    use crossbeam_channel::unbounded;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// Answers each request with a status and headers, and returns the requests.
    fn serve(status: &'static str, count: usize) -> anyhow::Result<(String, Receiver<String>)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}", listener.local_addr()?);
        let (sender, requests) = unbounded();
        std::thread::spawn(move || -> std::io::Result<()> {
            for stream in listener.incoming().take(count) {
                let mut stream = stream?;
                let mut reader = BufReader::new(stream.try_clone()?);
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line)?;
                    let lower = line.to_ascii_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap_or_default();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                    head += &line;
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body)?;
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes())?;
                let _ = sender.send(head + "\n" + &String::from_utf8_lossy(&body));
            }
            Ok(())
        });
        Ok((address, requests))
    }

    #[test]
    fn a_message_is_one_post_without_a_token() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (address, requests) = serve("200 OK", 2)?;
        let url = format!("{address}/hook?key=1");
        let given = [("notify_url", url.as_str()), ("notify_on", "failed")];
        let (mut sender, reports) = notifier(&given, folder.path())?;
        push(&mut sender, &[TrainEvent::Started(started()), failure()]);
        drop(sender);
        let request = requests.recv_timeout(Duration::from_secs(20))?;
        assert!(request.starts_with("POST /hook?key=1 HTTP/1.1\r\n"), "{request}");
        let lower = request.to_ascii_lowercase();
        assert!(lower.contains("content-type: application/json"), "{request}");
        assert!(!lower.contains("authorization"), "{request}");
        let body = request.split_once("\n\n").map(|(_, body)| body.to_owned());
        let body: serde_json::Value = serde_json::from_str(&body.unwrap_or_default())?;
        assert_eq!(body["event"], "failed");
        assert_eq!(body["message"], "the loss is NaN at step 101");
        assert_eq!(reported(&reports), (vec![NotifyEvent::Failed], Vec::new()));

        let given = [("notify_url", &*url), ("notify_format", "ntfy")];
        let (mut sender, _reports) = notifier(&given, folder.path())?;
        sender.fail("no data");
        drop(sender);
        let request = requests.recv_timeout(Duration::from_secs(20))?;
        assert!(request.starts_with("POST /?key=1 ") && request.contains("\"topic\":\"hook\""));
        Ok(())
    }

    /// The event in the body of a request.
    fn event_of(request: &str) -> anyhow::Result<String> {
        let body = request.split_once("\n\n").map_or("", |(_, body)| body);
        let body: serde_json::Value = serde_json::from_str(body)?;
        Ok(body["event"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn every_event_of_a_run_reaches_an_address() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let expected = NotifyEvent::VARIANTS;
        let (url, requests) = serve("200 OK", expected.len())?;
        let given = [("notify_url", url.as_str()), ("stall_minutes", "0.01")];
        let (mut sender, reports) = notifier(&given, folder.path())?;
        let mut started = started();
        // No disk has room for two checkpoints of such a model.
        started.parameters = usize::MAX;
        push(&mut sender, &[TrainEvent::Started(started)]);
        // The disk and the progress are checked on the delivering thread.
        let mut found = Vec::new();
        for _ in 0..2 {
            found.push(event_of(&requests.recv_timeout(Duration::from_secs(20))?)?);
        }
        let steps = (1..=80).map(|at| step(at, if at == 80 { 5.0 } else { 0.5 }, 0.1));
        push(&mut sender, &steps.map(TrainEvent::Step).collect::<Vec<_>>());
        let better = [evaluated(81, 1.0, 0.7, 1.0), evaluated(82, 2.0, 0.8, 2.0)];
        push(&mut sender, &better.map(TrainEvent::Evaluated));
        push(&mut sender, &[TrainEvent::Step(step(83, f64::NAN, 1.0)), failure()]);
        let mut stopped = ending();
        push(&mut sender, &stopped);
        if let Some(TrainEvent::Finished(Finished { stopped, .. })) = stopped.last_mut() {
            *stopped = true;
        }
        push(&mut sender, &stopped);
        drop(sender);
        while let Ok(request) = requests.recv_timeout(Duration::from_secs(20)) {
            found.push(event_of(&request)?);
        }
        found[..2].sort();
        let names = ["disk", "stall", "spike", "best", "nan", "failed", "finished", "stopped"];
        assert_eq!(found, names);
        assert_eq!(reported(&reports).1, Vec::<String>::new());
        Ok(())
    }

    #[test]
    fn redirects_are_not_followed_and_failures_are_reported_once_without_the_address()
    -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (elsewhere, other_requests) = serve("200 OK", 1)?;
        let location = format!("302 Found\r\nLocation: {elsewhere}/stolen");
        let (address, requests) = serve(location.leak(), 2)?;
        let url = format!("{address}/secret");
        let (mut sender, reports) = notifier(&[("notify_url", &url)], folder.path())?;
        sender.fail("one");
        sender.fail("two");
        drop(sender);
        assert_eq!(requests.iter().take(2).count(), 2);
        assert!(other_requests.try_recv().is_err());
        let (_, warnings) = reported(&reports);
        let expected = "--notify-url, 127.0.0.1: it answered 302 Found: pass the address that it \
                        redirects to";
        assert_eq!(warnings, [expected]);

        // Nothing listens there.
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let url = format!("http://{free}/secret");
        let (mut sender, reports) = notifier(&[("notify_url", &url)], folder.path())?;
        sender.fail("one");
        drop(sender);
        let (_, warnings) = reported(&reports);
        assert!(warnings.len() == 1 && !warnings[0].contains("secret"), "{warnings:?}");
        Ok(())
    }
}
