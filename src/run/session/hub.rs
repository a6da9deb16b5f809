//! The thread between a run and its front ends.

use super::clock::RunClock;
use super::ends::{HubHandle, WorkerReports};
use super::messages::{Incoming, NumberedReport};
use super::queue::LineSender;
use super::{Purpose, SOCKET};
use crate::run::protocol::encoding::encode;
use crate::run::protocol::{Activity, Answer, Command, Explanation, RunReport, SessionStatus};
use crossbeam_channel::{Receiver, Select, Sender, after, never, unbounded};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The front end of the run's own process.
const LOCAL: u64 = 0;

/// How long the end of a run waits for front ends to read their last reports.
const LAST_REPORTS: Duration = Duration::from_secs(2);

/// What the front end of the run's own process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalKind {
    /// A dashboard: it has the keys at first.
    Dashboard,
    /// A text output, which has no keys.
    Text,
}

/// The ends of a hub's channels, and its thread.
pub struct HubEnds {
    pub worker_reports: WorkerReports,
    pub worker_commands: Receiver<Command>,
    pub local_reports: Receiver<RunReport>,
    pub local_commands: Sender<Command>,
    pub handle: HubHandle,
    pub thread: std::thread::JoinHandle<()>,
}

/// Starts the hub of a run.
///
/// # Errors
/// If the thread cannot be started.
pub fn start(local: LocalKind) -> std::io::Result<HubEnds> {
    let (report_sender, reports) = unbounded();
    let (command_sender, worker_commands) = unbounded();
    let (local_sender, local_reports) = unbounded();
    let (local_commands, local_receiver) = unbounded();
    let (hub, incoming) = unbounded();
    let journal_events = std::cell::Cell::new(0);
    let worker_reports = WorkerReports {
        reports: report_sender,
        hub: hub.clone(),
        journal_events,
        past_events: std::cell::Cell::new(0),
    };
    let thread = std::thread::Builder::new().name("hub".to_owned()).spawn(move || {
        let hub = Hub {
            commands: Some(command_sender),
            local: Some(local_sender),
            local_commands: local_receiver,
            front_ends: Vec::new(),
            holder: (local == LocalKind::Dashboard).then_some(LOCAL),
            questions: VecDeque::new(),
            explained: VecDeque::new(),
            activity: Activity::Preparing("Starting".to_owned()),
            clock: RunClock::default(),
            journal: JournalCount::default(),
            folder: None,
            closes: false,
        };
        hub.run(&reports, &incoming);
    })?;
    let handle = HubHandle(hub);
    Ok(HubEnds { worker_reports, worker_commands, local_reports, local_commands, handle, thread })
}

/// A front end of another process.
struct FrontEnd {
    id: u64,
    name: String,
    purpose: Purpose,
    outgoing: LineSender,
    stream: UnixStream,
}

/// How many events a front end that attaches now finds in the journal.
#[derive(Default)]
struct JournalCount {
    /// Those of earlier processes; `None` if this one writes none.
    past: Option<u64>,
    /// Those that this process has added, up to the latest report.
    own: i64,
}

struct Hub {
    /// Commands to the run; dropped to let its thread end.
    commands: Option<Sender<Command>>,
    /// Reports to the front end of this process, until it disconnects.
    local: Option<Sender<RunReport>>,
    local_commands: Receiver<Command>,
    front_ends: Vec<FrontEnd>,
    /// Who has the keys.
    holder: Option<u64>,
    /// Who waits for an answer, in the order in which the run answers.
    questions: VecDeque<u64>,
    /// Who waits for an explanation, in the order in which the run explains.
    explained: VecDeque<u64>,
    activity: Activity,
    clock: RunClock,
    journal: JournalCount,
    /// Where the socket is.
    folder: Option<PathBuf>,
    /// Whether the process ends with its own front end.
    closes: bool,
}

impl Hub {
    fn run(mut self, reports: &Receiver<NumberedReport>, incoming: &Receiver<Incoming>) {
        loop {
            self.end_if_unused();
            let commands = self.local_commands.clone();
            let mut select = Select::new();
            let of_run = select.recv(reports);
            let of_others = select.recv(incoming);
            select.recv(&commands);
            let ready = select.select();
            match ready.index() {
                index if index == of_run => match ready.recv(reports) {
                    Ok((report, journaled)) => {
                        self.journal.own = journaled.unwrap_or(self.journal.own);
                        self.pass_on(report);
                    }
                    Err(_) => break,
                },
                index if index == of_others => {
                    if let Ok(message) = ready.recv(incoming) {
                        self.receive(message);
                    }
                }
                _ => {
                    if let Ok(command) = ready.recv(&commands) {
                        self.command(LOCAL, command);
                    } else {
                        self.local_commands = never();
                        self.local = None;
                        self.leave(LOCAL);
                    }
                }
            }
        }
        self.end();
    }

    /// Lets the training thread end once the run has ended and nobody can ask it anything.
    fn end_if_unused(&mut self) {
        let has_ended = self.activity == Activity::Idle && self.local.is_none();
        if has_ended && (self.closes || self.front_ends.is_empty()) && self.commands.is_some() {
            // While the run still has the lock of the folder, so that the socket is its own.
            if let Some(folder) = self.folder.take() {
                let _ = std::fs::remove_file(folder.join(SOCKET));
            }
            self.commands = None;
        }
    }

    /// Answers what the run no longer answers, and lets the front ends read their last reports.
    fn end(mut self) {
        if let Some(folder) = self.folder.take() {
            let _ = std::fs::remove_file(folder.join(SOCKET));
        }
        while let Some(id) = self.questions.pop_front() {
            let outcome = Err("the training thread has ended".to_owned());
            self.report_to(
                id,
                RunReport::Answer(Answer { text: String::new(), outcome, step: None }),
            );
        }
        let streams: Vec<UnixStream> = self.front_ends.drain(..).map(|one| one.stream).collect();
        let deadline = after(LAST_REPORTS);
        // The threads that write close their sockets when their queues are empty.
        while streams.iter().any(is_open) && deadline.try_recv().is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Passes a report of the run to its front ends.
    fn pass_on(&mut self, report: RunReport) {
        match &report {
            RunReport::Activity(activity) => self.activity = activity.clone(),
            RunReport::Event(event) => self.clock.push(event),
            RunReport::Answer(_) | RunReport::Explained(_) => {
                let questions = match report {
                    RunReport::Answer(_) => &mut self.questions,
                    _ => &mut self.explained,
                };
                if let Some(id) = questions.pop_front() {
                    self.report_to(id, report);
                }
                return;
            }
            _ => {}
        }
        // The events before a run was resumed are in its journal.
        let is_history = matches!(report, RunReport::History(_));
        if !self.front_ends.is_empty() && !is_history {
            self.broadcast(&report);
        }
        if let Some(local) = &self.local {
            let _ = local.send(report);
        }
    }

    /// Sends a report to all attached front ends; those that do not read are disconnected.
    fn broadcast(&mut self, report: &RunReport) {
        let Ok(line) = encode(report).map(Arc::from) else { return };
        let is_full = |one: &FrontEnd| one.outgoing.push(&line).is_err();
        let full: Vec<u64> =
            self.front_ends.iter().filter(|one| is_full(one)).map(|one| one.id).collect();
        for id in full {
            self.disconnect(id);
        }
    }

    fn report_to(&mut self, id: u64, report: RunReport) {
        if id == LOCAL {
            if let Some(local) = &self.local {
                let _ = local.send(report);
            }
            return;
        }
        let Some(one) = self.front_ends.iter().find(|one| one.id == id) else { return };
        let Ok(line) = encode(&report).map(Arc::from) else { return };
        if one.outgoing.push(&line).is_err() {
            self.disconnect(id);
        }
    }

    fn receive(&mut self, message: Incoming) {
        match message {
            Incoming::Opened { folder, past_events } => {
                (self.folder, self.journal.past) = (Some(folder), past_events);
                self.report_status();
            }
            Incoming::Joined { id, name, purpose, outgoing, stream } => {
                self.front_ends.push(FrontEnd { id, name, purpose, outgoing, stream });
                if purpose == Purpose::Watch && self.holder.is_none() {
                    self.holder = Some(id);
                }
                // The status says how many events of the journal come before the next reports.
                self.report_status_to(id);
                self.report_to(id, RunReport::Activity(self.activity.clone()));
                self.report_status_except(id);
            }
            Incoming::Command { id, command } => self.command(id, command),
            Incoming::Left { id, refusal } => {
                if let Some(refusal) = refusal {
                    self.report_to(id, RunReport::Refused(refusal));
                }
                self.front_ends.retain(|one| one.id != id);
                self.leave(id);
            }
            Incoming::LocalReleasesKeys => self.leave(LOCAL),
            Incoming::Close => self.closes = true,
        }
    }

    /// Disconnects a front end that does not read.
    fn disconnect(&mut self, id: u64) {
        if let Some(one) = self.front_ends.iter().find(|one| one.id == id) {
            let _ = one.stream.shutdown(std::net::Shutdown::Both);
        }
        self.front_ends.retain(|one| one.id != id);
        self.leave(id);
    }

    /// Gives the keys of a front end that has left to the one that has watched longest.
    fn leave(&mut self, id: u64) {
        if self.holder == Some(id) {
            let mut watching = self.front_ends.iter().filter(|one| one.purpose == Purpose::Watch);
            self.holder = watching.next().map(|one| one.id);
        }
        self.report_status();
    }

    fn command(&mut self, id: u64, command: Command) {
        // The process's own front end may always stop the run and save, as signals can.
        let may = self.holder == Some(id)
            || self.front_ends.iter().any(|one| one.id == id && one.purpose == Purpose::Script)
            || (id == LOCAL && matches!(command, Command::Stop { .. } | Command::SaveCheckpoint))
            || (id == LOCAL && self.holder.is_none());
        match command {
            Command::TakeKeys if self.may_hold(id) => {
                self.holder = Some(id);
                self.report_status();
            }
            Command::Predict { text } => {
                self.questions.push_back(id);
                let sent = self.commands.as_ref().is_some_and(|commands| {
                    commands.send(Command::Predict { text: text.clone() }).is_ok()
                });
                if !sent {
                    self.questions.pop_back();
                    let outcome = Err("the training thread has ended".to_owned());
                    self.report_to(id, RunReport::Answer(Answer { text, outcome, step: None }));
                }
            }
            Command::Explain { text, method } => {
                self.explained.push_back(id);
                let sent = self.commands.as_ref().is_some_and(|commands| {
                    commands.send(Command::Explain { text: text.clone(), method }).is_ok()
                });
                if !sent {
                    self.explained.pop_back();
                    let outcome = Err("the training thread has ended".to_owned());
                    self.report_to(id, RunReport::Explained(Explanation::new(text, outcome)));
                }
            }
            command if may => {
                if let Some(commands) = &self.commands {
                    let _ = commands.send(command);
                }
            }
            // It is told who has the keys.
            _ => self.report_status_to(id),
        }
    }

    /// Whether a front end may have the keys.
    fn may_hold(&self, id: u64) -> bool {
        let may = |one: &FrontEnd| one.id == id && one.purpose == Purpose::Watch;
        id == LOCAL || self.front_ends.iter().any(may)
    }

    fn report_status(&mut self) {
        self.report_status_except(u64::MAX);
    }

    fn report_status_except(&mut self, id: u64) {
        let mut ids: Vec<u64> = self.front_ends.iter().map(|one| one.id).collect();
        ids.extend(self.local.is_some().then_some(LOCAL));
        ids.retain(|other| *other != id);
        for id in ids {
            self.report_status_to(id);
        }
    }

    fn report_status_to(&mut self, id: u64) {
        let holder = self.holder.map(|holder| {
            let found = self.front_ends.iter().find(|one| one.id == holder);
            found.map_or_else(|| "the terminal of the run".to_owned(), |one| one.name.clone())
        });
        let watching = self.front_ends.iter().filter(|one| one.purpose == Purpose::Watch).count();
        let JournalCount { past, own } = self.journal;
        let status = SessionStatus {
            pid: std::process::id(),
            has_keys: self.holder == Some(id),
            holder,
            watching: watching as u64,
            elapsed: self.clock.elapsed(),
            journal_events: past.map(|past| past.saturating_add_signed(own)),
        };
        self.report_to(id, RunReport::Session(status));
    }
}

/// Whether a socket has not been shut down.
fn is_open(stream: &UnixStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && !polled[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
