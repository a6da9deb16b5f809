//! `TFRecord` records, and the parts of the protocol buffer encoding that events need.

use std::io::{self, Read};

/// The longest event in bytes; a record with a greater length is damaged.
const MAX_LENGTH: u64 = 16 << 20;

/// The number of bytes of a record's length field and its checksum.
const HEADER: usize = 12;

// The wire types of protocol buffers.
pub const VARINT: u8 = 0;
pub const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
pub const FIXED_32: u8 = 5;

/// The record of an event.
pub fn encode_record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(HEADER + event.len() + 4);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_checksum(&length));
    record.extend_from_slice(event);
    record.extend_from_slice(&masked_checksum(event));
    record
}

/// Reads the next record, or the part of it that the file contains. At the end of the file,
/// `record` is empty.
pub fn read_record(reader: &mut impl Read, record: &mut Vec<u8>) -> io::Result<()> {
    record.clear();
    reader.by_ref().take(HEADER as u64).read_to_end(record)?;
    if let Some(length) = length_in(record) {
        reader.by_ref().take(length + 4).read_to_end(record)?;
    }
    Ok(())
}

/// The length of the record's event; `None` if its checksum is wrong.
fn length_in(record: &[u8]) -> Option<u64> {
    let (length, rest) = record.split_first_chunk::<8>()?;
    let (checksum, _) = rest.split_first_chunk::<4>()?;
    let is_intact = *checksum == masked_checksum(length);
    let length = u64::from_le_bytes(*length);
    (is_intact && length <= MAX_LENGTH).then_some(length)
}

/// The event of a record; `None` if the record is incomplete or damaged.
pub fn event_in(record: &[u8]) -> Option<&[u8]> {
    let length = length_in(record)?;
    let (event, checksum) = record.get(HEADER..)?.split_last_chunk::<4>()?;
    let is_intact = event.len() as u64 == length && *checksum == masked_checksum(event);
    is_intact.then_some(event)
}

/// The masked CRC-32C of the `TFRecord` format (`crc32c::Mask` of TensorFlow).
fn masked_checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The value of a protocol buffer field; fixed-size values are skipped.
pub enum FieldValue<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of a message with their numbers, up to the first invalid one.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, FieldValue<'_>)> {
    std::iter::from_fn(move || {
        let key = read_varint(&mut message)?;
        let value = match (key & 7) as u8 {
            VARINT => FieldValue::Varint(read_varint(&mut message)?),
            FIXED_64 => split_bytes(&mut message, 8).map(|_| FieldValue::Fixed)?,
            FIXED_32 => split_bytes(&mut message, 4).map(|_| FieldValue::Fixed)?,
            BYTES => {
                let length = read_varint(&mut message)?;
                FieldValue::Bytes(split_bytes(&mut message, usize::try_from(length).ok()?)?)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

/// The strings or messages in a message's field.
pub fn submessages(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(number, value)| match value {
        FieldValue::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    })
}

fn split_bytes<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

fn read_varint(message: &mut &[u8]) -> Option<u64> {
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

/// Writes a field's key.
pub fn put_key(message: &mut Vec<u8>, number: u8, wire_type: u8) {
    message.push((number << 3) | wire_type);
}

/// Writes a variable-length integer: seven bits per byte, the least significant first.
pub fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Writes a string or bytes field.
pub fn put_bytes(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_key(message, number, BYTES);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Writes a message field, whose content `fill` writes.
pub fn put_message(message: &mut Vec<u8>, number: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    put_bytes(message, number, &inner);
}
