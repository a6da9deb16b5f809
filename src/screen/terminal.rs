//! The terminal: taken over and given back whatever happens, read on a thread of its own, drawn
//! on only when something changed and only as fast as it takes frames in.

mod ansi_backend;
mod guard;
mod input;
mod job;
mod pictures;
mod writer;

use crate::cli::flags::DisplayFlags;
use crate::run::system_metrics::{SystemSample, SystemSampler};
use crate::run::worker::{Activity, Answer, Command, Report, Source, injected_panic};
use crate::screen::app::{Effect, Message, Picture, State, update};
use crate::screen::keymap;
use crate::screen::ui::{self, Theme, svg};
use ansi_backend::AnsiBackend;
use crossbeam_channel::{Receiver, SendError, Sender, select, unbounded};
use crossterm::event::{Event, KeyEventKind};
use guard::{TerminalGuard, guard_against_panics};
use input::{Keyboard, Outside, SignalWatch, mouse};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use writer::Writer;

/// The least time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(250);

/// The same for a slow link.
const SELDOM: Duration = Duration::from_millis(800);

/// Bytes a second that frames may send which no key asked for: after a large one, such as of a
/// page of moving curves, the next one waits longer.
const BYTES_PER_SECOND: f64 = 6_500.0;

/// The same for a slow link.
const FEW_BYTES_PER_SECOND: f64 = 1_800.0;

/// The times that drawing a frame took, until the next one that no key asked for: while all cores
/// train, each moment of drawing is one that training waits.
const DRAWING: u32 = 350;

/// How often the clocks move.
const TICK: Duration = Duration::from_secs(1);

/// Reports taken in before the next look at the keyboard.
const REPORTS_AT_A_TIME: usize = 1000;

/// Why the dashboard closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The user left, or the run failed before it began.
    Quit,
    /// A signal of this number asked for it.
    Signalled(u8),
    /// The terminal went away; the run goes on.
    HungUp,
    /// Drawing panicked; the terminal is given back and the run goes on.
    Panicked,
}

/// To whom the terminal belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To the dashboard.
    Here,
    /// To the shell, which is about to be told so.
    Leaving,
    /// To the shell. The run goes on without a screen if the shell goes on with it.
    Away,
}

/// Shows a run, on a dashboard arranged as in `state`, until the user leaves. The state returned is
/// what was known at the end.
///
/// # Errors
/// If the terminal cannot be taken over.
pub fn run(
    source: &Source,
    display: DisplayFlags,
    state: State,
) -> anyhow::Result<(Leaving, State)> {
    guard_against_panics();
    let (sender, outside) = unbounded();
    let signals = SignalWatch::start(sender.clone())?;
    let taken = TerminalGuard::take(!display.no_mouse)?;
    let pictured = sender.clone();
    // Of the clock on the wall and of the machine a replay knows nothing.
    let live = state.replay.is_none() && state.runs.is_none();
    let sampler = live.then(SystemSampler::start).transpose()?;
    let samples = sampler.as_ref().map(|sampler| &sampler.samples);
    let mut screen = Screen {
        terminal: Terminal::new(AnsiBackend::default())?,
        writer: Writer::start()?,
        keyboard: Keyboard::start(sender)?,
        sender: pictured,
        taken,
        place: Place::Here,
        theme: Theme::detect(&display, |name| std::env::var(name).ok()),
        low_bandwidth: display.low_bandwidth,
        pause: Duration::ZERO,
        state: State { wall_clock: live.then(local_time), ..state },
        start: Instant::now(),
        signal: None,
    };
    let leaving = catch_unwind(AssertUnwindSafe(|| screen.show(source, &outside, samples)));
    let Screen { keyboard, taken, state, .. } = screen;
    keyboard.close();
    drop(taken);
    let leaving = leaving.unwrap_or(Leaving::Panicked);
    match leaving {
        Leaving::Quit => keyboard.join(),
        Leaving::HungUp => quiet_keyboard()?,
        // With the terminal gone that thread may never return.
        Leaving::Signalled(_) | Leaving::Panicked => {}
    }
    drop(signals);
    Ok((leaving, state))
}

/// The time on the wall, as seconds since 1970 would be if they had begun here.
fn local_time() -> f64 {
    let now = jiff::Zoned::now();
    now.timestamp().as_second() as f64 + f64::from(now.offset().seconds())
}

/// Gives the keyboard's thread something to wait for for ever. crossterm reads the end of a
/// terminal that went away over and over, and would keep a core busy with it.
fn quiet_keyboard() -> std::io::Result<()> {
    let (reader, writer) = rustix::pipe::pipe()?;
    rustix::stdio::dup2_stdin(&reader)?;
    std::mem::forget(writer);
    Ok(())
}

struct Screen {
    terminal: Terminal<AnsiBackend>,
    writer: Writer,
    keyboard: Keyboard,
    /// Where pictures are told of.
    sender: Sender<Outside>,
    taken: TerminalGuard,
    place: Place,
    theme: Theme,
    low_bandwidth: bool,
    /// The least time from the last frame to the next that no key asks for.
    pause: Duration,
    state: State,
    start: Instant,
    signal: Option<u8>,
}

impl Screen {
    fn show(
        &mut self,
        source: &Source,
        outside: &Receiver<Outside>,
        samples: Option<&Receiver<SystemSample>>,
    ) -> Leaving {
        let mut drawn: Option<Instant> = None;
        let mut looked = self.start;
        let (mut dirty, mut urgent) = (true, true);
        let mut reports = source.reports.clone();
        let mut taken_in: Option<Instant> = None;
        let sent = self.writer.sent.clone();
        let mut samples = samples.cloned().unwrap_or_else(crossbeam_channel::never);
        loop {
            // A shell tells a job that runs in the background nothing when it fetches it.
            if self.place == Place::Away && looked.elapsed() >= TICK {
                looked = Instant::now();
                if self.come_back().is_err() {
                    return Leaving::HungUp;
                }
                (dirty, urgent) = (true, true);
            }
            // While a frame is under way, or the terminal is the shell's, only the state goes on.
            let free = self.place == Place::Here && !self.writer.is_busy();
            let left = self.pause.saturating_sub(drawn.map_or(self.pause, |drawn| drawn.elapsed()));
            if free && dirty && (urgent || left.is_zero()) {
                injected_panic("screen");
                if self.draw().is_err() {
                    return Leaving::HungUp;
                }
                drawn = Some(Instant::now());
                (dirty, urgent) = (false, false);
            }
            let wait = if free && dirty { left } else { TICK };
            // Reports gather until they can be drawn: a thousand steps a second are no reason to wake
            // up a thousand times, which would cost training. Who waits for an answer is told at once.
            let gather = if self.state.prompt.waiting > 0 { Duration::ZERO } else { self.pause };
            let rest = gather.saturating_sub(taken_in.map_or(gather, |taken| taken.elapsed()));
            let (wait, listened) = if rest.is_zero() {
                (wait, reports.clone())
            } else {
                (wait.min(rest), crossbeam_channel::never())
            };
            let (mut messages, mut signalled, mut input) = (Vec::new(), false, None);
            select! {
                recv(outside) -> message => match message {
                    Ok(Outside::HungUp) | Err(_) => return Leaving::HungUp,
                    Ok(Outside::Signal(number)) => {
                        self.signal = Some(number as u8);
                        (signalled, urgent) = (true, true);
                    }
                    Ok(Outside::Input(event)) => {
                        input = Some(event);
                        (dirty, urgent) = (true, true);
                    }
                    Ok(Outside::Pictured(outcome)) => {
                        messages.push(Message::Pictured(outcome));
                        (dirty, urgent) = (true, true);
                    }
                    Ok(Outside::Stop) => self.stop(),
                    Ok(Outside::Continue) => {
                        if self.come_back().is_err() {
                            return Leaving::HungUp;
                        }
                        (dirty, urgent) = (true, true);
                    }
                },
                recv(listened) -> report => match report {
                    Ok(report) => {
                        taken_in = Some(Instant::now());
                        messages.push(Message::Report(report));
                    }
                    // The run's thread is gone; keys are all that is left to come.
                    Err(_) => reports = crossbeam_channel::never(),
                },
                recv(sent) -> outcome => if !matches!(outcome, Ok(Ok(()))) {
                    return Leaving::HungUp;
                },
                recv(samples) -> sample => match sample {
                    Ok(sample) => messages.push(Message::Report(Report::System(sample))),
                    Err(_) => samples = crossbeam_channel::never(),
                },
                default(wait) => {}
            }
            let more = reports.try_iter().take(REPORTS_AT_A_TIME);
            let before = messages.len();
            messages.extend(more.map(Message::Report));
            if messages.len() - before == REPORTS_AT_A_TIME {
                // There are more, which must not pile up.
                taken_in = None;
            }
            let running = self.state.is_running();
            // After the end, figures of the machine alone are no reason to draw.
            let sample = |message: &Message| matches!(message, Message::Report(Report::System(_)));
            dirty |= running || !messages.iter().all(sample);
            update(&mut self.state, Message::Tick(self.start.elapsed().as_secs_f64()));
            urgent |= messages.iter().any(is_awaited);
            let mut leaves = messages.into_iter().any(|message| self.take(source, message));
            // Keys and signals mean the run as it is, whatever of it was drawn yet.
            let asked = input.and_then(|event| self.input(event));
            let asked = asked.into_iter().chain(signalled.then_some(Message::Terminate));
            leaves |= asked.into_iter().any(|message| self.take(source, message));
            if leaves {
                return self.leaving();
            }
            let awaits_run = self.state.runs.is_none() && self.state.started.is_none();
            if awaits_run && !self.state.is_running() {
                // It failed before it began: there is nothing to look at.
                return self.leaving();
            }
        }
    }

    /// Takes a message in, and says whether to leave.
    fn take(&mut self, source: &Source, message: Message) -> bool {
        for effect in update(&mut self.state, message) {
            match effect {
                Effect::Send(command) => self.send(source, command),
                Effect::Picture(picture) => self.picture(picture),
                Effect::Suspend => self.suspend(),
                Effect::Quit => return true,
            }
        }
        false
    }

    /// Tells the run; a thread that has panicked no longer listens, and cannot answer.
    fn send(&mut self, source: &Source, command: Command) {
        let outcome = source.commands.send(command);
        if let Err(SendError(Command::Predict(text))) = outcome {
            let outcome = Err("the training thread has ended".to_owned());
            let answer = Report::Answer(Answer { text, outcome });
            update(&mut self.state, Message::Report(answer));
        }
    }

    /// Has a picture made. The screen is drawn for it in all the theme's colours, whatever the
    /// terminal can show.
    fn picture(&mut self, picture: Picture) {
        let screen = match picture {
            Picture::Screen { .. } => {
                let size = self.terminal.size().unwrap_or_default();
                let theme = self.theme.in_full_colour();
                let Ok(mut paper) = Terminal::new(TestBackend::new(size.width, size.height));
                let Ok(_) = paper.draw(|frame| ui::draw(frame, &self.state, theme));
                svg::render(paper.backend().buffer(), theme.is_light())
            }
            Picture::Figures { .. } => String::new(),
        };
        pictures::start(picture, screen, self.sender.clone());
    }

    fn leaving(&self) -> Leaving {
        self.signal.map_or(Leaving::Quit, Leaving::Signalled)
    }

    fn input(&self, input: Event) -> Option<Message> {
        match input {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                keymap::message(&self.state, key)
            }
            Event::Paste(text) => Some(Message::Paste(text)),
            Event::Mouse(event) => mouse(event).map(Message::Mouse),
            _ => None,
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let (state, theme) = (&self.state, self.theme);
        let began = Instant::now();
        self.terminal.draw(|frame| ui::draw(frame, state, theme))?;
        let frame = self.terminal.backend_mut().take();
        let drawing = (began.elapsed() * DRAWING).min(SELDOM);
        self.pause = pause(frame.len(), self.low_bandwidth).max(drawing);
        if !frame.is_empty() {
            self.writer.send(frame);
        }
        Ok(())
    }
}

/// Whether somebody waits for it.
fn is_awaited(message: &Message) -> bool {
    matches!(message, Message::Report(Report::Answer(_) | Report::Activity(Activity::Idle)))
}

/// How long to wait after a frame of so many bytes before the next that no key asks for.
fn pause(bytes: usize, low_bandwidth: bool) -> Duration {
    let (least, rate) =
        if low_bandwidth { (SELDOM, FEW_BYTES_PER_SECOND) } else { (FRAME, BYTES_PER_SECOND) };
    least.max(Duration::from_secs_f64(bytes as f64 / rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_frames_are_drawn_more_seldom() {
        assert_eq!(pause(0, false), FRAME);
        assert_eq!(pause(300, true), SELDOM);
        assert_eq!(pause(3_250, false), Duration::from_millis(500));
        assert_eq!(pause(9_000, true), Duration::from_secs(5));
    }
}
