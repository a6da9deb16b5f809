//! Sends frames to the terminal on a thread of its own, one at a time: a link that does not read
//! holds up that thread and nothing else.

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

/// How long a frame under way may still take when the terminal is to be given back.
const GRACE: Duration = Duration::from_millis(500);

/// How often a thread that waits for the link looks whether it still should.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The terminal, opened once. Another handle of the same one: standard output is locked by who
/// started the dashboard, and must go on waiting for the link when others write to it.
static LINK: OnceLock<File> = OnceLock::new();

/// Whether a frame is under way.
static SENDING: AtomicBool = AtomicBool::new(false);

/// Whether what is under way is no longer wanted.
static ABANDONED: AtomicBool = AtomicBool::new(false);

fn link() -> io::Result<&'static File> {
    if let Some(link) = LINK.get() {
        return Ok(link);
    }
    let reopened = ttyname(stdout(), Vec::new()).and_then(|name| {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open(name, flags, Mode::empty())
    });
    // Somebody else's terminal cannot be opened, only written to; then a link that does not read
    // keeps the program from leaving, too.
    let link = match reopened {
        Ok(link) => link,
        Err(_) => rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?,
    };
    Ok(LINK.get_or_init(|| link.into()))
}

/// Writes to the terminal, and waits for it as long as `patient` says.
fn write(mut bytes: &[u8], patient: impl Fn() -> bool) -> io::Result<()> {
    let mut link = link()?;
    while !bytes.is_empty() {
        match link.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !patient() {
                    return Err(ErrorKind::TimedOut.into());
                }
                match poll(&mut [PollFd::new(link, PollFlags::OUT)], Some(&LOOK)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a few bytes to the terminal, once no frame is under way. A link that does not read loses
/// what it has not yet read.
///
/// # Errors
/// If the terminal is gone, or does not take them all the same.
pub(super) fn write_soon(bytes: &[u8]) -> io::Result<()> {
    let began = Instant::now();
    while SENDING.load(Ordering::SeqCst) && began.elapsed() < 2 * GRACE {
        ABANDONED.store(began.elapsed() >= GRACE, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
    }
    if ABANDONED.swap(false, Ordering::SeqCst) {
        tcflush(link()?, QueueSelector::OFlush)?;
    }
    let began = Instant::now();
    write(bytes, || began.elapsed() < GRACE)
}

/// As [`write_soon`], as the last thing on a screen that is cleared with it: what was drawn and not
/// yet read is nobody's loss, and what the program still has to say finds room. An escape sequence
/// that is cut off so is ended by the next one.
///
/// # Errors
/// As [`write_soon`].
pub(super) fn write_last(bytes: &[u8]) -> io::Result<()> {
    // Once this is through, no frame is under way.
    let _ = write_soon(b"");
    tcflush(link()?, QueueSelector::OFlush)?;
    write_soon(bytes)
}

/// The thread that sends frames.
pub(super) struct Writer {
    frames: Sender<Vec<u8>>,
    /// Tells of each frame that it was sent, or that the terminal is gone.
    pub sent: Receiver<io::Result<()>>,
}

impl Writer {
    /// # Errors
    /// If the terminal cannot be written to, or the system has no thread left.
    pub fn start() -> io::Result<Self> {
        link()?;
        let (frames, to_send) = bounded::<Vec<u8>>(1);
        let (tell, sent) = bounded(1);
        std::thread::Builder::new().name("screen".to_owned()).spawn(move || {
            for frame in to_send {
                let outcome = match write(&frame, || !ABANDONED.load(Ordering::SeqCst)) {
                    // The terminal was given back meanwhile; nobody misses the frame.
                    Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
                    outcome => outcome,
                };
                SENDING.store(false, Ordering::SeqCst);
                if tell.send(outcome).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { frames, sent })
    }

    /// Whether the last frame has still not been sent.
    pub fn is_busy(&self) -> bool {
        SENDING.load(Ordering::SeqCst) || !self.sent.is_empty()
    }

    /// Sends a frame; only to be called while the writer is not busy.
    pub fn send(&self, frame: Vec<u8>) {
        SENDING.store(true, Ordering::SeqCst);
        if self.frames.send(frame).is_err() {
            // The thread has ended, which it told when the terminal went away.
            SENDING.store(false, Ordering::SeqCst);
        }
    }
}
