//! Accepts front ends at the socket: for each, a thread that reads its commands and one that writes
//! its reports.

use super::messages::Incoming;
use super::queue::{LineReceiver, queue};
use super::{Hello, MAX_NAME, MAX_REQUEST_BYTES, stream};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::run::protocol::encoding::{ProtocolError, encode, read_bounded};
use crate::run::protocol::{Command, RunReport};
use crossbeam_channel::Sender;
use std::io::{BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// The most front ends that are connected at once.
const MAX_FRONT_ENDS: usize = 32;

/// How long a front end may take for its first message.
const HELLO_TIME: Duration = Duration::from_secs(5);

/// The pause after a failed accept, for example without a free file descriptor.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Starts to accept front ends of the run in `folder`.
///
/// # Errors
/// If there can be no socket, or a thread cannot be started.
pub(super) fn start(folder: &Path, hub: Sender<Incoming>) -> std::io::Result<()> {
    let listener = stream::listen(folder)?;
    Builder::new().name("session".to_owned()).spawn(move || accept(&listener, &hub))?;
    Ok(())
}

fn accept(listener: &UnixListener, hub: &Sender<Incoming>) {
    let connected = Arc::new(AtomicUsize::new(0));
    for (id, accepted) in (1..).zip(listener.incoming()) {
        let Ok(accepted) = accepted else {
            std::thread::sleep(RETRY_PAUSE);
            continue;
        };
        let place = Place::new(&connected);
        let hub = hub.clone();
        let serve = move || {
            let refusal = match (stream::check_owner(&accepted), &place) {
                (Err(error), _) => error.to_string(),
                (Ok(()), None) => format!("{MAX_FRONT_ENDS} front ends are attached already"),
                (Ok(()), Some(_)) => match serve(id, &accepted, &hub) {
                    Ok(()) => return,
                    Err(ProtocolError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                        format!("there was no message within {} s", HELLO_TIME.as_secs())
                    }
                    Err(error) => error.to_string(),
                },
            };
            refuse(&accepted, &refusal);
        };
        // Without a thread the front end is disconnected.
        let _ = Builder::new().name("front end".to_owned()).spawn(serve);
    }
}

/// A place among the connected front ends, until it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn new(connected: &Arc<AtomicUsize>) -> Option<Self> {
        let free = |count| (count < MAX_FRONT_ENDS).then_some(count + 1);
        connected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Self(Arc::clone(connected)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says why a front end is disconnected, if it reads.
fn refuse(mut stream: &UnixStream, reason: &str) {
    let reason = sanitize_for_terminal(reason).into_owned();
    if let Ok(line) = encode(&RunReport::Refused(reason)) {
        let _ = stream.set_write_timeout(Some(HELLO_TIME));
        let _ = stream.write_all(&line);
    }
}

/// Passes the commands of one front end to the hub until it disconnects.
fn serve(id: u64, stream: &UnixStream, hub: &Sender<Incoming>) -> Result<(), ProtocolError> {
    stream.set_read_timeout(Some(HELLO_TIME))?;
    let (mut reader, mut buffer) = (BufReader::new(stream), Vec::new());
    let Some(hello) = read_bounded::<Hello>(&mut reader, &mut buffer, MAX_REQUEST_BYTES)? else {
        return Ok(());
    };
    stream.set_read_timeout(None)?;
    let name = truncate_width(&sanitize_for_terminal(&hello.name), MAX_NAME);
    let (outgoing, lines) = queue();
    let writer = stream.try_clone()?;
    let closing = stream.try_clone()?;
    Builder::new().name("reports".to_owned()).spawn(move || write_lines(&writer, &lines))?;
    let joined = Incoming::Joined { id, name, purpose: hello.purpose, outgoing, stream: closing };
    let ended = || ProtocolError::Io(std::io::ErrorKind::BrokenPipe.into());
    hub.send(joined).map_err(|_| ended())?;
    let outcome = loop {
        match read_bounded::<Command>(&mut reader, &mut buffer, MAX_REQUEST_BYTES) {
            Ok(Some(command)) => {
                hub.send(Incoming::Command { id, command }).map_err(|_| ended())?;
            }
            Ok(None) | Err(ProtocolError::Io(_) | ProtocolError::Incomplete) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    // The reason is sent by the thread that writes the reports.
    let _ = hub.send(Incoming::Left { id, refusal: outcome });
    Ok(())
}

/// Writes the lines of a front end until its queue ends or it disconnects.
fn write_lines(mut stream: &UnixStream, lines: &LineReceiver) {
    while let Some(line) = lines.next() {
        if stream.write_all(&line).is_err() {
            break;
        }
    }
    // This also ends the thread that reads.
    let _ = stream.shutdown(Shutdown::Both);
}
