//! TensorBoard's event files, as Hugging Face's Trainer has PyTorch's `SummaryWriter` write them:
//! records of the `TFRecord` format, each of which holds a protocol buffer `Event`.
//!
//! Sources: `record_writer.h` of TensorFlow for the records; `event.proto`, `summary.proto` and
//! `tensor.proto` of TensorBoard for what is in them; `rewrite_logs` and `TensorBoardCallback` of
//! transformers for the tags. The few fields needed are written and read by hand.

mod record;
#[cfg(test)]
mod tests;

use crate::core::atomic_write::write_atomically;
use record::{
    FIXED_32, FIXED_64, VARINT, Value, fields, put_bytes, put_key, put_message, put_varint,
    submessages,
};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// How the name of an event file begins.
const PREFIX: &str = "events.out.tfevents.";

/// The `source_metadata` that TensorBoard's own writer leaves.
const WRITER: &[u8] = b"tensorboard.summary.writer.event_file_writer";

/// `DataType.DT_STRING` of `types.proto`.
const DT_STRING: u64 = 7;

/// What a run says once, at its end: a resumed run says it anew.
const LAST_WORDS: [&str; 5] = [
    "train/train_runtime",
    "train/train_samples_per_second",
    "train/train_steps_per_second",
    "train/total_flos",
    "train/train_loss",
];

/// The tag under which the Trainer files a figure of its log: `eval_loss` is `eval/loss`, `loss` is
/// `train/loss` (`rewrite_logs` of transformers).
pub fn tag(name: &str) -> String {
    for group in ["eval", "test"] {
        if let Some(rest) = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('_')) {
            return format!("{group}/{rest}");
        }
    }
    format!("train/{name}")
}

/// One event file, written by one process. What is written is buffered until [`Self::flush`].
#[derive(Debug)]
pub struct EventWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// Begins `events.out.tfevents.<seconds>.<host>.<pid>.<number>` in the folder, which is made
    /// if need be. The number is 0 unless there is such a file already: none is ever appended to.
    /// `now` is in seconds since 1970.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path, now: f64, host: &str, pid: u32) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let name = format!("{PREFIX}{:010}.{}.{pid}", now as u64, fit_for_a_name(host));
        let mut number = 0;
        let (file, path) = loop {
            let path = folder.join(format!("{name}.{number}"));
            match File::create_new(&path) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        let mut writer = Self { file: BufWriter::new(file), path };
        let mut event = at_time(now);
        put_bytes(&mut event, 3, b"brain.Event:2");
        put_message(&mut event, 10, |metadata| put_bytes(metadata, 1, WRITER));
        writer.record(&event)?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes figures under their tags (see [`tag`]), one record each as `add_scalar` does.
    /// `wall_time` is in seconds since 1970.
    ///
    /// # Errors
    /// What the system says.
    pub fn scalars<T: AsRef<str>>(
        &mut self,
        step: u64,
        wall_time: f64,
        values: &[(T, f64)],
    ) -> io::Result<()> {
        for (tag, figure) in values {
            let event = event(step, wall_time, |value| {
                put_bytes(value, 1, tag.as_ref().as_bytes());
                put_key(value, 2, FIXED_32);
                value.extend_from_slice(&(*figure as f32).to_le_bytes());
            });
            self.record(&event)?;
        }
        Ok(())
    }

    /// Writes a text, which TensorBoard shows as Markdown, as `add_text` does: under the tag with
    /// `/text_summary` after it. `wall_time` is in seconds since 1970.
    ///
    /// # Errors
    /// What the system says.
    pub fn text(&mut self, tag: &str, step: u64, wall_time: f64, text: &str) -> io::Result<()> {
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
        self.record(&event)
    }

    /// Hands to the system what is buffered.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn record(&mut self, event: &[u8]) -> io::Result<()> {
        self.file.write_all(&record::framed(event))
    }
}

/// What a run that is resumed has behind it.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The step it goes on after.
    pub step: u64,
    /// Whether the evaluation at that step is behind it too.
    pub judged: bool,
    /// How many lines of its log are of that step.
    pub entries: usize,
}

/// Readies a folder for a run that goes on: drops from its event files what is not its past, what
/// a run says at its end, and a damaged tail. The other records stay byte
/// for byte, and a file that is to lose nothing is not touched; neither is one that does not begin
/// as an event file does, nor a link. Returns how many records were dropped, a damaged tail
/// counted as one.
///
/// # Errors
/// What the system says; each file is then as it was or as it should be. No folder is no error.
pub fn cut_after(folder: &Path, past: Past) -> io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_named_so = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_named_so && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    // In the order in which they were written: their names begin with the time.
    files.sort_unstable();
    let mut past = past;
    let mut dropped = 0;
    for file in files {
        let (gone, left) = cut_file(&file, past)?;
        dropped += gone;
        past = left;
    }
    Ok(dropped)
}

/// A first reading holds one record at a time; only where something is to go does a second one
/// gather what stays.
fn cut_file(file: &Path, past: Past) -> io::Result<(usize, Past)> {
    let mut left = past;
    let dropped = sift(file, &mut left, |_| ())?;
    if dropped > 0 {
        let mut kept = Vec::new();
        sift(file, &mut { past }, |record| kept.extend_from_slice(record))?;
        write_atomically(file, &kept)?;
    }
    Ok((dropped, left))
}

/// Gives the records that stay to `keep` and returns how many go.
fn sift(file: &Path, past: &mut Past, mut keep: impl FnMut(&[u8])) -> io::Result<usize> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut record = Vec::new();
    let mut dropped = 0;
    let mut is_first = true;
    loop {
        record::read(&mut reader, &mut record)?;
        if record.is_empty() {
            return Ok(dropped);
        }
        let Some(event) = record::event_in(&record) else {
            return Ok(if is_first { 0 } else { dropped + 1 });
        };
        if is_first && !is_version(event) {
            return Ok(0);
        }
        if is_ahead(event, past) {
            dropped += 1;
        } else {
            keep(&record);
        }
        is_first = false;
    }
}

/// Whether the event is the first of a file.
fn is_version(event: &[u8]) -> bool {
    fields(event).any(|field| match field {
        (3, Value::Bytes(version)) => version.starts_with(b"brain.Event:"),
        _ => false,
    })
}

/// Whether a run with this past is to say the event anew. Each line of the log has its epoch, so of
/// those at the last step as many are kept as there are lines.
fn is_ahead(event: &[u8], past: &mut Past) -> bool {
    let mut at = 0;
    let mut tags = Vec::new();
    for field in fields(event) {
        match field {
            (2, Value::Varint(step)) => at = step as i64,
            (5, Value::Bytes(summary)) => {
                for value in submessages(summary, 1) {
                    tags.extend(submessages(value, 1));
                }
            }
            _ => {}
        }
    }
    let is_last_word = |tag: &&[u8]| LAST_WORDS.iter().any(|word| word.as_bytes() == *tag);
    match u64::try_from(at) {
        Ok(at) if at == past.step => {
            if tags.contains(&&b"train/epoch"[..]) {
                let known = past.entries > 0;
                past.entries = past.entries.saturating_sub(1);
                return !known;
            }
            let is_judgement = |tag: &&[u8]| !past.judged && tag.starts_with(b"eval/");
            !tags.is_empty() && tags.iter().all(|tag| is_last_word(tag) || is_judgement(tag))
        }
        Ok(at) => at > past.step,
        Err(_) => false,
    }
}

/// An event with one `Summary.Value`. A step of 0 is not written, as protocol buffers have it.
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

/// A host's name without anything that means something in a path.
fn fit_for_a_name(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = host.chars().take(64).map(|c| if fits(c) { c } else { '-' }).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
