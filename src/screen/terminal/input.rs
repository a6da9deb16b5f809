//! What comes from the keyboard, the mouse and the system, each read on a thread of its own.

use crate::screen::app::{MouseInput, MouseKind};
use crossbeam_channel::Sender;
use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest wait for a key before the thread looks whether it is still wanted.
const WAIT: Duration = Duration::from_millis(100);

/// What comes from the keyboard and from the system.
pub(super) enum Outside {
    Input(Event),
    Signal(i32),
    HungUp,
    /// Somebody asks the program to stop for a while.
    Stop,
    /// The program goes on after it was stopped.
    Continue,
    /// Pictures were written into these files, or why not.
    Pictured(Result<Vec<String>, String>),
}

/// The thread that reads keys.
pub(super) struct Keyboard {
    thread: JoinHandle<()>,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    closing: AtomicBool,
    /// Whether it should leave the keys to others, and whether it does.
    pause: AtomicBool,
    resting: AtomicBool,
}

impl Keyboard {
    /// # Errors
    /// If the system has no thread left.
    pub fn start(sender: Sender<Outside>) -> std::io::Result<Self> {
        let switches = Arc::<Switches>::default();
        let thread = std::thread::Builder::new().name("keyboard".to_owned()).spawn({
            let switches = switches.clone();
            move || read_input(&sender, &switches)
        })?;
        Ok(Self { thread, switches })
    }

    /// Leaves the keys to others: in the background, reading one would stop the program.
    pub fn pause(&self) {
        self.switches.pause.store(true, Ordering::SeqCst);
        let began = Instant::now();
        while !self.switches.resting.load(Ordering::SeqCst) && began.elapsed() < 3 * WAIT {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads keys again.
    pub fn go_on(&self) {
        self.switches.pause.store(false, Ordering::SeqCst);
    }

    /// Has the thread end, which may never happen where the terminal is gone.
    pub fn close(&self) {
        self.switches.closing.store(true, Ordering::SeqCst);
    }

    /// Waits for the thread's end. It looks up often.
    pub fn join(self) {
        // Its panic would be no concern any more.
        let _ = self.thread.join();
    }
}

/// Passes on what is typed, until told to close or the terminal goes away.
fn read_input(sender: &Sender<Outside>, switches: &Switches) {
    while !switches.closing.load(Ordering::SeqCst) {
        let resting = switches.pause.load(Ordering::SeqCst);
        switches.resting.store(resting, Ordering::SeqCst);
        if resting {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        }
        let message = match event::poll(WAIT) {
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

/// The thread that waits for signals; dropped, it ends.
pub(super) struct SignalWatch {
    handle: Handle,
    over: Arc<AtomicBool>,
}

impl SignalWatch {
    /// # Errors
    /// If the system refuses.
    pub fn start(sender: Sender<Outside>) -> std::io::Result<Self> {
        let over = Arc::<AtomicBool>::default();
        // Once nobody waits for it any more, it stops the program again as it does by default.
        flag::register_conditional_default(SIGTSTP, over.clone())?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT])?;
        let handle = signals.handle();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let what = match signal {
                    SIGHUP => Outside::HungUp,
                    SIGTSTP => Outside::Stop,
                    SIGCONT => Outside::Continue,
                    signal => Outside::Signal(signal),
                };
                if sender.send(what).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { handle, over })
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
        self.over.store(true, Ordering::SeqCst);
    }
}

/// What the mouse did, in plain types; moves without a button and other buttons are passed over.
pub(super) fn mouse(event: MouseEvent) -> Option<MouseInput> {
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
    fn the_mouse_is_told_of_in_plain_types() {
        let told =
            |kind| mouse(MouseEvent { kind, column: 7, row: 3, modifiers: KeyModifiers::NONE });
        let at = |kind| Some(MouseInput { kind, column: 7, row: 3 });
        assert_eq!(told(MouseEventKind::Down(MouseButton::Left)), at(MouseKind::Down));
        assert_eq!(told(MouseEventKind::Drag(MouseButton::Left)), at(MouseKind::Drag));
        assert_eq!(told(MouseEventKind::Up(MouseButton::Left)), at(MouseKind::Up));
        assert_eq!(told(MouseEventKind::ScrollDown), at(MouseKind::ScrollDown));
        assert_eq!(told(MouseEventKind::ScrollLeft), at(MouseKind::ScrollLeft));
        assert_eq!(told(MouseEventKind::Moved), None);
        assert_eq!(told(MouseEventKind::Down(MouseButton::Right)), None);
    }
}
