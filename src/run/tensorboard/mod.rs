//! TensorBoard's event files, as Hugging Face's Trainer writes them with PyTorch's `SummaryWriter`:
//! `TFRecord` records, each of which contains a protocol buffer `Event`.
//!
//! Sources: `record_writer.h` of TensorFlow for the records; `event.proto`, `summary.proto` and
//! `tensor.proto` of TensorBoard for the events; `rewrite_logs` and `TensorBoardCallback` of
//! transformers for the tags. The few needed fields are encoded and decoded here.

mod record;
#[cfg(test)]
pub(in crate::run) mod tests;

use super::append_file::{AppendFile, Flushed, open_to_append};
use crate::core::atomic_write::write_atomically;
use record::{
    FIXED_32, FIXED_64, FieldValue, VARINT, fields, put_bytes, put_key, put_message, put_varint,
    submessages,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

/// The first part of an event file's name.
const PREFIX: &str = "events.out.tfevents.";

/// The `source_metadata` of TensorBoard's own writer.
const WRITER: &[u8] = b"tensorboard.summary.writer.event_file_writer";

/// `DataType.DT_STRING` of `types.proto`.
const DT_STRING: u64 = 7;

/// The tags that a run writes only at its end; a resumed run writes them again.
const FINAL_TAGS: [&str; 5] = [
    "train/train_runtime",
    "train/train_samples_per_second",
    "train/train_steps_per_second",
    "train/total_flos",
    "train/train_loss",
];

/// The Trainer's tag of a metric in its log: `eval_loss` is `eval/loss`, `loss` is
/// `train/loss` (`rewrite_logs` of transformers).
pub fn tag(name: &str) -> String {
    for group in ["eval", "test"] {
        if let Some(rest) = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('_')) {
            return format!("{group}/{rest}");
        }
    }
    format!("train/{name}")
}

/// An event file. Events that cannot be written are kept in bounded memory and written later; a
/// record that could be written only in part is removed first.
#[derive(Debug)]
pub struct EventWriter {
    file: AppendFile,
    /// The number of texts and sets of values that were given up because the memory was used up.
    lost: u64,
}

impl EventWriter {
    /// A new file `events.out.tfevents.<seconds>.<host>.<pid>.<number>` in a folder, which is
    /// created if it is missing. The number is 0, or the first free one: existing files are not
    /// appended to. `now` is in seconds since 1970. The file is created with the first event,
    /// after `prepare`; both are tried again with later events until they succeed.
    pub fn new(
        folder: &Path,
        now: f64,
        host: &str,
        pid: u32,
        mut prepare: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> Self {
        let name = format!("{PREFIX}{:010}.{}.{pid}", now as u64, file_name_part(host));
        let folder = folder.to_path_buf();
        let mut file = AppendFile::new(move || {
            std::fs::create_dir_all(&folder)?;
            prepare()?;
            let mut number = 0;
            loop {
                let path = folder.join(format!("{name}.{number}"));
                match open_to_append(&path, true) {
                    Ok(file) => return Ok((file, path, 0)),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                    Err(error) => return Err(error),
                }
            }
        });
        let mut event = at_time(now);
        put_bytes(&mut event, 3, b"brain.Event:2");
        put_message(&mut event, 10, |metadata| put_bytes(metadata, 1, WRITER));
        file.push(record::encode_record(&event));
        Self { file, lost: 0 }
    }

    /// Adds values under their tags (see [`tag`]), one record each, as `add_scalar` does.
    /// `wall_time` is in seconds since 1970. `Self::flush` writes them.
    pub fn scalars<T: AsRef<str>>(&mut self, step: u64, wall_time: f64, values: &[(T, f64)]) {
        let mut records = Vec::new();
        for (tag, scalar) in values {
            let event = event(step, wall_time, |value| {
                put_bytes(value, 1, tag.as_ref().as_bytes());
                put_key(value, 2, FIXED_32);
                value.extend_from_slice(&(*scalar as f32).to_le_bytes());
            });
            records.extend(record::encode_record(&event));
        }
        self.push(records);
    }

    /// Adds a text, which TensorBoard displays as Markdown, under `<tag>/text_summary`, as
    /// `add_text` does. `wall_time` is in seconds since 1970. `Self::flush` writes it.
    pub fn text(&mut self, tag: &str, step: u64, wall_time: f64, text: &str) {
        let event = event(step, wall_time, |value| {
            put_bytes(value, 1, format!("{tag}/text_summary").as_bytes());
            put_message(value, 8, |tensor| {
                put_key(tensor, 1, VARINT);
                put_varint(tensor, DT_STRING);
                put_message(tensor, 2, |shape| {
                    put_message(shape, 2, |dimension| {
                        put_key(dimension, 1, VARINT);
                        put_varint(dimension, 1);
                    });
                });
                put_bytes(tensor, 8, text.as_bytes());
            });
            put_message(value, 9, |metadata| {
                put_message(metadata, 1, |plugin| put_bytes(plugin, 1, b"text"));
            });
        });
        self.push(record::encode_record(&event));
    }

    fn push(&mut self, records: Vec<u8>) {
        if self.file.has_room(records.len()) {
            self.file.push(records);
        } else {
            self.lost += 1;
        }
    }

    /// Writes what could not be written before, unless an attempt failed a short time ago.
    pub(super) fn flush(&mut self) -> Flushed {
        self.file.flush()
    }

    /// Returns and clears the number of texts and sets of values that were given up.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The file.
    pub(super) fn file(&mut self) -> &mut AppendFile {
        &mut self.file
    }
}

/// Whether a file of this name is an event file.
pub(super) fn is_event_file(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

/// The point from which a run is resumed.
#[derive(Clone, Copy, Debug)]
pub struct ResumePoint {
    /// The last step before it.
    pub step: u64,
    /// Whether the evaluation at that step is before it too.
    pub is_evaluated: bool,
    /// Entries of the log history at that step.
    pub log_entries: usize,
}

/// Prepares a folder for a resumed run: removes from its event files the events after the resume
/// point, the events that a run writes at its end, and a damaged tail. The other records are
/// preserved byte for byte. Files without such events, files that do not begin like an event file,
/// and symbolic links are not modified. Returns the number of removed records; a damaged tail
/// counts as one. A missing folder is not an error.
///
/// # Errors
/// If a file cannot be read or replaced; each file is replaced atomically.
pub fn truncate_after(folder: &Path, point: ResumePoint) -> io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if is_event_file(&entry.file_name()) && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    // The names begin with the time, so this is the order in which the files were written.
    files.sort_unstable();
    let mut point = point;
    let mut removed = 0;
    for file in files {
        let (from_file, rest) = truncate_file(&file, point)?;
        removed += from_file;
        point = rest;
    }
    Ok(removed)
}

/// Returns the number of removed records and the resume point for the next file. The first pass
/// holds one record at a time. A second pass collects the remaining records only if some are
/// removed.
fn truncate_file(file: &Path, point: ResumePoint) -> io::Result<(usize, ResumePoint)> {
    let mut rest = point;
    let removed = filter_records(file, &mut rest, |_| ())?;
    if removed > 0 {
        let mut kept = Vec::new();
        filter_records(file, &mut { point }, |record| kept.extend_from_slice(record))?;
        write_atomically(file, &kept)?;
    }
    Ok((removed, rest))
}

/// Calls `keep` with each record to keep, and returns the number of removed records.
fn filter_records(
    file: &Path,
    point: &mut ResumePoint,
    mut keep: impl FnMut(&[u8]),
) -> io::Result<usize> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut record = Vec::new();
    let mut removed = 0;
    let mut is_first = true;
    loop {
        record::read_record(&mut reader, &mut record)?;
        if record.is_empty() {
            return Ok(removed);
        }
        let Some(event) = record::event_in(&record) else {
            return Ok(if is_first { 0 } else { removed + 1 });
        };
        if is_first && !is_version(event) {
            return Ok(0);
        }
        if is_after(event, point) {
            removed += 1;
        } else {
            keep(&record);
        }
        is_first = false;
    }
}

/// Whether the event is the version event at the start of an event file.
fn is_version(event: &[u8]) -> bool {
    fields(event).any(|field| match field {
        (3, FieldValue::Bytes(version)) => version.starts_with(b"brain.Event:"),
        _ => false,
    })
}

/// Whether a run that is resumed from this point writes the event again. Each entry of the log
/// history has one event `train/epoch`, so the number of these events to keep at the last step
/// equals the number of its entries.
fn is_after(event: &[u8], point: &mut ResumePoint) -> bool {
    let mut at = 0;
    let mut tags = Vec::new();
    for field in fields(event) {
        match field {
            (2, FieldValue::Varint(step)) => at = step as i64,
            (5, FieldValue::Bytes(summary)) => {
                for value in submessages(summary, 1) {
                    tags.extend(submessages(value, 1));
                }
            }
            _ => {}
        }
    }
    let is_final = |tag: &&[u8]| FINAL_TAGS.iter().any(|name| name.as_bytes() == *tag);
    match u64::try_from(at) {
        Ok(at) if at == point.step => {
            if tags.contains(&&b"train/epoch"[..]) {
                let is_known = point.log_entries > 0;
                point.log_entries = point.log_entries.saturating_sub(1);
                return !is_known;
            }
            let is_evaluation = |tag: &&[u8]| !point.is_evaluated && tag.starts_with(b"eval/");
            !tags.is_empty() && tags.iter().all(|tag| is_final(tag) || is_evaluation(tag))
        }
        Ok(at) => at > point.step,
        Err(_) => false,
    }
}

/// An event with one `Summary.Value`, which `value` writes. Step 0 is the default and is not
/// encoded.
fn event(step: u64, wall_time: f64, value: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = at_time(wall_time);
    if step != 0 {
        put_key(&mut event, 2, VARINT);
        put_varint(&mut event, step);
    }
    put_message(&mut event, 5, |summary| put_message(summary, 1, value));
    event
}

fn at_time(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    put_key(&mut event, 1, FIXED_64);
    event.extend_from_slice(&wall_time.to_le_bytes());
    event
}

/// A host name in which all characters that are special in paths are replaced.
fn file_name_part(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = host.chars().take(64).map(|c| if fits(c) { c } else { '-' }).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
