//! Encodes messages as lines of JSON: one message per line, each with the protocol version.

use super::PROTOCOL_VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read};

/// The most bytes of a message, its newline included. The largest is an evaluation of the most
/// classes that a model may have, with a confusion matrix of their number squared.
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// Why a message cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The message is longer than this many bytes.
    #[error("a message is longer than {0} bytes")]
    TooLong(usize),
    /// The other program uses another protocol version.
    #[error(
        "the message has protocol version {0}, but this program needs version {PROTOCOL_VERSION}: \
         use the same nsmc-tui on both sides"
    )]
    Version(u64),
    /// The line is not a message.
    #[error("the line is not a message of nsmc-tui: {0}")]
    Malformed(String),
    /// The last line has no newline: the connection ended within a message.
    #[error("the connection ended within a message")]
    Incomplete,
    /// An I/O error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    version: u32,
    message: &'a T,
}

#[derive(Deserialize)]
struct Incoming<T> {
    message: T,
}

/// The version of a message, which is checked before the rest is parsed.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Encodes a message as one line, with its newline.
///
/// # Errors
/// If it is longer than [`MAX_MESSAGE_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ProtocolError> {
    let malformed = |error: serde_json::Error| ProtocolError::Malformed(error.to_string());
    let outgoing = Outgoing { version: PROTOCOL_VERSION, message };
    let mut line = serde_json::to_vec(&outgoing).map_err(malformed)?;
    line.push(b'\n');
    if line.len() > MAX_MESSAGE_BYTES {
        Err(ProtocolError::TooLong(MAX_MESSAGE_BYTES))
    } else {
        Ok(line)
    }
}

/// Decodes the message in a line, with or without its newline. Its texts come from the other
/// program and must be sanitized before they are displayed.
///
/// # Errors
/// If the line is too long, has another version, or is not a message of this type.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, ProtocolError> {
    if line.len() > MAX_MESSAGE_BYTES {
        return Err(ProtocolError::TooLong(MAX_MESSAGE_BYTES));
    }
    let malformed = |error: serde_json::Error| ProtocolError::Malformed(error.to_string());
    let Version { version } = serde_json::from_slice(line).map_err(malformed)?;
    if version != u64::from(PROTOCOL_VERSION) {
        return Err(ProtocolError::Version(version));
    }
    let Incoming { message } = serde_json::from_slice(line).map_err(malformed)?;
    Ok(message)
}

/// Reads the next message; `None` at the end of the stream. `buffer` is reused and never grows
/// beyond [`MAX_MESSAGE_BYTES`].
///
/// # Errors
/// The errors of [`decode`], or if reading fails or the stream ends within a message.
pub fn read_message<T: DeserializeOwned>(
    reader: &mut impl BufRead,
    buffer: &mut Vec<u8>,
) -> Result<Option<T>, ProtocolError> {
    read_bounded(reader, buffer, MAX_MESSAGE_BYTES)
}

/// As [`read_message`], for messages of at most `limit` bytes.
///
/// # Errors
/// As [`read_message`].
pub fn read_bounded<T: DeserializeOwned>(
    reader: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> Result<Option<T>, ProtocolError> {
    if read_line(reader, buffer, limit)? { decode(buffer).map(Some) } else { Ok(None) }
}

/// Reads a line of at most `limit` bytes, with its newline; returns `false` at the end of the stream.
///
/// # Errors
/// If the line is longer, the stream ends within it, or reading fails.
pub fn read_line(
    reader: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> Result<bool, ProtocolError> {
    buffer.clear();
    reader.by_ref().take(limit as u64).read_until(b'\n', buffer)?;
    if buffer.is_empty() || buffer.ends_with(b"\n") {
        return Ok(!buffer.is_empty());
    }
    Err(if buffer.len() == limit {
        ProtocolError::TooLong(limit)
    } else {
        ProtocolError::Incomplete
    })
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
