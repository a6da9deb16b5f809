//! The dashboard in a terminal: input and signals are read and frames are written on separate
//! threads, and the terminal is restored however the dashboard ends.

mod ansi_backend;
mod clipboard;
mod clusters;
mod connection;
mod effects;
mod frame_pacing;
mod guard;
pub mod guardian;
mod inbox;
mod input;
mod job_control;
pub mod notification;
mod pictures;
mod run_files;
mod sequences;
mod width_probe;
mod writer;

use crate::run::protocol::{Activity, Command, RunReport};
use crate::run::run_index::RunIndexReport;
use crate::run::system_metrics::SystemSampler;
use crate::run::worker::panic_if_requested;
use crate::screen::app::{FrameLayout, Message, RunLocation, State, update};
use crate::screen::display::DisplayOptions;
use crate::screen::keymap;
use crate::screen::ui::{self, Theme};
use ansi_backend::AnsiBackend;
use clusters::Clusters;
pub use connection::Connection;
use crossbeam_channel::{Sender, never, unbounded};
use crossterm::event::{Event, KeyEventKind};
use frame_pacing::{FramePacing, local_time};
use guard::{TerminalGuard, install_panic_hook};
use inbox::{Inbox, Received};
use input::{ExternalEvent, InputThread, SignalThread, convert_mouse};
use notification::PendingNotifications;
use ratatui::Terminal;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use writer::FrameWriter;

/// How often the elapsed times on the screen advance, and how often a job in the background checks
/// whether it is in the foreground again.
const TICK: Duration = Duration::from_secs(1);

/// The maximum number of reports applied before input is checked again.
const MAX_REPORTS: usize = 1000;

/// Why the dashboard was closed.
#[derive(Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The user quit, or the run failed before it began.
    Quit,
    /// The user leaves the run, which continues in the background.
    Detached,
    /// A signal of this number.
    Signalled(u8),
    /// The terminal is gone; the run continues.
    HungUp,
    /// Drawing panicked; the terminal is restored and the run continues.
    Panicked,
}

/// Which program uses the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalOwner {
    Dashboard,
    /// The terminal is restored and the process is about to be stopped.
    Suspending,
    /// The process was stopped. It may have been continued in the background, without a screen.
    Shell,
}

/// Shows a run until the user quits, beginning with `state`. Also returns the last state.
///
/// # Errors
/// If the terminal cannot be acquired, or a thread cannot be started.
pub fn run(
    connection: &impl Connection,
    display: DisplayOptions,
    state: State,
) -> anyhow::Result<(ExitReason, State)> {
    install_panic_hook();
    let (sender, external) = unbounded();
    let signals = SignalThread::start(sender.clone())?;
    let guard = TerminalGuard::acquire(!display.no_mouse, state.lang)?;
    // A replay, for one, shows neither the current time nor the computer's load.
    let is_live = state.replay.is_none() && state.runs.is_none() && state.asked_model.is_none();
    let process = match state.location {
        RunLocation::Attached { pid } => Some(pid),
        _ => None,
    };
    let is_reached = is_live && state.location != RunLocation::Unreachable;
    let sampler = is_reached.then(|| SystemSampler::start(process)).transpose()?;
    let writer = FrameWriter::start()?;
    let mut dashboard = Dashboard {
        inbox: Inbox {
            external,
            reports: connection.reports().clone(),
            samples: sampler.as_ref().map_or_else(never, |sampler| sampler.samples.clone()),
            frame_outcomes: writer.outcomes.clone(),
        },
        connection,
        terminal: Terminal::new(AnsiBackend::default())?,
        writer,
        // Before the input thread reads the answer of the terminal.
        theme: width_probe::choose_theme(display, &sender),
        input: InputThread::start(sender.clone())?,
        sender,
        guard,
        owner: TerminalOwner::Dashboard,
        pacing: FramePacing::new(display.low_bandwidth),
        state: State { wall_clock: is_live.then(local_time), ..state },
        start: Instant::now(),
        foreground_checked: Instant::now(),
        signal: None,
        notifications: PendingNotifications::new(display.notify, state.lang),
        clusters: Clusters::default(),
    };
    let reason = catch_unwind(AssertUnwindSafe(|| dashboard.run()));
    let Dashboard { input, guard, state, .. } = dashboard;
    input.close();
    drop(guard);
    let reason = reason.unwrap_or(ExitReason::Panicked);
    match reason {
        ExitReason::Quit | ExitReason::Detached => input.join(),
        ExitReason::HungUp => input::block_input()?,
        // If the terminal is gone as well, the thread may never end.
        ExitReason::Signalled(_) | ExitReason::Panicked => {}
    }
    drop(signals);
    Ok((reason, state))
}

/// What is to be applied to the state after one wait, in this order.
#[derive(Default)]
struct PendingMessages {
    messages: Vec<Message>,
    /// Input is translated only after the messages are applied, since its meaning depends on the
    /// state.
    input: Option<Event>,
    terminate: bool,
}

/// The dashboard while it is shown.
struct Dashboard<'a, C: Connection> {
    inbox: Inbox<C::Report>,
    connection: &'a C,
    terminal: Terminal<AnsiBackend>,
    writer: FrameWriter,
    input: InputThread,
    /// For threads that report to the dashboard.
    sender: Sender<ExternalEvent>,
    guard: TerminalGuard,
    owner: TerminalOwner,
    theme: Theme,
    pacing: FramePacing,
    state: State,
    start: Instant,
    /// When a background job last checked whether it is in the foreground.
    foreground_checked: Instant,
    /// The signal that requested the end.
    signal: Option<u8>,
    notifications: PendingNotifications,
    /// The clusters of several characters on the screen.
    clusters: Clusters,
}

impl<C: Connection> Dashboard<'_, C> {
    /// Runs the main loop until the dashboard is closed.
    fn run(&mut self) -> ExitReason {
        loop {
            if let ControlFlow::Break(reason) = self.turn() {
                return reason;
            }
        }
    }

    /// One iteration of the main loop: draws if a frame is due, waits, and applies the messages
    /// received.
    fn turn(&mut self) -> ControlFlow<ExitReason> {
        self.check_foreground()?;
        self.draw_if_due()?;
        let (with_reports, timeout) = self.next_wait();
        let received = self.inbox.receive(with_reports, timeout);
        let mut pending = self.dispatch(received)?;
        self.add_pending_reports(&mut pending);
        self.apply(pending)
    }

    /// Restores the screen if the job is in the foreground again. A shell that moves a background
    /// job to the foreground sends no signal.
    fn check_foreground(&mut self) -> ControlFlow<ExitReason> {
        if self.owner != TerminalOwner::Shell || self.foreground_checked.elapsed() < TICK {
            return ControlFlow::Continue(());
        }
        self.foreground_checked = Instant::now();
        self.show_again()
    }

    /// Returns to the foreground if possible, and redraws.
    fn show_again(&mut self) -> ControlFlow<ExitReason> {
        self.pacing.request_now();
        hung_up_if_failed(&self.return_to_foreground())
    }

    /// Whether a frame can be drawn: the terminal is the dashboard's and the last frame is written.
    fn can_draw(&self) -> bool {
        self.owner == TerminalOwner::Dashboard && !self.writer.is_busy()
    }

    fn draw_if_due(&mut self) -> ControlFlow<ExitReason> {
        if self.can_draw() && self.pacing.until_frame() == Some(Duration::ZERO) {
            panic_if_requested("screen");
            return hung_up_if_failed(&self.draw());
        }
        ControlFlow::Continue(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let (state, theme) = (&self.state, self.theme);
        let began = Instant::now();
        let mut layout = FrameLayout::default();
        let drawn = self.terminal.draw(|frame| layout = ui::draw(frame, state, theme))?;
        let is_overwritten = self.clusters.are_overwritten(drawn.buffer);
        self.clusters = Clusters::of(drawn.buffer);
        if is_overwritten {
            self.terminal.clear()?;
            self.terminal.draw(|frame| layout = ui::draw(frame, state, theme))?;
        }
        // The keys of the footer follow from the layout of the frame before.
        let footer_is_old = layout.review_lines != state.layout.review_lines;
        update(&mut self.state, Message::Drawn(layout));
        let mut frame = self.terminal.backend_mut().take_frame();
        frame.append(&mut self.notifications.bytes);
        self.pacing.frame_drawn(frame.len(), began.elapsed());
        if footer_is_old {
            self.pacing.request_now();
        }
        if !frame.is_empty() {
            self.writer.write(frame);
        }
        Ok(())
    }

    /// Whether to wait for reports, and how long to wait at most.
    fn next_wait(&self) -> (bool, Duration) {
        let frame = self.pacing.until_frame().filter(|_| self.can_draw()).unwrap_or(TICK);
        let next = frame.min(self.until_question());
        // An answer that the user waits for is shown at once.
        let awaits_answer = self.state.prompt.awaits_answer() || self.state.words.is_awaited();
        let reports = if awaits_answer { Duration::ZERO } else { self.pacing.until_reports() };
        if reports.is_zero() { (true, next) } else { (false, next.min(reports)) }
    }

    /// How long to wait before something is asked or changes on the predict page.
    fn until_question(&self) -> Duration {
        let now = self.start.elapsed().as_secs_f64();
        let due = self.state.question_due();
        due.map_or(Duration::MAX, |due| Duration::from_secs_f64((due - now).max(0.0)))
    }

    /// Handles events of the terminal immediately, and collects the rest as pending messages.
    fn dispatch(
        &mut self,
        received: Received<C::Report>,
    ) -> ControlFlow<ExitReason, PendingMessages> {
        let mut pending = PendingMessages::default();
        match received {
            Received::External(event) => self.handle_external(event, &mut pending)?,
            Received::Report(report) => {
                self.pacing.reports_read();
                pending.messages.push(report.into());
            }
            Received::Sample(sample) => {
                pending.messages.push(Message::Report(RunReport::System(sample)));
            }
            Received::FrameOutcome(outcome) => hung_up_if_failed(&outcome)?,
            Received::Closed | Received::Timeout => {}
        }
        ControlFlow::Continue(pending)
    }

    fn handle_external(
        &mut self,
        event: ExternalEvent,
        pending: &mut PendingMessages,
    ) -> ControlFlow<ExitReason> {
        match event {
            ExternalEvent::HangUp => return ControlFlow::Break(ExitReason::HungUp),
            ExternalEvent::Stop => {
                self.stop();
                return ControlFlow::Continue(());
            }
            ExternalEvent::Continue => return self.show_again(),
            ExternalEvent::Terminal(event) => pending.input = Some(event),
            ExternalEvent::Terminate(number) => {
                self.signal = Some(number as u8);
                pending.terminate = true;
            }
            ExternalEvent::SaveCheckpoint => {
                // Nobody waits for an answer.
                let _ = self.connection.send(Command::SaveCheckpoint);
            }
            ExternalEvent::Done(message) => pending.messages.push(*message),
        }
        self.pacing.request_now();
        ControlFlow::Continue(())
    }

    /// Adds the queued reports, whatever ended the wait.
    fn add_pending_reports(&mut self, pending: &mut PendingMessages) {
        let before = pending.messages.len();
        let reports = self.inbox.reports.try_iter().take(MAX_REPORTS);
        pending.messages.extend(reports.map(Into::into));
        if pending.messages.len() - before == MAX_REPORTS {
            // More reports are queued, which are read soon so that the queue does not grow.
            self.pacing.read_more_reports();
        }
    }

    /// Applies the pending messages to the state.
    fn apply(&mut self, pending: PendingMessages) -> ControlFlow<ExitReason> {
        let PendingMessages { messages, input, terminate } = pending;
        // After the run, new system metrics alone are no reason to draw.
        let is_sample =
            |message: &Message| matches!(message, Message::Report(RunReport::System(_)));
        if self.state.is_running() || !messages.iter().all(is_sample) {
            self.pacing.request();
        }
        if messages.iter().any(is_awaited) {
            self.pacing.request_now();
        }
        let (was_outdated, had_notice) = (self.state.shows_outdated(), self.state.notice.is_some());
        let mut quits = self.handle(Message::Tick(self.start.elapsed().as_secs_f64()))?;
        if self.state.shows_outdated() != was_outdated {
            self.pacing.request_now();
        }
        if had_notice && self.state.notice.is_none() {
            self.pacing.request();
        }
        for message in messages {
            quits |= self.handle(message)?;
        }
        if let Some(message) = input.and_then(|event| self.translate(event)) {
            quits |= self.handle(message)?;
        }
        if terminate {
            quits |= self.handle(Message::Terminate)?;
        }
        // A run that failed before it began has nothing to show.
        let awaits_run = self.state.runs.is_none() && self.state.started.is_none();
        if quits || (awaits_run && !self.state.is_running()) {
            let reason = self.signal.map_or(ExitReason::Quit, ExitReason::Signalled);
            return ControlFlow::Break(reason);
        }
        ControlFlow::Continue(())
    }

    /// The message of a key, a paste or the mouse, if it has one in this state.
    fn translate(&self, event: Event) -> Option<Message> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                keymap::message(&self.state, key)
            }
            Event::Paste(text) => Some(Message::Paste(text)),
            Event::Mouse(event) => convert_mouse(event).map(Message::Mouse),
            _ => None,
        }
    }
}

/// Whether the user waits for this message.
fn is_awaited(message: &Message) -> bool {
    matches!(
        message,
        Message::Report(
            RunReport::Answer(_) | RunReport::Explained(_) | RunReport::Activity(Activity::Idle)
        ) | Message::RunIndex(RunIndexReport::Curves(..))
    )
}

/// An error of the terminal means that it is gone.
fn hung_up_if_failed(outcome: &io::Result<()>) -> ControlFlow<ExitReason> {
    if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(ExitReason::HungUp) }
}
