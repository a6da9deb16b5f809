//! Data files: format and compression by extension.

use super::bounded_lines::{BoundedLines, decode};
use super::content::Content;
use super::delimited::{self, Dialect};
use super::quoting::Quoting;
use super::raw_row::RawRow;
use super::row_collector::RowCollector;
use super::table::{ColumnNames, DataTable, RowPosition};
use super::zstd::ZstdDecoder;
use super::{DataError, json, parquet, sanitized};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// The bytes at the start of a text from which its encoding is recognized.
const PREFIX_BYTES: u64 = 1 << 16;

/// An open file, ready for the reader of its format.
enum DataFile {
    Delimited(Dialect, Box<dyn BufRead>),
    JsonLines(Box<dyn BufRead>),
    Parquet(File),
}

impl DataFile {
    /// Opens a file. Its extension determines the format, which the content must not contradict.
    ///
    /// # Errors
    /// If it cannot be opened, the extension is unknown, or the content is of another kind.
    fn open(path: &Path) -> Result<Self, DataError> {
        let io = |error| DataError::Io { file: path.to_path_buf(), error };
        let unreadable = |reason| DataError::Unreadable { file: path.to_path_buf(), reason };
        let metadata = path.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(unreadable("a folder. Pass a file in it".to_owned()));
        }
        // A pipe or device may block or never end.
        if !metadata.is_file() {
            let reason = "a pipe or device. Copy its content to a file, and pass that";
            return Err(unreadable(reason.to_owned()));
        }
        let mut file = File::open(path).map_err(io)?;
        let mut magic = Vec::new();
        Read::take(&mut file, 16).read_to_end(&mut magic).map_err(io)?;
        file.rewind().map_err(io)?;
        let magic = Content::of_magic(&magic);

        let original_name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = original_name.to_ascii_lowercase();
        let mut extensions = name.rsplit('.');
        let last = extensions.next();
        let compression = last.filter(|extension| ["gz", "zst"].contains(extension));
        let format = if compression.is_some() { extensions.next() } else { last };
        // If nothing precedes it, this is the file's name and not an extension.
        let format = format.filter(|_| extensions.next().is_some());
        let known = ["tsv", "txt", "csv", "jsonl", "ndjson", "json", "parquet"];
        let format = format.filter(|format| known.contains(format));

        let problem =
            |content: Content| unreadable(content.problem(&sanitized(&original_name), format));
        let text = |file: File| {
            let expected = match compression {
                Some("gz") => Some(Content::Gzip),
                Some(_) => Some(Content::Zstd),
                None => None,
            };
            match (magic, expected) {
                (Some(content), expected) if Some(content) != expected => {
                    return Err(problem(content));
                }
                // A Zstandard file may also begin with a skippable frame.
                (None, Some(Content::Gzip)) if metadata.len() > 0 => {
                    return Err(unreadable(format!(
                        "not gzip, although its name ends in .gz. If it is text, rename the file \
                         to {}",
                        sanitized(&original_name.trim_end_matches(".gz"))
                    )));
                }
                _ => {}
            }
            let mut source = decompressed(file, compression);
            let mut prefix = Vec::new();
            Read::take(&mut source, PREFIX_BYTES).read_to_end(&mut prefix).map_err(io)?;
            match Content::of_text(&prefix, (prefix.len() as u64) < PREFIX_BYTES) {
                Some(content) => Err(problem(content)),
                None => Ok(Box::new(Read::chain(Cursor::new(prefix), source)) as Box<dyn BufRead>),
            }
        };
        match (format, compression, magic) {
            (Some("tsv" | "txt"), ..) => Ok(Self::Delimited(Dialect::Tsv, text(file)?)),
            (Some("csv"), ..) => Ok(Self::Delimited(Dialect::Csv, text(file)?)),
            (Some("jsonl" | "ndjson" | "json"), ..) => Ok(Self::JsonLines(text(file)?)),
            (Some("parquet"), None, None | Some(Content::Parquet)) => Ok(Self::Parquet(file)),
            (Some("parquet"), Some(_), Some(Content::Gzip | Content::Zstd)) => {
                Err(unreadable("a compressed Parquet file. Decompress it".to_owned()))
            }
            (_, _, Some(content)) => Err(problem(content)),
            _ => Err(unreadable(
                "unknown file extension. Supported are .tsv and .txt (tab-separated), .csv, \
                 .jsonl, .ndjson and .json (one JSON object per line), each also with .gz or .zst, \
                 and .parquet"
                    .to_owned(),
            )),
        }
    }

    fn read(self, quoting: Quoting, collector: &mut RowCollector<'_>) -> Result<(), DataError> {
        match self {
            Self::Delimited(dialect, source) => {
                delimited::read(source, dialect, quoting, collector)
            }
            Self::JsonLines(source) => json::read(source, collector),
            Self::Parquet(file) => parquet::read(file, collector),
        }
    }
}

fn decompressed(file: File, compression: Option<&str>) -> Box<dyn BufRead> {
    match compression {
        Some("gz") => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Some(_) => Box::new(BufReader::new(ZstdDecoder::new(BufReader::new(file)))),
        None => Box::new(BufReader::new(file)),
    }
}

/// Reads a file of texts without labels: one of the formats of [`read_files`], whose label column,
/// if any, is not read as labels, or a `.txt` file with one text per line. A `.txt` file whose first line has a
/// tab is tab-separated. Empty lines are skipped.
///
/// # Errors
/// The errors of [`read_files`], and if there is no text.
pub fn read_unlabelled(
    file: &Path,
    columns: &ColumnNames,
    quoting: Quoting,
    skip_bad_rows: bool,
) -> Result<DataTable, DataError> {
    let columns = ColumnNames { label: None, unlabelled: true, ..columns.clone() };
    let mut collector = RowCollector::new(&columns, skip_bad_rows);
    collector.start_file(file);
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let is_txt = name.rsplit_once('.').is_some_and(|(_, extension)| extension == "txt");
    match DataFile::open(file)? {
        DataFile::Delimited(dialect, mut source) if is_txt => {
            let mut first = Vec::new();
            Read::take(&mut source, PREFIX_BYTES)
                .read_until(b'\n', &mut first)
                .map_err(|error| collector.io(error))?;
            let has_tab = first.contains(&b'\t');
            let source: Box<dyn BufRead> = Box::new(Read::chain(Cursor::new(first), source));
            if has_tab {
                DataFile::Delimited(dialect, source).read(quoting, &mut collector)?;
            } else {
                read_lines(source, &mut collector)?;
                collector.note("read as one text per line");
            }
        }
        other => other.read(quoting, &mut collector)?,
    }
    let table = collector.finish()?;
    if table.rows.is_empty() {
        let reason = "no texts. Pass a file with at least one".to_owned();
        return Err(DataError::Unreadable { file: file.to_path_buf(), reason });
    }
    Ok(table)
}

/// Passes each line that is not empty to the collector, as a text.
fn read_lines(source: impl BufRead, collector: &mut RowCollector<'_>) -> Result<(), DataError> {
    let mut lines = BoundedLines::new(source);
    while let Some((number, line)) = lines.next_line().map_err(|error| collector.io(error))? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = decode(line).map(|text| RawRow {
            id: None,
            text: text.into(),
            text_pair: None,
            label: "".into(),
            slices: Vec::new(),
            kept: String::new(),
        });
        collector.push(RowPosition::Line(number), row)?;
    }
    Ok(())
}

/// Reads the files of one split in order. With `skip_bad_rows`, invalid rows are counted instead
/// of being an error.
///
/// # Errors
/// Names the file, the row and what is wrong with it.
pub fn read_files(
    files: &[PathBuf],
    columns: &ColumnNames,
    quoting: Quoting,
    skip_bad_rows: bool,
) -> Result<DataTable, DataError> {
    let mut collector = RowCollector::new(columns, skip_bad_rows);
    for file in files {
        collector.start_file(file);
        DataFile::open(file)?.read(quoting, &mut collector)?;
    }
    let table = collector.finish()?;
    if table.rows.is_empty() {
        return Err(DataError::Empty { file: files.first().cloned().unwrap_or_default() });
    }
    Ok(table)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
