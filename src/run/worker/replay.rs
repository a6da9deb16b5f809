//! A run played back: a thread that tells its events as a run under way would, at the times at
//! which they happened.

use super::{Activity, Answer, Command, Report, Source, Worker};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::Warned;
use crate::core::train::steering::Request;
use crate::run::recording::{Recording, RecordingError};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::time::{Duration, Instant};

/// Reports that wait to be taken in; a long run is not held in memory.
const AHEAD: usize = 1000;

/// Starts to play a run, `speed` seconds of it in one; infinite is as fast as it is taken in.
///
/// # Errors
/// If the recording is gone, or no thread can be started.
pub fn start(recording: &Recording, speed: f64) -> anyhow::Result<Worker> {
    let events = recording.events()?;
    let (report, reports) = bounded(AHEAD);
    let (commands, command) = unbounded();
    let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(move || {
        let ear = Commands { began: Instant::now(), command };
        // It ends when nobody is left to listen.
        let _ = Player { ear, report, speed, began: 0.0 }.play(events);
    })?;
    Ok(Worker { source: Source { reports, commands }, thread })
}

/// What is heard while the next event is not due.
enum Heard {
    Command(Command),
    /// The time is up.
    Silence,
    /// Nobody is left to say anything.
    Nobody,
}

/// The clock, and whoever gives commands.
trait Ear {
    /// Seconds since the replay began.
    fn now(&self) -> f64;
    /// Listens for so many seconds at most; for ever, if they are infinite.
    fn listen(&mut self, seconds: f64) -> Heard;
}

struct Commands {
    began: Instant,
    command: Receiver<Command>,
}

impl Ear for Commands {
    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn listen(&mut self, seconds: f64) -> Heard {
        // An hour at a time: whoever listens looks at the clock again.
        let limit = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
        match self.command.recv_timeout(limit) {
            Ok(command) => Heard::Command(command),
            Err(RecvTimeoutError::Timeout) => Heard::Silence,
            Err(RecvTimeoutError::Disconnected) => Heard::Nobody,
        }
    }
}

/// Whoever listened to the replay is gone.
struct Gone;

/// What comes after a command.
#[derive(PartialEq)]
enum Next {
    GoOn,
    Stop,
}

struct Player<E> {
    ear: E,
    report: Sender<Report>,
    /// Seconds of the run in one.
    speed: f64,
    /// When the first event was due, by the ear's clock.
    began: f64,
}

impl<E: Ear> Player<E> {
    /// Plays all events and then answers questions until nobody is left to ask.
    fn play(
        &mut self,
        events: impl Iterator<Item = Result<TrainEvent, RecordingError>>,
    ) -> Result<(), Gone> {
        self.began = self.ear.now();
        let (mut first, mut latest) = (None, 0.0f64);
        for event in events {
            let event = event.unwrap_or_else(|error| {
                // It was sound when it was opened; somebody has written over it.
                let message = sanitize_for_terminal(&error.to_string()).into_owned();
                TrainEvent::Warned(Warned { message, step: 0 })
            });
            latest = latest.max(event.elapsed().unwrap_or(0.0));
            let after = latest - *first.get_or_insert(latest);
            if self.wait(after / self.speed)? == Next::Stop {
                break;
            }
            let begins = matches!(event, TrainEvent::Started(_));
            self.tell(Report::Event(event))?;
            if begins {
                self.tell(Report::Activity(Activity::Training))?;
            }
        }
        self.tell(Report::Activity(Activity::Idle))?;
        loop {
            match self.ear.listen(f64::INFINITY) {
                Heard::Command(command) => {
                    self.obey(command)?;
                }
                Heard::Silence => {}
                Heard::Nobody => return Err(Gone),
            }
        }
    }

    /// Obeys commands until so many seconds after the beginning, and at least those that have
    /// come already.
    fn wait(&mut self, after: f64) -> Result<Next, Gone> {
        loop {
            let due = self.began + after;
            let left = due - self.ear.now();
            match self.ear.listen(left.max(0.0)) {
                Heard::Command(command) => {
                    if self.obey(command)? == Next::Stop {
                        return Ok(Next::Stop);
                    }
                }
                Heard::Silence if self.ear.now() >= due => return Ok(Next::GoOn),
                Heard::Silence => {}
                Heard::Nobody => return Err(Gone),
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next, Gone> {
        match command {
            Command::Stop { .. } => return Ok(Next::Stop),
            Command::Predict(text) => {
                let outcome = Err("a replay has no model".to_owned());
                self.tell(Report::Answer(Answer { text, outcome }))?;
            }
            Command::Steer(Request::Pause) => return self.pause(),
            Command::Save | Command::Steer(_) | Command::ReadCurves(_) => {}
        }
        Ok(Next::GoOn)
    }

    /// Waits until it is to go on; the time that goes by puts off what is to come.
    fn pause(&mut self) -> Result<Next, Gone> {
        let since = self.ear.now();
        self.tell(Report::Activity(Activity::Paused))?;
        let next = loop {
            match self.ear.listen(f64::INFINITY) {
                Heard::Command(Command::Steer(Request::Resume)) => break Next::GoOn,
                // Asked for again, it waits already.
                Heard::Command(Command::Steer(_)) | Heard::Silence => {}
                Heard::Command(command) => {
                    if self.obey(command)? == Next::Stop {
                        break Next::Stop;
                    }
                }
                Heard::Nobody => return Err(Gone),
            }
        };
        self.began += self.ear.now() - since;
        self.tell(Report::Activity(Activity::Training))?;
        Ok(next)
    }

    fn tell(&self, report: Report) -> Result<(), Gone> {
        self.report.send(report).map_err(|_| Gone)
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
