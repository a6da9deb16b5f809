//! Frames: a header of ten bytes, and up to [`MAX_FRAME_BYTES`] of content.

use std::io::{Error, ErrorKind, Read, Result};

/// The most bytes of a frame's content.
pub(super) const MAX_FRAME_BYTES: usize = 256 << 10;

/// The bytes of a header: kind, operation, number and length.
const HEADER_BYTES: usize = 10;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of an operation's message.
    Data = 1,
    /// Its sender is alive.
    Alive = 2,
    /// Its sender ends with the error in the frame.
    Failure = 3,
    /// Its sender has no more to say.
    Leave = 4,
}

/// The operation that a frame of data belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// None.
    None = 0,
    /// A sum of values.
    Reduce = 1,
    /// A message of rank 0.
    Broadcast = 2,
    /// The messages of all ranks.
    Gather = 3,
}

/// A frame that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: Kind,
    pub operation: Operation,
    /// The number of the operation.
    pub number: u32,
    pub content: Vec<u8>,
}

/// The header of a frame whose content has `len` bytes, at most [`MAX_FRAME_BYTES`].
pub(super) fn header(
    kind: Kind,
    operation: Operation,
    number: u32,
    len: usize,
) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = kind as u8;
    header[1] = operation as u8;
    header[2..6].copy_from_slice(&number.to_le_bytes());
    header[6..].copy_from_slice(&(len as u32).to_le_bytes());
    header
}

/// Reads a frame.
pub(super) fn read(from: &mut impl Read) -> Result<Frame> {
    let mut header = [0; HEADER_BYTES];
    from.read_exact(&mut header)?;
    let invalid = || Error::new(ErrorKind::InvalidData, "what arrives is not a frame of a rank");
    let kinds = [Kind::Data, Kind::Alive, Kind::Failure, Kind::Leave];
    let operations = [Operation::None, Operation::Reduce, Operation::Broadcast, Operation::Gather];
    let kind = kinds.into_iter().find(|&kind| kind as u8 == header[0]).ok_or_else(invalid)?;
    let operation = operations.into_iter().find(|&operation| operation as u8 == header[1]);
    let [_, _, a, b, c, d, e, f, g, h] = header;
    let len = u32::from_le_bytes([e, f, g, h]) as usize;
    if len > MAX_FRAME_BYTES {
        return Err(invalid());
    }
    let mut content = vec![0; len];
    from.read_exact(&mut content)?;
    Ok(Frame {
        kind,
        operation: operation.ok_or_else(invalid)?,
        number: u32::from_le_bytes([a, b, c, d]),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_anything_else_is_refused() -> Result<()> {
        let mut bytes = header(Kind::Data, Operation::Gather, 70_000, 7).to_vec();
        bytes.extend(b"content");
        let frame = read(&mut &bytes[..])?;
        assert_eq!((frame.kind, frame.operation), (Kind::Data, Operation::Gather));
        assert_eq!((frame.number, &frame.content[..]), (70_000, &b"content"[..]));
        assert!(read(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(read(&mut &b"GET / HTTP/1.1\r\n\r\n"[..]).is_err());
        let mut long = bytes.clone();
        long[9] = 1;
        assert!(read(&mut &long[..]).is_err());
        Ok(())
    }
}
