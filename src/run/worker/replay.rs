//! The replay of a run: a thread that reports the events of a journal at the times at which they
//! happened in the run. After its end, the saved model answers questions.

use super::Worker;
use super::saved_answers::{STACK_SIZE, SavedAnswers};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::Warned;
use crate::core::train::log_history::StepLogger;
use crate::run::protocol::{Activity, Command, RunChannels, RunReport};
use crate::run::recording::{Recording, RecordingError};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The most reports that are buffered for the front end, so that a long run is not held in memory.
const BUFFERED_REPORTS: usize = 1000;

/// Starts to replay a run at `speed` times the original speed. At infinite speed, only the front
/// end limits the rate. `folder` is that of the run, with its model.
///
/// # Errors
/// If the recording cannot be read, or the thread cannot be started.
pub fn start(recording: &Recording, speed: f64, folder: Option<PathBuf>) -> anyhow::Result<Worker> {
    let events = recording.events()?;
    let (report_sender, reports) = bounded(BUFFERED_REPORTS);
    let (commands, command_receiver) = unbounded();
    let answers = SavedAnswers::new(folder);
    let thread = std::thread::Builder::new()
        .name("replay".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(move || {
            let clock = CommandClock { started_at: Instant::now(), commands: command_receiver };
            let reports = report_sender;
            // The replay ends when the front end disconnects.
            let _ = Player { clock, reports, speed, first_due: 0.0, answers }.play(events);
        })?;
    Ok(Worker { channels: RunChannels { reports, commands }, thread, hub: None })
}

/// Why a wait ended.
enum Wakeup {
    Command(Command),
    TimedOut,
    /// The front end has disconnected.
    Disconnected,
}

/// A clock that waits for a time or a command. Tests replace it.
trait Clock {
    /// Seconds since the replay began.
    fn now(&self) -> f64;
    /// Waits for a command, at most this number of seconds, which may be infinite.
    fn wait(&mut self, seconds: f64) -> Wakeup;
    /// Whether no command is waiting.
    fn is_idle(&self) -> bool;
}

struct CommandClock {
    started_at: Instant,
    commands: Receiver<Command>,
}

impl Clock for CommandClock {
    fn now(&self) -> f64 {
        self.started_at.elapsed().as_secs_f64()
    }

    fn wait(&mut self, seconds: f64) -> Wakeup {
        // The wait is at most an hour, after which the caller reads the clock again.
        let limit = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
        match self.commands.recv_timeout(limit) {
            Ok(command) => Wakeup::Command(command),
            Err(RecvTimeoutError::Timeout) => Wakeup::TimedOut,
            Err(RecvTimeoutError::Disconnected) => Wakeup::Disconnected,
        }
    }

    fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }
}

/// The front end has disconnected.
struct Disconnected;

/// Whether the replay continues after a command.
#[derive(PartialEq)]
enum AfterCommand {
    Continue,
    Stop,
}

struct Player<C> {
    clock: C,
    reports: Sender<RunReport>,
    /// The speed: seconds of the run per second of the replay.
    speed: f64,
    /// The time on the clock at which the first event was due.
    first_due: f64,
    answers: SavedAnswers,
}

impl<C: Clock> Player<C> {
    /// Reports all events, then handles predictions until the front end disconnects.
    fn play(
        &mut self,
        events: impl Iterator<Item = Result<TrainEvent, RecordingError>>,
    ) -> Result<(), Disconnected> {
        self.first_due = self.clock.now();
        let (mut first, mut latest) = (None, 0.0f64);
        let mut logger = StepLogger::default();
        for event in events {
            let event = event.unwrap_or_else(|error| {
                // The file was valid when it was opened and has been changed since.
                let message = sanitize_for_terminal(&error.to_string()).into_owned();
                TrainEvent::Warned(Warned { message, step: 0 })
            });
            latest = latest.max(event.elapsed().unwrap_or(0.0));
            let after = latest - *first.get_or_insert(latest);
            if self.wait_until(after / self.speed)? == AfterCommand::Stop {
                break;
            }
            let is_start = matches!(event, TrainEvent::Started(_));
            self.answers.push(&event);
            let logged = logger.push(&event);
            self.report(RunReport::Event(event))?;
            if let Some(logged) = logged {
                self.report(RunReport::Event(TrainEvent::Logged(logged)))?;
            }
            if is_start {
                self.report(RunReport::Activity(Activity::Training))?;
            }
        }
        self.report(RunReport::Activity(Activity::Idle))?;
        loop {
            match self.clock.wait(f64::INFINITY) {
                Wakeup::Command(command) => {
                    self.apply(command)?;
                }
                Wakeup::TimedOut => {}
                Wakeup::Disconnected => return Err(Disconnected),
            }
        }
    }

    /// Applies commands until `after` seconds after the first event. Pending commands are applied
    /// even if that time has passed.
    fn wait_until(&mut self, after: f64) -> Result<AfterCommand, Disconnected> {
        loop {
            let due = self.first_due + after;
            let left = due - self.clock.now();
            match self.clock.wait(left.max(0.0)) {
                Wakeup::Command(command) => {
                    if self.apply(command)? == AfterCommand::Stop {
                        return Ok(AfterCommand::Stop);
                    }
                }
                Wakeup::TimedOut if self.clock.now() >= due => return Ok(AfterCommand::Continue),
                Wakeup::TimedOut => {}
                Wakeup::Disconnected => return Err(Disconnected),
            }
        }
    }

    fn apply(&mut self, command: Command) -> Result<AfterCommand, Disconnected> {
        match command {
            Command::Stop { .. } => return Ok(AfterCommand::Stop),
            Command::Pause => return self.pause(),
            // The other commands need a run.
            question => {
                let clock = &self.clock;
                let answer = self.answers.report(question, &mut || clock.is_idle());
                answer.map_or(Ok(()), |answer| self.report(answer))?;
            }
        }
        Ok(AfterCommand::Continue)
    }

    /// Waits for the end of the pause, and delays the remaining events by it.
    fn pause(&mut self) -> Result<AfterCommand, Disconnected> {
        let paused_at = self.clock.now();
        self.report(RunReport::Activity(Activity::Paused))?;
        let after = loop {
            match self.clock.wait(f64::INFINITY) {
                Wakeup::Command(Command::Resume) => break AfterCommand::Continue,
                Wakeup::Command(Command::Pause) | Wakeup::TimedOut => {}
                Wakeup::Command(command) => {
                    if self.apply(command)? == AfterCommand::Stop {
                        break AfterCommand::Stop;
                    }
                }
                Wakeup::Disconnected => return Err(Disconnected),
            }
        };
        self.first_due += self.clock.now() - paused_at;
        self.report(RunReport::Activity(Activity::Training))?;
        Ok(after)
    }

    fn report(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
