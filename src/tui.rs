//! The terminal: taken over and given back whatever happens, read on a thread of its own, drawn
//! on only when something changed.

use crate::app::{Effect, Message, State, update};
use crate::keymap;
use crate::system::{Sampler, SystemSample};
use crate::ui::{self, Theme};
use crate::worker::{Answer, Command, Report, Source, injected_panic};
use crossbeam_channel::{Receiver, SendError, Sender, select, unbounded};
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEventKind};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The least time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(200);

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

/// Whether the terminal is ours just now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, if it is ours. Nothing can be done about errors here.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = std::io::stdout();
        let _ = disable_raw_mode();
        // Cleared first: some terminals bring what was drawn back when they have been resized.
        let _ = execute!(out, DisableBracketedPaste, Clear(ClearType::All));
        let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
        let _ = out.flush();
    }
}

/// The terminal while it is ours; dropped, it is given back.
struct Taken;

impl Taken {
    fn take() -> std::io::Result<Self> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let taken = Self;
        execute!(std::io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes a panic of this thread give the terminal back before it is reported. Panics of other
/// threads are caught and reported by the worker; their message must not be written over the
/// screen.
fn guard_against_panics() {
    let screen = std::thread::current().id();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            give_back();
            report(info);
        }
    }));
}

/// What comes from the keyboard and from the system.
enum Outside {
    Input(Event),
    Signal(i32),
    HungUp,
}

/// Shows a run, on a dashboard arranged as in `state`, until the user leaves. The state returned is
/// what was known at the end.
///
/// # Errors
/// If the terminal cannot be taken over.
pub fn run(source: &Source, theme: Theme, state: State) -> anyhow::Result<(Leaving, State)> {
    guard_against_panics();
    let (sender, outside) = unbounded();
    let closing = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let handle = signals.handle();
    let taken = Taken::take()?;
    let terminal = Terminal::new(CrosstermBackend::new(std::io::stdout()))?;
    let keys = std::thread::Builder::new().name("keyboard".to_owned()).spawn({
        let (sender, closing) = (sender.clone(), closing.clone());
        move || read_input(&sender, &closing)
    })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let what = if signal == SIGHUP { Outside::HungUp } else { Outside::Signal(signal) };
            if sender.send(what).is_err() {
                return;
            }
        }
    })?;

    // Of the clock on the wall and of the machine a replay knows nothing.
    let live = state.replay.is_none();
    let sampler = live.then(Sampler::start).transpose()?;
    let samples = sampler.as_ref().map(|sampler| &sampler.samples);
    let state = State { wall_clock: live.then(local_time), ..state };
    let mut screen = Screen { terminal, theme, state, start: Instant::now(), signal: None };
    let leaving = catch_unwind(AssertUnwindSafe(|| screen.show(source, &outside, samples)));
    closing.store(true, Ordering::Relaxed);
    drop(taken);
    let leaving = leaving.unwrap_or(Leaving::Panicked);
    match leaving {
        // The keyboard's thread looks up often.
        Leaving::Quit => drop(keys.join()),
        Leaving::HungUp => quiet_keyboard()?,
        // With the terminal gone that thread may never return.
        Leaving::Signalled(_) | Leaving::Panicked => {}
    }
    handle.close();
    let Screen { terminal, state, .. } = screen;
    // Dropped, it would show the cursor again, which is done, and panic if the terminal is gone.
    std::mem::forget(terminal);
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

/// Passes on what is typed, until told to close or the terminal goes away.
fn read_input(sender: &Sender<Outside>, closing: &AtomicBool) {
    while !closing.load(Ordering::Relaxed) {
        let message = match event::poll(Duration::from_millis(100)) {
            Ok(false) => continue,
            Ok(true) => event::read().map_or(Outside::HungUp, Outside::Input),
            Err(_) => Outside::HungUp,
        };
        let last = matches!(message, Outside::HungUp);
        if sender.send(message).is_err() || last {
            return;
        }
    }
}

struct Screen {
    terminal: Terminal<CrosstermBackend<std::io::Stdout>>,
    theme: Theme,
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
        let (mut dirty, mut urgent) = (true, true);
        let mut reports = source.reports.clone();
        let mut samples = samples.cloned().unwrap_or_else(crossbeam_channel::never);
        loop {
            let due = drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME);
            if dirty && (urgent || due) {
                injected_panic("screen");
                if self.draw().is_err() {
                    return Leaving::HungUp;
                }
                drawn = Some(Instant::now());
                (dirty, urgent) = (false, false);
            }
            let wait = if dirty { FRAME } else { TICK };
            let mut messages = Vec::new();
            select! {
                recv(outside) -> message => match message {
                    Ok(Outside::HungUp) | Err(_) => return Leaving::HungUp,
                    Ok(Outside::Signal(number)) => {
                        self.signal = Some(number as u8);
                        messages.push(Message::Terminate);
                        urgent = true;
                    }
                    Ok(Outside::Input(input)) => {
                        messages.extend(self.input(input));
                        (dirty, urgent) = (true, true);
                    }
                },
                recv(reports) -> report => match report {
                    Ok(report) => messages.push(Message::Report(report)),
                    // The run's thread is gone; keys are all that is left to come.
                    Err(_) => reports = crossbeam_channel::never(),
                },
                recv(samples) -> sample => match sample {
                    Ok(sample) => messages.push(Message::Report(Report::System(sample))),
                    Err(_) => samples = crossbeam_channel::never(),
                },
                default(wait) => {}
            }
            let more = reports.try_iter().take(REPORTS_AT_A_TIME);
            messages.extend(more.map(Message::Report));
            let running = self.state.is_running();
            dirty |= running || !messages.is_empty();
            update(&mut self.state, Message::Tick(self.start.elapsed().as_secs_f64()));
            for message in messages {
                let answer = matches!(message, Message::Report(Report::Answer(_)));
                urgent |= answer;
                for effect in update(&mut self.state, message) {
                    match effect {
                        Effect::Send(command) => self.send(source, command),
                        Effect::Quit => return self.leaving(),
                    }
                }
            }
            if self.state.started.is_none() && !self.state.is_running() {
                // It failed before it began: there is nothing to look at.
                return self.leaving();
            }
        }
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

    fn leaving(&self) -> Leaving {
        self.signal.map_or(Leaving::Quit, Leaving::Signalled)
    }

    fn input(&self, input: Event) -> Option<Message> {
        match input {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                keymap::action(&self.state, key).map(Message::Action)
            }
            Event::Paste(text) => Some(Message::Paste(text)),
            _ => None,
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let (state, theme) = (&self.state, self.theme);
        self.terminal.draw(|frame| ui::draw(frame, state, theme))?;
        Ok(())
    }
}
