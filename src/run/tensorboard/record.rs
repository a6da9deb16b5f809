//! The records of an event file and the protocol buffers in them.

use std::io::{self, Read};

/// A record that claims to be longer is damaged.
const LONGEST: u64 = 16 << 20;

/// A record's length and its checksum.
const HEAD: usize = 12;

// The wire types of protocol buffers.
pub const VARINT: u8 = 0;
pub const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
pub const FIXED_32: u8 = 5;

/// The record that holds an event.
pub fn framed(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(HEAD + event.len() + 4);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_checksum(&length));
    record.extend_from_slice(event);
    record.extend_from_slice(&masked_checksum(event));
    record
}

/// Reads as much as there is of the next record, nothing at the end of the file.
pub fn read(reader: &mut impl Read, record: &mut Vec<u8>) -> io::Result<()> {
    record.clear();
    reader.by_ref().take(HEAD as u64).read_to_end(record)?;
    if let Some(length) = length_in(record) {
        reader.by_ref().take(length + 4).read_to_end(record)?;
    }
    Ok(())
}

/// How long the record says its event is, if the checksum agrees.
fn length_in(record: &[u8]) -> Option<u64> {
    let (length, rest) = record.split_first_chunk::<8>()?;
    let (checksum, _) = rest.split_first_chunk::<4>()?;
    let is_intact = *checksum == masked_checksum(length);
    let length = u64::from_le_bytes(*length);
    (is_intact && length <= LONGEST).then_some(length)
}

/// The event in a record, if the record is whole.
pub fn event_in(record: &[u8]) -> Option<&[u8]> {
    let length = length_in(record)?;
    let (event, checksum) = record.get(HEAD..)?.split_last_chunk::<4>()?;
    let is_intact = event.len() as u64 == length && *checksum == masked_checksum(event);
    is_intact.then_some(event)
}

/// CRC-32C, turned and shifted so that the checksum of data that hold a checksum is a good one too.
fn masked_checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The value of a protocol buffer's field, as far as it matters here.
pub enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// A message's fields with their numbers, up to the first that makes no sense.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut message)?;
        let value = match (key & 7) as u8 {
            VARINT => Value::Varint(take_varint(&mut message)?),
            FIXED_64 => take(&mut message, 8).map(|_| Value::Fixed)?,
            FIXED_32 => take(&mut message, 4).map(|_| Value::Fixed)?,
            BYTES => {
                let length = take_varint(&mut message)?;
                Value::Bytes(take(&mut message, usize::try_from(length).ok()?)?)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

/// The strings or messages in a message's field.
pub fn submessages(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(number, value)| match value {
        Value::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn take<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Writes what stands before a field's value.
pub fn put_key(message: &mut Vec<u8>, number: u8, wire_type: u8) {
    message.push((number << 3) | wire_type);
}

/// Writes seven bits a byte, the least ones first.
pub fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Writes a field that is a string or bytes.
pub fn put_bytes(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_key(message, number, BYTES);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Writes a field that is a message, which `fill` writes.
pub fn put_message(message: &mut Vec<u8>, number: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    put_bytes(message, number, &inner);
}
