use super::*;
use crate::core::atomic_write::write_atomically;
use crate::core::attribution::ExplainMethod;
use crate::core::text::to_json;
use crate::core::train::TrainEvent;
use crate::core::train::event::RolledBack;
use crate::core::train::fixtures::{run, step};
use crate::run::journal::{JOURNAL, Journal};
use crate::run::protocol::RunChannels;
use crate::run::session::{Attached, attach, follow_journal};
use std::io::{Read, Write};
use std::time::Instant;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WAIT: Duration = Duration::from_secs(20);

/// A run without a training thread.
struct FakeRun {
    folder: tempfile::TempDir,
    ends: HubEnds,
    journal: Journal,
}

impl FakeRun {
    fn start(local: LocalKind) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let journal = Journal::create(&folder.path().join(JOURNAL))?;
        let ends = start(local)?;
        ends.worker_reports.open_session(folder.path(), Some(0))?;
        Ok(Self { folder, ends, journal })
    }

    fn publish(&mut self, event: TrainEvent) -> TestResult {
        self.journal.append(&event)?;
        self.ends.worker_reports.count_journaled();
        self.ends.worker_reports.send(RunReport::Event(event));
        Ok(())
    }

    fn attach(&self, name: &str, purpose: Purpose) -> Result<Attached, Box<dyn std::error::Error>> {
        Ok(attach(self.folder.path(), name.to_owned(), purpose)?)
    }

    /// A connection that speaks for itself.
    fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.folder.path().join(SOCKET))
    }

    fn next_command(&self) -> Option<Command> {
        self.ends.worker_commands.recv_timeout(WAIT).ok()
    }
}

/// Reads reports until one for which `found` returns a value.
fn wait_for<T>(reports: &Receiver<RunReport>, mut found: impl FnMut(RunReport) -> Option<T>) -> T {
    loop {
        let report = reports.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no such report"));
        if let Some(value) = found(report) {
            return value;
        }
    }
}

fn session(report: RunReport) -> Option<SessionStatus> {
    match report {
        RunReport::Session(status) => Some(status),
        _ => None,
    }
}

fn has_keys(channels: &RunChannels, expected: bool) {
    wait_for(&channels.reports, |report| session(report).filter(|s| s.has_keys == expected));
}

/// The events of the reports up to the first activity after the last of `count` events.
fn events(channels: &RunChannels, count: usize) -> Vec<TrainEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        match channels.reports.recv_timeout(WAIT) {
            Ok(RunReport::Recorded(recorded)) => {
                events.extend(recorded.into_iter().filter(TrainEvent::is_journaled));
            }
            Ok(RunReport::Event(event)) => events.push(event),
            Ok(_) => {}
            Err(error) => panic!("{error}: {} of {count} events", events.len()),
        }
    }
    events
}

#[test]
fn a_front_end_that_attaches_sees_every_event_once() -> TestResult {
    let mut fake = FakeRun::start(LocalKind::Text)?;
    let all = run(200);
    for event in &all[..100] {
        fake.publish(event.clone())?;
    }
    let first = fake.attach("first", Purpose::Watch)?;
    for event in &all[100..150] {
        fake.publish(event.clone())?;
    }
    let second = fake.attach("second", Purpose::Watch)?;
    for event in &all[150..] {
        fake.publish(event.clone())?;
    }
    for front_end in [&first, &second] {
        assert_eq!(events(&front_end.channels, all.len()), all);
    }
    assert_eq!(first.status.pid, std::process::id());
    Ok(())
}

#[test]
fn after_a_rollback_front_ends_read_the_shorter_journal() -> TestResult {
    let mut fake = FakeRun::start(LocalKind::Text)?;
    let all = run(30);
    for event in &all {
        fake.publish(event.clone())?;
    }
    let following = follow_journal(fake.folder.path())?;
    assert_eq!(events(&following, all.len()), all);
    // As the recorder does: the events up to the checkpoint replace the file at once.
    let kept = &all[..=10];
    let lines: Vec<String> = kept.iter().map(to_json).collect::<Result<_, _>>()?;
    let file = fake.folder.path().join(JOURNAL);
    write_atomically(&file, (lines.join("\n") + "\n").as_bytes())?;
    fake.journal = Journal::new(&file, || Ok(()));
    fake.ends.worker_reports.recount_journaled(kept.len() as u64);
    let back = TrainEvent::RolledBack(RolledBack {
        step: 10,
        epoch: 10.0 / 63.0,
        failed_step: 31,
        learning_rate: 1e-4,
        count: 1,
        limit: 3,
        elapsed: 4.0,
    });
    let later = [back, TrainEvent::Step(step(11, 0.5, 4.5))];
    for event in &later {
        fake.publish(event.clone())?;
    }
    let late = fake.attach("late", Purpose::Watch)?;
    assert_eq!(events(&late.channels, kept.len() + 2), [kept, &later].concat());
    assert_eq!(events(&following, 2), later);
    Ok(())
}

#[test]
fn one_front_end_has_the_keys_and_another_takes_them_over() -> TestResult {
    let fake = FakeRun::start(LocalKind::Dashboard)?;
    let first = fake.attach("first", Purpose::Watch)?.channels;
    has_keys(&first, false);
    first.commands.send(Command::Pause)?;
    let refused = wait_for(&first.reports, session);
    assert_eq!(refused.holder.as_deref(), Some("the terminal of the run"));
    fake.ends.local_commands.send(Command::Evaluate)?;
    assert_eq!(fake.next_command(), Some(Command::Evaluate), "not the pause");

    first.commands.send(Command::TakeKeys)?;
    has_keys(&first, true);
    wait_for(&fake.ends.local_reports, |report| {
        session(report).filter(|status| status.holder.as_deref() == Some("first"))
    });
    fake.ends.local_commands.send(Command::Evaluate)?;
    first.commands.send(Command::Pause)?;
    assert_eq!(fake.next_command(), Some(Command::Pause), "not the evaluation");
    fake.ends.local_commands.send(Command::Stop { evaluate: false })?;
    let stop = Command::Stop { evaluate: false };
    assert_eq!(fake.next_command(), Some(stop), "its own terminal may always stop it");

    // A program needs no keys; those of a front end that leaves go to the next one.
    let script = fake.attach("script", Purpose::Script)?.channels;
    script.commands.send(Command::SaveCheckpoint)?;
    assert_eq!(fake.next_command(), Some(Command::SaveCheckpoint));
    let second = fake.attach("second", Purpose::Watch)?.channels;
    has_keys(&second, false);
    drop(first);
    has_keys(&second, true);
    Ok(())
}

#[test]
fn an_answer_goes_to_the_one_who_asked() -> TestResult {
    let fake = FakeRun::start(LocalKind::Dashboard)?;
    let first = fake.attach("first", Purpose::Watch)?.channels;
    let second = fake.attach("second", Purpose::Watch)?.channels;
    let predict = |text: &str| Command::Predict { text: text.to_owned() };
    for (commands, text) in [
        (&second.commands, "by the second"),
        (&first.commands, "by the first"),
        (&fake.ends.local_commands, "by the terminal"),
    ] {
        commands.send(predict(text))?;
        assert_eq!(fake.next_command(), Some(predict(text)));
    }
    for text in ["by the second", "by the first", "by the terminal"] {
        let outcome = Err("answered".to_owned());
        fake.ends.worker_reports.send(RunReport::Answer(Answer {
            text: text.to_owned(),
            outcome,
            step: None,
        }));
    }
    let answer = |reports: &Receiver<RunReport>| {
        wait_for(reports, |report| match report {
            RunReport::Answer(answer) => Some(answer.text),
            _ => None,
        })
    };
    assert_eq!(answer(&first.reports), "by the first");
    assert_eq!(answer(&second.reports), "by the second");
    assert_eq!(answer(&fake.ends.local_reports), "by the terminal");
    Ok(())
}

#[test]
fn an_explanation_goes_to_the_one_who_asked() -> TestResult {
    let fake = FakeRun::start(LocalKind::Dashboard)?;
    let first = fake.attach("first", Purpose::Watch)?.channels;
    let second = fake.attach("second", Purpose::Watch)?.channels;
    let method = ExplainMethod::IntegratedGradients;
    let explain = |text: &str| Command::Explain { text: text.to_owned(), method };
    for (commands, text) in [(&second.commands, "second"), (&first.commands, "first")] {
        commands.send(explain(text))?;
        assert_eq!(fake.next_command(), Some(explain(text)));
    }
    for text in ["second", "first"] {
        let explanation = Explanation::new(text.to_owned(), Err("no".to_owned()));
        fake.ends.worker_reports.send(RunReport::Explained(explanation));
    }
    for (front_end, expected) in [(&first, "first"), (&second, "second")] {
        let text = wait_for(&front_end.reports, |report| match report {
            RunReport::Explained(explanation) => Some(explanation.text),
            _ => None,
        });
        assert_eq!(text, expected);
    }
    Ok(())
}

#[test]
fn a_front_end_that_does_not_read_is_disconnected_and_nobody_waits_for_it() -> TestResult {
    let mut fake = FakeRun::start(LocalKind::Text)?;
    let mut frozen = fake.connect()?;
    frozen.write_all(&encode(&super::super::Hello {
        name: "frozen".to_owned(),
        purpose: Purpose::Watch,
    })?)?;
    wait_for(&fake.ends.local_reports, |report| session(report).filter(|s| s.watching == 1));
    let reading = fake.attach("reading", Purpose::Watch)?.channels;
    let all = run(40_000);
    let began = Instant::now();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let published = std::thread::scope(|scope| {
        // Far more events a second than of a run, but no more than a thread can read.
        let read = scope.spawn(|| {
            let chunks = all.chunks(1000);
            let read = chunks.map(|chunk| {
                let read = events(&reading, chunk.len());
                count.fetch_add(read.len(), std::sync::atomic::Ordering::SeqCst);
                read
            });
            read.collect::<Vec<_>>().concat()
        });
        for (number, event) in all.iter().enumerate() {
            let outcome = fake.publish(event.clone());
            assert!(outcome.is_ok(), "{outcome:?}");
            while number > count.load(std::sync::atomic::Ordering::SeqCst) + 5000 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let published = began.elapsed();
        assert!(read.join().is_ok_and(|events| events == all));
        published
    });
    assert!(published < WAIT, "{published:?}");
    // What is in the socket's own buffer can still be read; then it ends.
    frozen.set_read_timeout(Some(WAIT))?;
    let mut rest = Vec::new();
    frozen.read_to_end(&mut rest)?;
    assert!(rest.len() < 16 << 20, "{} bytes", rest.len());
    Ok(())
}

#[test]
fn hostile_front_ends_are_refused_and_the_run_goes_on() -> TestResult {
    let mut fake = FakeRun::start(LocalKind::Text)?;
    let hello = encode(&super::super::Hello { name: "x".to_owned(), purpose: Purpose::Watch })?;
    let huge = vec![b'x'; 3 << 20];
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("another version", br#"{"version":99,"message":{}}"#.to_vec(), "protocol version 99"),
        ("garbage", b"GET / HTTP/1.1".to_vec(), "not a message"),
        ("a huge message", huge.clone(), "longer than"),
        ("garbage later", [&hello[..], b"\xff\xff"].concat(), "not a message"),
        ("a huge command", [&hello[..], &huge].concat(), "longer than"),
    ];
    for (what, bytes, expected) in cases {
        let mut stream = fake.connect()?;
        stream.set_read_timeout(Some(WAIT))?;
        // The run may have closed the socket before it has read all.
        let _ = stream.write_all(&bytes).and_then(|()| stream.write_all(b"\n"));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(expected) || answer.is_empty(), "{what}: {answer}");
    }
    // Names reach other screens.
    let name = "\u{1b}[2J\u{7}".to_owned() + &"x".repeat(1000);
    let named = fake.attach(&name, Purpose::Watch)?.channels;
    has_keys(&named, true);
    let other = fake.attach("other", Purpose::Watch)?;
    let shown = other.status.holder.unwrap_or_default();
    assert!(!shown.contains('\u{1b}') && shown.len() < 100, "{shown:?}");
    let event = run(1).remove(0);
    fake.publish(event.clone())?;
    assert_eq!(events(&other.channels, 1), [event]);
    Ok(())
}

#[test]
fn a_run_that_has_ended_waits_for_its_front_ends_unless_it_closes() -> TestResult {
    for closes in [false, true] {
        let fake = FakeRun::start(LocalKind::Text)?;
        let front_end = fake.attach("front end", Purpose::Watch)?.channels;
        let FakeRun { folder, ends, .. } = fake;
        let HubEnds { worker_reports, worker_commands, local_commands, handle, thread, .. } = ends;
        worker_reports.send(RunReport::Activity(Activity::Idle));
        if closes {
            handle.close();
        }
        drop(local_commands);
        if !closes {
            let early = worker_commands.recv_timeout(Duration::from_millis(200));
            assert_eq!(early, Err(crossbeam_channel::RecvTimeoutError::Timeout));
            front_end.commands.send(Command::Predict { text: "질문".to_owned() })?;
            let asked = worker_commands.recv_timeout(WAIT);
            assert_eq!(asked, Ok(Command::Predict { text: "질문".to_owned() }));
            drop(front_end);
        }
        // The training thread would end now.
        assert!(worker_commands.recv_timeout(WAIT).is_err_and(|e| e.is_disconnected()));
        drop(worker_reports);
        assert!(thread.join().is_ok());
        assert!(!folder.path().join(SOCKET).exists());
    }
    Ok(())
}
