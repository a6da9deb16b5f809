//! Writes frames to the terminal on its own thread, one at a time, so that a terminal that does not
//! read blocks that thread and nothing else.

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::stdio::stdout;
use rustix::termios::{QueueSelector, tcflush, ttyname};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a frame in progress may still take when something else is to be written.
const FRAME_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a blocked write checks whether it should give up.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The terminal, opened separately: standard output may be locked by the command that started the
/// dashboard, and must stay in blocking mode for other writers.
static TERMINAL: OnceLock<File> = OnceLock::new();

/// Whether a frame is being written.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Whether the frame being written is to be abandoned.
static ABANDON: AtomicBool = AtomicBool::new(false);

fn terminal() -> io::Result<&'static File> {
    if let Some(terminal) = TERMINAL.get() {
        return Ok(terminal);
    }
    let reopened = ttyname(stdout(), Vec::new()).and_then(|name| {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open(name, flags, Mode::empty())
    });
    // Another user's terminal (after `su`) cannot be opened, only inherited. It stays in blocking
    // mode then, and a terminal that does not read also blocks the end of the program.
    let terminal = match reopened {
        Ok(terminal) => terminal,
        Err(_) => rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?,
    };
    Ok(TERMINAL.get_or_init(|| terminal.into()))
}

/// Writes all bytes to the terminal; while it does not accept any, waits as long as `keep_waiting`
/// is true.
fn write(mut bytes: &[u8], keep_waiting: impl Fn() -> bool) -> io::Result<()> {
    let mut terminal = terminal()?;
    while !bytes.is_empty() {
        match terminal.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !keep_waiting() {
                    return Err(ErrorKind::TimedOut.into());
                }
                match poll(&mut [PollFd::new(terminal, PollFlags::OUT)], Some(&POLL_INTERVAL)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a few bytes once no frame is being written. A frame that takes longer than
/// [`FRAME_TIMEOUT`] is abandoned, and what the terminal has not yet read of it is discarded.
///
/// # Errors
/// If the terminal is gone or does not read.
pub(super) fn write_between_frames(bytes: &[u8]) -> io::Result<()> {
    let began = Instant::now();
    while WRITING.load(Ordering::SeqCst) && began.elapsed() < 2 * FRAME_TIMEOUT {
        ABANDON.store(began.elapsed() >= FRAME_TIMEOUT, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
    }
    if ABANDON.swap(false, Ordering::SeqCst) {
        tcflush(terminal()?, QueueSelector::OFlush)?;
    }
    let began = Instant::now();
    write(bytes, || began.elapsed() < FRAME_TIMEOUT)
}

/// Discards what the terminal has not yet read, then writes the bytes. Used at the end of the
/// dashboard, which clears the screen anyway: a slow terminal then immediately shows what the
/// program prints next. An escape sequence that is cut off is ended by the next one.
///
/// # Errors
/// The errors of [`write_between_frames`].
pub(super) fn discard_and_write(bytes: &[u8]) -> io::Result<()> {
    // Waits until no frame is being written.
    let _ = write_between_frames(b"");
    tcflush(terminal()?, QueueSelector::OFlush)?;
    write_between_frames(bytes)
}

/// The thread that writes frames.
pub(super) struct FrameWriter {
    frames: Sender<Vec<u8>>,
    /// The outcome of each frame: written, or the terminal is gone.
    pub outcomes: Receiver<io::Result<()>>,
}

impl FrameWriter {
    /// # Errors
    /// If the terminal cannot be written to, or the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        terminal()?;
        let (frames, queue) = bounded::<Vec<u8>>(1);
        let (sender, outcomes) = bounded(1);
        std::thread::Builder::new().name("frame-writer".to_owned()).spawn(move || {
            for frame in queue {
                let outcome = match write(&frame, || !ABANDON.load(Ordering::SeqCst)) {
                    // Abandoned because the terminal is being restored.
                    Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
                    outcome => outcome,
                };
                WRITING.store(false, Ordering::SeqCst);
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { frames, outcomes })
    }

    /// Whether the last frame is still being written, or its outcome was not yet received.
    pub fn is_busy(&self) -> bool {
        WRITING.load(Ordering::SeqCst) || !self.outcomes.is_empty()
    }

    /// Writes a frame; only to be called while the writer is not busy.
    pub fn write(&self, frame: Vec<u8>) {
        WRITING.store(true, Ordering::SeqCst);
        if self.frames.send(frame).is_err() {
            // The thread ended after it reported that the terminal is gone.
            WRITING.store(false, Ordering::SeqCst);
        }
    }
}
