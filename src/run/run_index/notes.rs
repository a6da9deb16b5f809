//! The user's note and tags on a run, in a file in its folder.

use crate::core::atomic_write::write_atomically;
use crate::core::bounded_file;
use crate::core::text::{display_path, sanitize_for_terminal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// The file's name in the folder of a run.
pub const NOTES: &str = "notes.toml";

/// The most bytes of the file that are read.
const MAX_BYTES: u64 = 1 << 16;

/// The most tags of a run.
const MAX_TAGS: usize = 32;

/// The most characters of a tag.
const MAX_TAG_LENGTH: usize = 64;

/// The user's note and tags on a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunNotes {
    /// The note; empty if there is none.
    pub note: String,
    /// The tags.
    pub tags: Vec<String>,
}

impl RunNotes {
    /// Reads the notes in a folder; empty ones if there is no such file.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one of notes. The message is for the user.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let file = folder.join(NOTES);
        let shown = display_path(&file);
        let text = match bounded_file::read_text(&file, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            let reason = sanitize_for_terminal(error.message()).into_owned();
            format!(
                "{shown}:{line}: {reason}. Expected note = \"…\" and tags = [\"…\"]; correct the \
                 line, or remove the file"
            )
        })
    }

    /// The notes with their texts sanitized for the terminal, and the error of reading them.
    pub(super) fn read_to_show(folder: &Path) -> (Self, Option<String>) {
        let (mut notes, problem) = match Self::read(folder) {
            Ok(notes) => (notes, None),
            Err(problem) => (Self::default(), Some(problem)),
        };
        for text in notes.tags.iter_mut().chain([&mut notes.note]) {
            *text = sanitize_for_terminal(text).into_owned();
        }
        (notes, problem)
    }

    /// Writes the notes into a folder; empty notes remove the file.
    ///
    /// # Errors
    /// If the file cannot be written or removed. An existing file is then unchanged.
    pub fn write(&self, folder: &Path) -> Result<(), String> {
        let file = folder.join(NOTES);
        let written = if *self == Self::default() {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        } else {
            let text = toml::to_string(self).map_err(|error| error.to_string())?;
            write_atomically(&file, text.as_bytes())
        };
        written.map_err(|error| format!("{}: {error}", display_path(&file)))
    }

    /// Tags from text in which they are separated by spaces or commas, without repetitions.
    ///
    /// # Errors
    /// If there are too many tags, or one is too long or has characters that a filter reads as an
    /// operator.
    pub fn parse_tags(text: &str) -> Result<Vec<String>, String> {
        let mut tags: Vec<String> = Vec::new();
        let mut known = BTreeSet::new();
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        for word in words.filter(|word| !word.is_empty()) {
            if word.contains(['(', ')', '"', '<', '>', '=']) {
                return Err(format!("the tag {word}: leave out ( ) \" < > ="));
            }
            if word.chars().count() > MAX_TAG_LENGTH {
                return Err(format!("a tag has at most {MAX_TAG_LENGTH} characters"));
            }
            if known.insert(word) {
                tags.push(word.to_owned());
            }
        }
        if tags.len() > MAX_TAGS {
            return Err(format!("a run has at most {MAX_TAGS} tags"));
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_written_read_and_removed() -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        assert_eq!(RunNotes::read(folder.path()), Ok(RunNotes::default()));
        let notes = RunNotes {
            note: "재현 \"기준\" = 1".to_owned(),
            tags: RunNotes::parse_tags("baseline, 한글  baseline,v2")?,
        };
        assert_eq!(notes.tags, ["baseline", "한글", "v2"]);
        notes.write(folder.path())?;
        assert_eq!(RunNotes::read(folder.path()).as_ref(), Ok(&notes));
        for _ in 0..2 {
            RunNotes::default().write(folder.path())?;
            assert!(!folder.path().join(NOTES).exists());
        }
        Ok(())
    }

    #[test]
    fn a_damaged_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |text: &str| std::fs::write(folder.path().join(NOTES), text).expect("a file");
        for (text, line) in [
            ("note = \"a\"\ntags = 3\n", 2),
            ("note = \"a\"\ncolor = \"red\"\n", 2),
            ("note = \"a", 1),
        ] {
            write(text);
            let error = RunNotes::read(folder.path()).expect_err("damaged");
            assert!(error.contains(&format!("notes.toml:{line}: ")), "{error}");
            assert!(error.ends_with("correct the line, or remove the file"), "{error}");
            assert_eq!(RunNotes::read_to_show(folder.path()).0, RunNotes::default());
        }
        write("note = \"\\u001b[2J\\nb\"\ntags = [\"\\u202ea\"]\n");
        let (notes, problem) = RunNotes::read_to_show(folder.path());
        assert_eq!((notes.note.as_str(), problem), ("\u{fffd}[2J b", None));
        assert_eq!(notes.tags, ["\u{fffd}a"]);
    }

    #[test]
    fn tags_can_be_written_in_a_filter() {
        for wrong in ["a(b", "a=b", "\"a\"", "<3", &"x".repeat(65)] {
            assert!(RunNotes::parse_tags(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        assert!(RunNotes::parse_tags(&many.join(" ")).is_err());
        assert_eq!(RunNotes::parse_tags(" , "), Ok(Vec::new()));
    }
}
