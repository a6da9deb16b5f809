//! A front end's connection to the run of another process.

use super::{Hello, journal_follower, stream};
use crate::core::text::sanitize_for_terminal;
use crate::run::event_lines::sanitize_texts;
use crate::run::protocol::encoding::{MAX_MESSAGE_BYTES, ProtocolError, decode, encode, read_line};
use crate::run::protocol::{Activity, Answer, Command, RunChannels, RunReport, SessionStatus};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::Builder;
use std::time::Duration;

/// The most reports that wait for the dashboard.
const BUFFERED_REPORTS: usize = 4096;

/// What a front end is attached for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A dashboard, which may have the keys.
    Watch,
    /// A program, which never has the keys; its commands are applied whoever has them.
    Script,
}

/// Why no front end can be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No process of this computer runs in the folder.
    #[error("no run of this computer writes into this folder")]
    NotRunning,
    /// The run refuses.
    #[error("the run refuses: {0}")]
    Refused(String),
    /// The messages cannot be exchanged.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Its process is stopped, or very busy.
    #[error("the run does not answer; if its process is stopped, kill -CONT continues it")]
    NoAnswer,
    /// An I/O error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How long a run may take for its first answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// A connection to a run.
pub struct Attached {
    /// The reports, from the events so far, and the commands.
    pub channels: RunChannels,
    /// Who is attached.
    pub status: SessionStatus,
}

/// Attaches a front end called `name` to the run in `folder`.
///
/// # Errors
/// See [`AttachError`].
pub fn attach(folder: &Path, name: String, purpose: Purpose) -> Result<Attached, AttachError> {
    let stream = stream::connect(folder).map_err(not_running)?;
    (&stream).write_all(&encode(&Hello { name, purpose })?).map_err(not_running)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut buffer = Vec::new();
    let status = match read_report(&mut reader, &mut buffer) {
        Ok(Some(RunReport::Session(status))) => status,
        Ok(Some(RunReport::Refused(reason))) => return Err(AttachError::Refused(reason)),
        Ok(Some(_)) => return Err(AttachError::Refused("an unexpected answer".to_owned())),
        Ok(None) => return Err(AttachError::NotRunning),
        Err(ProtocolError::Io(error)) => return Err(not_running(error)),
        Err(error) => return Err(error.into()),
    };
    stream.set_read_timeout(None)?;
    let (report_sender, reports) = bounded(BUFFERED_REPORTS);
    let (commands, command_receiver) = unbounded();
    let answers = report_sender.clone();
    Builder::new().name("commands".to_owned()).spawn(move || {
        write_commands(&stream, &command_receiver, &answers);
    })?;
    let first = Reading {
        folder: folder.to_path_buf(),
        status: status.clone(),
        reports: report_sender,
        activity: None,
    };
    Builder::new().name("reports".to_owned()).spawn(move || {
        // The front end has disconnected if a report cannot be sent.
        let _ = first.run(&mut reader, buffer);
    })?;
    Ok(Attached { channels: RunChannels { reports, commands }, status })
}

/// The error of a connection; a process that ends at this moment resets it.
fn not_running(error: io::Error) -> AttachError {
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe => AttachError::NotRunning,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => AttachError::NoAnswer,
        _ => AttachError::Io(error),
    }
}

/// The thread that reads reports.
struct Reading {
    folder: PathBuf,
    status: SessionStatus,
    reports: Sender<RunReport>,
    activity: Option<Activity>,
}

/// The front end has disconnected.
struct Disconnected;

impl Reading {
    fn run(
        mut self,
        reader: &mut BufReader<UnixStream>,
        mut buffer: Vec<u8>,
    ) -> Result<(), Disconnected> {
        let events = self.status.journal_events;
        journal_follower::send_recorded(&self.folder, events, |report| self.send(report))?;
        self.send(RunReport::Session(self.status.clone()))?;
        let lost = loop {
            match read_report(reader, &mut buffer) {
                Ok(Some(RunReport::Refused(reason))) => break reason,
                Ok(Some(report)) => {
                    if let RunReport::Activity(activity) = &report {
                        self.activity = Some(activity.clone());
                    }
                    self.send(report)?;
                }
                Ok(None) if self.activity == Some(Activity::Idle) => return Ok(()),
                Ok(None) => break "its process is gone, or this terminal was too slow".to_owned(),
                Err(error) => break sanitize_for_terminal(&error.to_string()).into_owned(),
            }
        };
        self.send(RunReport::Lost(lost))
    }

    fn send(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

/// Reads a report and sanitizes its texts, except those of answers and explanations, which the front
/// end has sent.
fn read_report(
    reader: &mut BufReader<UnixStream>,
    buffer: &mut Vec<u8>,
) -> Result<Option<RunReport>, ProtocolError> {
    if !read_line(reader, buffer, MAX_MESSAGE_BYTES)? {
        return Ok(None);
    }
    let is_clean = std::str::from_utf8(buffer.trim_ascii_end()).is_ok_and(|line| {
        !line.contains('\\') && matches!(sanitize_for_terminal(line), Cow::Borrowed(_))
    });
    let report: RunReport = decode(buffer)?;
    if is_clean || matches!(report, RunReport::Answer(_) | RunReport::Explained(_)) {
        return Ok(Some(report));
    }
    let malformed = |error: serde_json::Error| ProtocolError::Malformed(error.to_string());
    let mut value = serde_json::to_value(&report).map_err(malformed)?;
    sanitize_texts(&mut value);
    serde_json::from_value(value).map(Some).map_err(malformed)
}

/// Writes commands until the front end disconnects.
fn write_commands(
    mut stream: &UnixStream,
    commands: &Receiver<Command>,
    reports: &Sender<RunReport>,
) {
    for command in commands {
        let written = encode(&command).and_then(|line| Ok(stream.write_all(&line)?));
        if let (Err(_), Command::Predict { text }) = (&written, command) {
            let outcome = Err("the run has ended".to_owned());
            let _ = reports.send(RunReport::Answer(Answer { text, outcome, step: None }));
        }
        if matches!(written, Err(ProtocolError::Io(_))) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}
