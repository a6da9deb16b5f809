//! How the ranks of a run find each other: rank 0 waits on a port, and the others connect to it.

use super::{Limits, TcpCollective};
use crate::core::collective::{CollectiveError, Placement};
use crate::core::text::sanitize_for_terminal;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The version of the exchange.
const PROTOCOL: u32 = 2;

/// The most bytes of a greeting.
const MAX_GREETING_BYTES: usize = 4096;

/// How long a connection may take to greet.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// The most ranks that a message names.
const MAX_NAMED_RANKS: usize = 16;

/// How often rank 0 looks for connections, and the others try again to connect.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a process waits for while the ranks find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How long it has waited.
    pub elapsed: Duration,
    /// How long it waits at most.
    pub limit: Duration,
    /// The ranks that have not connected, or why rank 0 is not reached.
    pub reason: String,
}

/// What a rank says of itself when it connects.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    nsmc_tui_rank: u32,
    rank: usize,
    world_size: usize,
    run_id: String,
}

/// The answer of rank 0.
#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    /// Why the rank is refused, if it is.
    refused: Option<String>,
}

/// The port on which rank 0 waits for the other ranks.
#[derive(Debug)]
pub struct Rendezvous(TcpListener);

impl Rendezvous {
    /// Waits on the address and port of the placement.
    ///
    /// # Errors
    /// If the address is not one of this machine, or the port is in use.
    pub fn bind(placement: &Placement) -> Result<Self, CollectiveError> {
        let (address, port) = (address_of(placement)?, placement.port);
        let bind = || TcpListener::bind(&resolve(address, port)?[..]);
        bind().map(Self).map_err(|error| {
            CollectiveError::Join(format!(
                "rank 0 cannot wait for the other ranks on {}:{port}: {error}. MASTER_ADDR has to be \
                 an address of its machine, and MASTER_PORT a free port",
                sanitize_for_terminal(address)
            ))
        })
    }

    /// Waits on a free port of this machine, which other machines do not reach.
    ///
    /// # Errors
    /// If there is none.
    pub fn local() -> std::io::Result<Self> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(Self)
    }

    /// Its port.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn port(&self) -> std::io::Result<u16> {
        self.0.local_addr().map(|address| address.port())
    }

    /// Waits for all other ranks. `check` is called again and again meanwhile with what it waits for;
    /// an error of it ends the waiting.
    ///
    /// # Errors
    /// If not all ranks connect in time, or one is of another run.
    pub fn accept(
        self,
        placement: &Placement,
        limits: Limits,
        mut check: impl FnMut(&Waiting) -> Result<(), CollectiveError>,
    ) -> Result<TcpCollective, CollectiveError> {
        let failed = |error: &std::io::Error| CollectiveError::Join(error.to_string());
        self.0.set_nonblocking(true).map_err(|error| failed(&error))?;
        let mut joined: Vec<Option<TcpStream>> = (1..placement.world_size).map(|_| None).collect();
        let began = Instant::now();
        while joined.iter().any(Option::is_none) {
            let (elapsed, limit) = (began.elapsed(), limits.join);
            let reason = format!("these ranks have not connected: {}", missing_ranks(&joined));
            check(&Waiting { elapsed, limit, reason })?;
            match self.0.accept() {
                Ok((stream, _)) => match greet(&stream, placement, &joined) {
                    Ok(Some(rank)) => joined[rank - 1] = Some(stream),
                    // A connection that is not of a rank of this run.
                    Ok(None) => {}
                    Err(problem) => return Err(CollectiveError::Join(problem)),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if began.elapsed() > limits.join {
                        return Err(missing(&joined, placement, limits.join));
                    }
                    std::thread::sleep(POLL_INTERVAL);
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        let streams = joined.into_iter().zip(1..);
        let streams = streams.filter_map(|(stream, rank)| Some((rank, stream?))).collect();
        TcpCollective::new(0, placement.world_size, streams, limits).map_err(|error| failed(&error))
    }
}

fn missing(
    joined: &[Option<TcpStream>],
    placement: &Placement,
    limit: Duration,
) -> CollectiveError {
    CollectiveError::Join(format!(
        "{} of {} ranks did not connect within {} s: {}. Start one process for each of them with {}",
        joined.iter().filter(|stream| stream.is_none()).count(),
        placement.world_size,
        limit.as_secs_f64(),
        missing_ranks(joined),
        placement.launcher
    ))
}

/// The numbers of the ranks that have not connected; of many, the first ones.
fn missing_ranks(joined: &[Option<TcpStream>]) -> String {
    let missing = joined.iter().zip(1..).filter(|(stream, _)| stream.is_none());
    let missing: Vec<String> = missing.map(|(_, rank): (_, usize)| rank.to_string()).collect();
    match missing.get(..MAX_NAMED_RANKS) {
        Some(first) if missing.len() > first.len() => {
            format!("{} and {} others", first.join(", "), missing.len() - first.len())
        }
        _ => missing.join(", "),
    }
}

/// Reads what a connection says of itself and answers it. Returns its rank; `None` if it is not one
/// of this run.
fn greet(
    stream: &TcpStream,
    placement: &Placement,
    joined: &[Option<TcpStream>],
) -> Result<Option<usize>, String> {
    let read = || -> std::io::Result<Hello> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(GREETING_TIME))?;
        stream.set_write_timeout(Some(GREETING_TIME))?;
        read_line(stream)
    };
    let Ok(hello) = read() else { return Ok(None) };
    if hello.run_id != placement.run_id {
        let _ = write_line(stream, &Reply { refused: Some("it is of another run".to_owned()) });
        return Ok(None);
    }
    let rank = hello.rank;
    let problem = if hello.nsmc_tui_rank != PROTOCOL {
        Some(format!("rank {rank} is of another version of nsmc-tui"))
    } else if hello.world_size != placement.world_size {
        Some(format!(
            "rank {rank} was started as one of {} processes, and rank 0 as one of {}",
            hello.world_size, placement.world_size
        ))
    } else if rank.checked_sub(1).and_then(|index| joined.get(index)).is_none_or(Option::is_some) {
        Some(format!("two processes were started as rank {rank}"))
    } else {
        None
    };
    // If the rank is gone, the first exchange says so.
    let _ = write_line(stream, &Reply { refused: problem.clone() });
    problem.map_or(Ok(Some(rank)), Err)
}

impl TcpCollective {
    /// Connects this rank, which is not rank 0, with rank 0. `check` is called after each attempt
    /// that failed; an error of it ends the waiting.
    ///
    /// # Errors
    /// If rank 0 is not reached in time, or refuses this rank.
    pub fn connect(
        placement: &Placement,
        limits: Limits,
        mut check: impl FnMut(&Waiting) -> Result<(), CollectiveError>,
    ) -> Result<Self, CollectiveError> {
        let (address, port) = (address_of(placement)?, placement.port);
        let began = Instant::now();
        let shown = format!("rank 0 at {}:{port}", sanitize_for_terminal(address));
        let failed = |reason: String| CollectiveError::Join(format!("{shown}: {reason}"));
        let hint = "MASTER_ADDR and MASTER_PORT have to be those of rank 0 on all machines";
        let stream = loop {
            match try_connect(address, port) {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > limits.join => {
                    let seconds = limits.join.as_secs_f64();
                    return Err(failed(format!("not reached within {seconds} s: {error}. {hint}")));
                }
                Err(error) => {
                    let reason = format!("{shown} is not reached: {error}. {hint}");
                    check(&Waiting { elapsed: began.elapsed(), limit: limits.join, reason })?;
                    std::thread::sleep(POLL_INTERVAL);
                }
            }
        };
        let hello = Hello {
            nsmc_tui_rank: PROTOCOL,
            rank: placement.rank,
            world_size: placement.world_size,
            run_id: placement.run_id.clone(),
        };
        let ask = || -> std::io::Result<Reply> {
            // Rank 0 answers one connection after another.
            stream.set_read_timeout(Some(limits.join))?;
            write_line(&stream, &hello)?;
            read_line(&stream)
        };
        let reply = ask().map_err(|error| failed(error.to_string()))?;
        if let Some(reason) = reply.refused {
            return Err(failed(format!(
                "it refuses this rank: {}",
                sanitize_for_terminal(&reason)
            )));
        }
        Self::new(placement.rank, placement.world_size, vec![(0, stream)], limits)
            .map_err(|error| failed(error.to_string()))
    }
}

fn try_connect(address: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = ErrorKind::AddrNotAvailable.into();
    for address in resolve(address, port)? {
        match TcpStream::connect_timeout(&address, GREETING_TIME) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn address_of(placement: &Placement) -> Result<&str, CollectiveError> {
    placement.address.as_deref().ok_or_else(|| {
        CollectiveError::Join(format!(
            "{} does not say on which machine rank 0 is: set the environment variable MASTER_ADDR to \
             its address on all machines",
            placement.launcher
        ))
    })
}

fn resolve(address: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    (address, port).to_socket_addrs().map(Iterator::collect)
}

fn write_line(mut stream: &TcpStream, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads a line of JSON, and nothing after it.
fn read_line<T: for<'a> Deserialize<'a>>(mut stream: &TcpStream) -> std::io::Result<T> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < MAX_GREETING_BYTES {
        stream.read_exact(&mut byte)?;
        if byte == [b'\n'] {
            break;
        }
        line.extend(byte);
    }
    Ok(serde_json::from_slice(&line)?)
}
