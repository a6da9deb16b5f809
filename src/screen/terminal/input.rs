//! Input from the keyboard, the mouse and signals, each read on its own thread.

use crate::screen::app::{Message, MouseInput, MouseKind};
use crossbeam_channel::Sender;
use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the input thread waits for a key before it checks its flags again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// An event from outside the program, or from one of the dashboard's own threads.
pub(super) enum ExternalEvent {
    /// A key, a pasted text, the mouse or a new size.
    Terminal(Event),
    /// The number of a signal that ends the program (SIGINT or SIGTERM).
    Terminate(i32),
    /// A checkpoint is requested (SIGUSR1).
    SaveCheckpoint,
    /// The terminal is gone.
    HangUp,
    /// The process is requested to stop (SIGTSTP).
    Stop,
    /// The process was continued (SIGCONT).
    Continue,
    /// What came of work on another thread.
    Done(Box<Message>),
}

/// Makes standard input a pipe that never has data. The input thread would otherwise read the end
/// of the closed terminal in a loop, inside crossterm, and keep a core busy.
pub(super) fn block_input() -> std::io::Result<()> {
    let (reader, writer) = rustix::pipe::pipe()?;
    rustix::stdio::dup2_stdin(&reader)?;
    // The writer stays open until the process ends: reading from a closed pipe would also return
    // the end of input.
    std::mem::forget(writer);
    Ok(())
}

/// The thread that reads the terminal's input.
pub(super) struct InputThread {
    thread: JoinHandle<()>,
    flags: Arc<InputFlags>,
}

#[derive(Default)]
struct InputFlags {
    close: AtomicBool,
    pause: AtomicBool,
    /// Set by the thread while it is paused.
    is_paused: AtomicBool,
}

impl InputThread {
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(sender: Sender<ExternalEvent>) -> std::io::Result<Self> {
        let flags = Arc::<InputFlags>::default();
        let thread = std::thread::Builder::new().name("input".to_owned()).spawn({
            let flags = flags.clone();
            move || read_input(&sender, &flags)
        })?;
        Ok(Self { thread, flags })
    }

    /// Stops reading: in the background, a read from the terminal stops the whole process
    /// (SIGTTIN).
    pub fn pause(&self) {
        self.flags.pause.store(true, Ordering::SeqCst);
        let began = Instant::now();
        while !self.flags.is_paused.load(Ordering::SeqCst) && began.elapsed() < 3 * POLL_INTERVAL {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Resumes reading.
    pub fn resume(&self) {
        self.flags.pause.store(false, Ordering::SeqCst);
    }

    /// Requests that the thread end. It may never end if the terminal is gone.
    pub fn close(&self) {
        self.flags.close.store(true, Ordering::SeqCst);
    }

    /// Waits for the thread to end after [`InputThread::close`], but not for long: if the terminal is gone,
    /// it never ends.
    pub fn join(self) {
        let began = Instant::now();
        while !self.thread.is_finished() && began.elapsed() < 3 * POLL_INTERVAL {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends what is typed until the thread is closed or the terminal is gone.
fn read_input(sender: &Sender<ExternalEvent>, flags: &InputFlags) {
    while !flags.close.load(Ordering::SeqCst) {
        let pause = flags.pause.load(Ordering::SeqCst);
        flags.is_paused.store(pause, Ordering::SeqCst);
        if pause {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        }
        let event = match event::poll(POLL_INTERVAL) {
            Ok(false) => continue,
            Ok(true) => event::read().map_or(ExternalEvent::HangUp, ExternalEvent::Terminal),
            Err(_) => ExternalEvent::HangUp,
        };
        let is_last = matches!(event, ExternalEvent::HangUp);
        if sender.send(event).is_err() || is_last {
            return;
        }
    }
}

/// The thread that waits for signals. It ends when this is dropped.
pub(super) struct SignalThread {
    handle: Handle,
    /// Makes SIGTSTP stop the process again.
    restore_default: Arc<AtomicBool>,
}

impl SignalThread {
    /// # Errors
    /// If the handlers cannot be registered or the thread cannot be started.
    pub fn start(sender: Sender<ExternalEvent>) -> std::io::Result<Self> {
        let restore_default = Arc::<AtomicBool>::default();
        flag::register_conditional_default(SIGTSTP, restore_default.clone())?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGUSR1])?;
        let handle = signals.handle();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let event = match signal {
                    SIGHUP => ExternalEvent::HangUp,
                    SIGUSR1 => ExternalEvent::SaveCheckpoint,
                    SIGTSTP => ExternalEvent::Stop,
                    SIGCONT => ExternalEvent::Continue,
                    signal => ExternalEvent::Terminate(signal),
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { handle, restore_default })
    }
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        self.handle.close();
        self.restore_default.store(true, Ordering::SeqCst);
    }
}

/// Converts a mouse event of crossterm; `None` for other buttons and for moves without a button.
pub(super) fn convert_mouse(event: MouseEvent) -> Option<MouseInput> {
    let kind = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseKind::Down,
        MouseEventKind::Drag(MouseButton::Left) => MouseKind::Drag,
        MouseEventKind::Up(MouseButton::Left) => MouseKind::Up,
        MouseEventKind::ScrollUp => MouseKind::ScrollUp,
        MouseEventKind::ScrollDown => MouseKind::ScrollDown,
        MouseEventKind::ScrollLeft => MouseKind::ScrollLeft,
        MouseEventKind::ScrollRight => MouseKind::ScrollRight,
        _ => return None,
    };
    Some(MouseInput { kind, column: event.column, row: event.row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn mouse_events_are_converted() {
        let converted = |kind| {
            convert_mouse(MouseEvent { kind, column: 7, row: 3, modifiers: KeyModifiers::NONE })
        };
        let expected = |kind| Some(MouseInput { kind, column: 7, row: 3 });
        assert_eq!(converted(MouseEventKind::Down(MouseButton::Left)), expected(MouseKind::Down));
        assert_eq!(converted(MouseEventKind::Drag(MouseButton::Left)), expected(MouseKind::Drag));
        assert_eq!(converted(MouseEventKind::Up(MouseButton::Left)), expected(MouseKind::Up));
        assert_eq!(converted(MouseEventKind::ScrollDown), expected(MouseKind::ScrollDown));
        assert_eq!(converted(MouseEventKind::ScrollLeft), expected(MouseKind::ScrollLeft));
        assert_eq!(converted(MouseEventKind::Moved), None);
        assert_eq!(converted(MouseEventKind::Down(MouseButton::Right)), None);
    }
}
