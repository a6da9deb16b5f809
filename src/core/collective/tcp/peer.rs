//! A connection with another rank.

use super::frame::{self, Frame, Kind, MAX_FRAME_BYTES, Operation};
use super::locked;
use crate::core::collective::CollectiveError;
use crate::core::text::sanitize_for_terminal;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// The frames of data that are kept before they are asked for.
const KEPT_FRAMES: usize = 4;

/// How often a rank that waits for another one looks at whether it, or any other, has failed.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How long the end of a run waits for a connection that is being written to.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the operations of a rank fail, if they do.
#[derive(Debug, Default)]
pub(super) struct Outcome(Mutex<Option<CollectiveError>>);

impl Outcome {
    /// Notes a failure; the first one counts.
    pub fn fail(&self, error: CollectiveError) {
        locked(&self.0).get_or_insert(error);
    }

    pub fn failure(&self) -> Option<CollectiveError> {
        locked(&self.0).clone()
    }
}

/// A connection with another rank. A thread of its own reads what arrives.
pub(super) struct Peer {
    /// The rank at its other end.
    pub rank: usize,
    writer: Mutex<Writer>,
    data: Receiver<Frame>,
    /// When anything has arrived last.
    heard: Arc<Mutex<Instant>>,
    /// How long the other end may give no sign of life.
    silence: Duration,
    outcome: Arc<Outcome>,
    /// Whether the other end has said that it has no more to say.
    has_left: Arc<AtomicBool>,
}

/// The end of a connection that is written to.
pub(super) struct Writer {
    pub stream: TcpStream,
    /// What has not been written of a sign of life, and comes before anything else.
    rest: Vec<u8>,
}

impl Peer {
    pub fn start(
        rank: usize,
        stream: TcpStream,
        silence: Duration,
        outcome: Arc<Outcome>,
    ) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(CHECK_INTERVAL))?;
        let (sender, data) = bounded(KEPT_FRAMES);
        let heard = Arc::new(Mutex::new(Instant::now()));
        let reader = Reader {
            rank,
            stream: stream.try_clone()?,
            sender,
            heard: Arc::clone(&heard),
            outcome: Arc::clone(&outcome),
            has_left: Arc::default(),
        };
        let has_left = Arc::clone(&reader.has_left);
        std::thread::Builder::new().name(format!("rank {rank}")).spawn(move || reader.run())?;
        let writer = Mutex::new(Writer { stream, rest: Vec::new() });
        Ok(Self { rank, writer, data, heard, silence, outcome, has_left })
    }

    /// The connection, to write to it.
    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        locked(&self.writer)
    }

    fn lost(&self, reason: String) -> CollectiveError {
        CollectiveError::Lost { rank: self.rank, reason }
    }

    /// Fails if another rank has failed, or the other end has given no sign of life for too long.
    fn check(&self) -> Result<(), CollectiveError> {
        if let Some(failure) = self.outcome.failure() {
            return Err(failure);
        }
        if locked(&self.heard).elapsed() > self.silence {
            return Err(self.lost(format!("it was silent for {} s", self.silence.as_secs_f64())));
        }
        Ok(())
    }

    /// As [`Self::check`], and the other end must not have left the run.
    pub fn check_present(&self) -> Result<(), CollectiveError> {
        self.check()?;
        if self.has_left.load(Ordering::Acquire) {
            return Err(self.lost("it has ended the run".to_owned()));
        }
        Ok(())
    }

    /// Sends a frame of data. As long as the other end lives, it may take its time to read.
    pub fn send(
        &self,
        operation: Operation,
        number: u32,
        content: &[u8],
    ) -> Result<(), CollectiveError> {
        let mut writer = self.writer();
        let Writer { stream, rest } = &mut *writer;
        let header = frame::header(Kind::Data, operation, number, content.len());
        for bytes in [&std::mem::take(rest)[..], &header[..], content] {
            write(stream, bytes, || self.check())?.map_err(|error| self.why_closed(&error))?;
        }
        Ok(())
    }

    /// Why a connection is closed that is written to. What the other end has said last may not have
    /// been read yet.
    fn why_closed(&self, error: &std::io::Error) -> CollectiveError {
        let began = Instant::now();
        while began.elapsed() < LAST_WORDS {
            if let Some(failure) = self.outcome.failure() {
                return failure;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.lost(format!("its connection is closed ({error})"))
    }

    /// The content of the next frame of data, which has to be of this operation.
    pub fn receive(&self, operation: Operation, number: u32) -> Result<Vec<u8>, CollectiveError> {
        loop {
            match self.data.recv_timeout(CHECK_INTERVAL) {
                Ok(frame) if (frame.operation, frame.number) == (operation, number) => {
                    return Ok(frame.content);
                }
                Ok(frame) => {
                    return Err(CollectiveError::OutOfStep(format!(
                        "rank {} is at operation {} ({:?}), and this rank at {number} ({operation:?})",
                        self.rank, frame.number, frame.operation
                    )));
                }
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let left = || self.lost("it has ended the run".to_owned());
                    return Err(self.outcome.failure().unwrap_or_else(left));
                }
            }
        }
    }

    /// Sends a sign of life, unless something else is being sent. It does not wait.
    pub fn send_sign_of_life(&self) {
        let Ok(mut writer) = self.writer.try_lock() else { return };
        let Writer { stream, rest } = &mut *writer;
        if rest.is_empty() {
            rest.extend(frame::header(Kind::Alive, Operation::None, 0, 0));
        }
        // The reader notices a connection that is closed.
        if let Ok(written) = stream.write(rest) {
            rest.drain(..written);
        }
    }

    /// Tells the other end why this rank ends, if the connection is not in use for too long.
    pub fn send_failure(&self, message: &str) {
        let end = message.floor_char_boundary(MAX_FRAME_BYTES);
        self.send_last(Kind::Failure, &message.as_bytes()[..end]);
    }

    /// Tells the other end that this rank has no more to say, and closes the connection.
    pub fn leave(&self) {
        self.send_last(Kind::Leave, &[]);
        let writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // The reader of this end stops.
        let _ = writer.stream.shutdown(Shutdown::Both);
    }

    fn send_last(&self, kind: Kind, content: &[u8]) {
        let began = Instant::now();
        let check = || if began.elapsed() < LAST_WORDS { Ok(()) } else { Err(()) };
        while check().is_ok() {
            if let Ok(mut writer) = self.writer.try_lock() {
                let Writer { stream, rest } = &mut *writer;
                let header = frame::header(kind, Operation::None, 0, content.len());
                for bytes in [&std::mem::take(rest)[..], &header[..], content] {
                    // The other end may be gone.
                    if !matches!(write(stream, bytes, check), Ok(Ok(()))) {
                        return;
                    }
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Writes bytes; while the other end does not read, `check` is called again and again, and its error
/// ends the writing.
fn write<E>(
    stream: &mut TcpStream,
    mut bytes: &[u8],
    check: impl Fn() -> Result<(), E>,
) -> Result<std::io::Result<()>, E> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Ok(Err(ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                check()?;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// Reads what another rank sends.
struct Reader {
    rank: usize,
    stream: TcpStream,
    sender: Sender<Frame>,
    heard: Arc<Mutex<Instant>>,
    outcome: Arc<Outcome>,
    has_left: Arc<AtomicBool>,
}

impl Reader {
    fn run(self) {
        let mut stream = BufReader::with_capacity(MAX_FRAME_BYTES / 4, &self.stream);
        loop {
            let frame = match frame::read(&mut stream) {
                Ok(frame) => frame,
                Err(error) => return self.closed(&error),
            };
            *locked(&self.heard) = Instant::now();
            match frame.kind {
                Kind::Alive => {}
                Kind::Leave => return self.has_left.store(true, Ordering::Release),
                Kind::Failure => {
                    let message = String::from_utf8_lossy(&frame.content);
                    let message = sanitize_for_terminal(&message).into_owned();
                    return self.outcome.fail(CollectiveError::Failed { rank: self.rank, message });
                }
                Kind::Data => {
                    // This waits until the frame is asked for.
                    if self.sender.send(frame).is_err() {
                        return;
                    }
                    *locked(&self.heard) = Instant::now();
                }
            }
        }
    }

    fn closed(&self, error: &std::io::Error) {
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                "its process has ended, or its connection was closed".to_owned()
            }
            _ => error.to_string(),
        };
        self.outcome.fail(CollectiveError::Lost { rank: self.rank, reason });
    }
}
