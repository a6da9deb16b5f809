//! Ranks that are connected by TCP: every rank with rank 0, which adds up and distributes.
//!
//! Values are added in the order of the ranks, so that the sums are the same in every run. A message
//! is a number of frames. Each rank sends a sign of life every few seconds, also while its
//! training thread is busy; a rank that is silent for longer than a limit counts as lost.

mod frame;
mod join;
mod peer;

pub use join::{Rendezvous, Waiting};

use super::{Collective, CollectiveError};
use crossbeam_channel::{Sender, bounded};
use frame::{MAX_FRAME_BYTES, Operation};
use peer::{Outcome, Peer};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Values in a frame.
const FRAME_VALUES: usize = MAX_FRAME_BYTES / 4;

/// The most bytes that are broadcast or gathered in one message.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// The time limits of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the ranks wait for each other before the first exchange.
    pub join: Duration,
    /// How long a rank may give no sign of life.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { join: Duration::from_mins(5), silence: Duration::from_secs(30) }
    }
}

/// The connections of one rank: those of rank 0 with all others, or that of another rank with rank 0.
pub struct TcpCollective {
    rank: usize,
    world_size: usize,
    /// In the order of their ranks.
    peers: Arc<[Peer]>,
    outcome: Arc<Outcome>,
    /// The number of the next operation, which has to be the same on all ranks.
    next: AtomicU32,
    /// Ends the signs of life when it is dropped.
    _alive: Sender<()>,
}

impl TcpCollective {
    /// The collective of streams that have joined; each with the rank at its other end.
    fn new(
        rank: usize,
        world_size: usize,
        streams: Vec<(usize, TcpStream)>,
        limits: Limits,
    ) -> std::io::Result<Self> {
        let outcome = Arc::new(Outcome::default());
        let peers = streams
            .into_iter()
            .map(|(peer, stream)| Peer::start(peer, stream, limits.silence, Arc::clone(&outcome)));
        let peers: Arc<[Peer]> = peers.collect::<std::io::Result<Vec<_>>>()?.into();
        let (alive, ended) = bounded::<()>(0);
        let interval = limits.silence / 8;
        let all = Arc::clone(&peers);
        std::thread::Builder::new().name("signs of life".to_owned()).spawn(move || {
            // Disconnected when the collective is dropped.
            while ended.recv_timeout(interval).is_err_and(|error| error.is_timeout()) {
                all.iter().for_each(Peer::send_sign_of_life);
            }
        })?;
        Ok(Self { rank, world_size, peers, outcome, next: AtomicU32::new(0), _alive: alive })
    }

    /// Begins an operation, and returns its number.
    fn begin(&self) -> Result<u32, CollectiveError> {
        match self.failure() {
            // It may have been noticed between two operations: the other ranks do not know it.
            Some(failure) => Err(self.note(failure)),
            None => Ok(self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Notes an error, and lets the other ranks know if this is rank 0.
    fn note(&self, error: CollectiveError) -> CollectiveError {
        self.outcome.fail(error.clone());
        if self.rank == 0 {
            self.send_failure(&error.to_string());
        }
        error
    }

    fn send_failure(&self, message: &str) {
        for peer in self.peers.iter() {
            peer.send_failure(message);
        }
    }

    /// Sends a message of any length to a peer.
    fn send_bytes(
        peer: &Peer,
        operation: Operation,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), CollectiveError> {
        peer.send(operation, number, &(bytes.len() as u64).to_le_bytes())?;
        bytes.chunks(MAX_FRAME_BYTES).try_for_each(|part| peer.send(operation, number, part))
    }

    /// Receives what [`Self::send_bytes`] has sent.
    fn receive_bytes(
        peer: &Peer,
        operation: Operation,
        number: u32,
    ) -> Result<Vec<u8>, CollectiveError> {
        let wrong = || CollectiveError::OutOfStep(format!("rank {}: wrong length", peer.rank));
        let len = peer.receive(operation, number)?;
        let len = u64::from_le_bytes(len.try_into().map_err(|_| wrong())?);
        if len > MAX_MESSAGE_BYTES as u64 {
            return Err(wrong());
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            let part = peer.receive(operation, number)?;
            if part.is_empty() || (bytes.len() + part.len()) as u64 > len {
                return Err(wrong());
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    fn reduce(&self, number: u32, values: &mut [f32]) -> Result<(), CollectiveError> {
        let operation = Operation::Reduce;
        let send = |peer: &Peer, values: &[f32]| {
            let mut bytes = Vec::with_capacity(MAX_FRAME_BYTES);
            values.chunks(FRAME_VALUES).try_for_each(|part| {
                bytes.clear();
                bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
                peer.send(operation, number, &bytes)
            })
        };
        let receive = |peer: &Peer, values: &mut [f32], combine: fn(&mut f32, f32)| {
            values.chunks_mut(FRAME_VALUES).try_for_each(|part| {
                let bytes = peer.receive(operation, number)?;
                if bytes.len() != part.len() * 4 {
                    return Err(CollectiveError::OutOfStep(format!(
                        "rank {} sends {} bytes for {} values",
                        peer.rank,
                        bytes.len(),
                        part.len()
                    )));
                }
                let (sent, _) = bytes.as_chunks::<4>();
                for (value, sent) in part.iter_mut().zip(sent) {
                    combine(value, f32::from_le_bytes(*sent));
                }
                Ok(())
            })
        };
        if self.rank == 0 {
            for peer in self.peers.iter() {
                receive(peer, values, |value, sent| *value += sent)?;
            }
            return self.peers.iter().try_for_each(|peer| send(peer, values));
        }
        self.peers.iter().try_for_each(|peer| {
            send(peer, values)?;
            receive(peer, values, |value, sent| *value = sent)
        })
    }

    fn broadcast(
        &self,
        operation: Operation,
        number: u32,
        bytes: &[u8],
    ) -> Result<Vec<u8>, CollectiveError> {
        if self.rank == 0 {
            let send = |peer| Self::send_bytes(peer, operation, number, bytes);
            return self.peers.iter().try_for_each(send).map(|()| bytes.to_vec());
        }
        let first = self.peers.first();
        first.map_or(Ok(Vec::new()), |peer| Self::receive_bytes(peer, operation, number))
    }

    fn gather(&self, number: u32, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        let operation = Operation::Gather;
        let mut all = vec![bytes.to_vec()];
        if self.rank == 0 {
            for peer in self.peers.iter() {
                all.push(Self::receive_bytes(peer, operation, number)?);
            }
        } else {
            let send = |peer| Self::send_bytes(peer, operation, number, bytes);
            self.peers.iter().try_for_each(send)?;
        }
        let lengths = all.iter().flat_map(|bytes| (bytes.len() as u64).to_le_bytes());
        let joined: Vec<u8> = lengths.chain(all.iter().flatten().copied()).collect();
        let joined = self.broadcast(operation, number, &joined)?;
        split(&joined, self.world_size)
            .ok_or_else(|| CollectiveError::OutOfStep("a gathered message is cut off".to_owned()))
    }
}

/// The `count` messages of a gathered one: their lengths, then their bytes.
fn split(joined: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let (lengths, mut rest) = joined.split_at_checked(count.checked_mul(8)?)?;
    let (lengths, _) = lengths.as_chunks::<8>();
    let mut all = Vec::with_capacity(count);
    for len in lengths {
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let (bytes, after) = rest.split_at_checked(len)?;
        all.push(bytes.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(all)
}

impl Collective for TcpCollective {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world_size(&self) -> usize {
        self.world_size
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        let number = self.begin()?;
        self.reduce(number, values).map_err(|error| self.note(error))
    }

    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
        let number = self.begin()?;
        let sent = self.broadcast(Operation::Broadcast, number, bytes);
        sent.map_err(|error| self.note(error))
    }

    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        let number = self.begin()?;
        self.gather(number, bytes).map_err(|error| self.note(error))
    }

    fn failure(&self) -> Option<CollectiveError> {
        self.outcome.failure()
    }

    fn check(&self) -> Result<(), CollectiveError> {
        let checked = self.peers.iter().try_for_each(Peer::check_present);
        checked.map_err(|error| self.note(error))
    }

    fn fail(&self, message: &str) {
        self.send_failure(message);
    }
}

impl Drop for TcpCollective {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.send_failure("its training thread panicked");
        }
        for peer in self.peers.iter() {
            peer.leave();
        }
    }
}

/// The value of a lock, also after a thread that held it has panicked.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "../tcp_tests.rs"]
mod tests;
