//! Reading a run from its journal: the events so far for a front end that attaches, and all of a run
//! whose process cannot be reached, because another computer of a shared file system runs it.

use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Logged, Warned};
use crate::core::train::log_history::StepLogger;
use crate::run::journal::JOURNAL;
use crate::run::protocol::{Activity, Answer, Command, RunChannels, RunReport, SessionStatus};
use crate::run::recording::{Recording, RecordingError, RecordingFollower};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most events of a report.
const EVENTS_AT_ONCE: usize = 500;

/// How often a journal is read again.
const INTERVAL: Duration = Duration::from_millis(500);

/// Sends the events in the journal of a folder, at most the first `limit`, each with its log entry.
///
/// # Errors
/// The errors of `send`. A journal that cannot be read is reported as a warning.
pub(super) fn send_recorded<E>(
    folder: &Path,
    limit: Option<u64>,
    mut send: impl FnMut(RunReport) -> Result<(), E>,
) -> Result<(), E> {
    if limit == Some(0) {
        return Ok(());
    }
    let opened = Recording::open(&folder.join(JOURNAL));
    let events = opened.and_then(|found| found.limited_to(limit.unwrap_or(u64::MAX)).events());
    let events = match events {
        Ok(events) => events,
        // A run that has just begun has no events.
        Err(RecordingError::Missing(..)) => return Ok(()),
        Err(error) => return send(unreadable(&error)),
    };
    let mut logger = StepLogger::default();
    let mut chunk = Vec::new();
    for event in events {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                send(unreadable(&error))?;
                break;
            }
        };
        let logged = logger.push(&event).map(TrainEvent::Logged);
        chunk.push(event);
        chunk.extend(logged);
        if chunk.len() >= EVENTS_AT_ONCE {
            send(RunReport::Recorded(std::mem::take(&mut chunk)))?;
        }
    }
    if chunk.is_empty() { Ok(()) } else { send(RunReport::Recorded(chunk)) }
}

fn unreadable(error: &RecordingError) -> RunReport {
    let message = sanitize_for_terminal(&error.to_string()).into_owned();
    RunReport::Event(TrainEvent::Warned(Warned { message, step: 0 }))
}

/// Follows the journal of a run whose process cannot be reached: its events so far, and those that
/// are added. It takes no commands.
///
/// # Errors
/// If there is no journal, or a thread cannot be started.
pub fn follow_journal(folder: &Path) -> anyhow::Result<RunChannels> {
    let follower = RecordingFollower::new(folder)?;
    let (sender, reports) = bounded(EVENTS_AT_ONCE);
    let (commands, receiver) = unbounded();
    let following = Following { folder: folder.to_path_buf(), reports: sender, commands: receiver };
    std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        // It ends when the front end disconnects.
        let _ = following.run(follower);
    })?;
    Ok(RunChannels { reports, commands })
}

struct Following {
    folder: PathBuf,
    reports: Sender<RunReport>,
    commands: Receiver<Command>,
}

/// The front end has disconnected.
struct Disconnected;

impl Following {
    fn run(&self, mut follower: RecordingFollower) -> Result<(), Disconnected> {
        // The first read only finds the position up to which the recording is sent as a whole.
        let (mut has_ended, mut logger) = (false, StepLogger::default());
        let (mut lines, mut elapsed) = (0, None);
        let first = follower.read(|event| {
            lines += 1;
            has_ended |= ends(event);
            elapsed = event.elapsed().or(elapsed);
            logger.push(event);
        });
        if let Err(error) = first {
            self.send(unreadable(&error))?;
        }
        send_recorded(&self.folder, Some(lines), |report| self.send(report))?;
        // The time since the last event is not known.
        self.send(RunReport::Session(SessionStatus { elapsed, ..SessionStatus::default() }))?;
        self.send(RunReport::Activity(if has_ended {
            Activity::Idle
        } else {
            Activity::Training
        }))?;
        loop {
            match self.commands.recv_timeout(INTERVAL) {
                Ok(Command::Predict { text }) => {
                    let why = "the process of the run cannot be reached from here";
                    let outcome = Err(why.to_owned());
                    self.send(RunReport::Answer(Answer { text, outcome, step: None }))?;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
                Err(RecvTimeoutError::Timeout) => self.read_added(&mut follower, &mut logger)?,
            }
        }
    }

    fn read_added(
        &self,
        follower: &mut RecordingFollower,
        logger: &mut StepLogger,
    ) -> Result<(), Disconnected> {
        let mut added: Vec<(TrainEvent, Option<Logged>)> = Vec::new();
        let read = follower.read(|event| added.push((event.clone(), logger.push(event))));
        if (read.is_err() || is_shorter(&self.folder, follower.length()))
            && let Ok(replaced) = RecordingFollower::new(&self.folder)
        {
            // The run went back to a checkpoint, or was resumed. What is known of it already is not
            // sent again, but what follows the last rollback is.
            (*follower, *logger) = (replaced, StepLogger::default());
            added.clear();
            let read = follower.read(|event| {
                let logged = logger.push(event);
                if matches!(event, TrainEvent::RolledBack(_)) {
                    added.clear();
                    added.push((event.clone(), logged));
                } else if !added.is_empty() {
                    added.push((event.clone(), logged));
                }
            });
            if read.is_err() {
                // It is being replaced, and read again the next time.
                return Ok(());
            }
        }
        for (event, logged) in added {
            let is_end = ends(&event);
            self.send(RunReport::Event(event))?;
            if let Some(logged) = logged {
                self.send(RunReport::Event(TrainEvent::Logged(logged)))?;
            }
            if is_end {
                self.send(RunReport::Activity(Activity::Idle))?;
            }
        }
        Ok(())
    }

    fn send(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

/// Whether the journal of a folder has fewer bytes than were read of it.
fn is_shorter(folder: &Path, read: u64) -> bool {
    std::fs::metadata(folder.join(JOURNAL)).is_ok_and(|found| found.len() < read)
}

/// Whether a run ends with this event.
fn ends(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Finished(_) | TrainEvent::Failed(_))
}
