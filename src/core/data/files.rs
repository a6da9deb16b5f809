//! Data files: format and compression by extension.

use super::delimited::{self, Dialect};
use super::row_collector::RowCollector;
use super::table::{ColumnNames, DataTable};
use super::zstd::ZstdDecoder;
use super::{DataError, json, parquet};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// An open file, ready for the reader of its format.
enum DataFile {
    Delimited(Dialect, Box<dyn BufRead>),
    JsonLines(Box<dyn BufRead>),
    Parquet(File),
}

impl DataFile {
    /// Opens a file. Its extension determines the format.
    ///
    /// # Errors
    /// If it cannot be opened, or the extension is unknown.
    fn open(path: &Path) -> Result<Self, DataError> {
        let file =
            File::open(path).map_err(|error| DataError::Io { file: path.to_path_buf(), error })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let mut extensions = name.rsplit('.');
        let last = extensions.next();
        let compression = last.filter(|extension| ["gz", "zst"].contains(extension));
        let format = if compression.is_some() { extensions.next() } else { last };
        // If nothing precedes it, this is the file's name and not an extension.
        let format = format.filter(|_| extensions.next().is_some());
        match (format, compression) {
            (Some("tsv" | "txt"), _) => {
                Ok(Self::Delimited(Dialect::Tsv, decompressed(file, compression)))
            }
            (Some("csv"), _) => Ok(Self::Delimited(Dialect::Csv, decompressed(file, compression))),
            (Some("jsonl" | "ndjson" | "json"), _) => {
                Ok(Self::JsonLines(decompressed(file, compression)))
            }
            (Some("parquet"), None) => Ok(Self::Parquet(file)),
            _ => Err(DataError::Unreadable {
                file: path.to_path_buf(),
                reason: "unknown file extension. Supported are .tsv and .txt (tab-separated), \
                         .csv, .jsonl, .ndjson and .json (one JSON object per line), each also \
                         with .gz or .zst, and .parquet"
                    .to_owned(),
            }),
        }
    }

    fn read(self, collector: &mut RowCollector<'_>) -> Result<(), DataError> {
        match self {
            Self::Delimited(dialect, source) => delimited::read(source, dialect, collector),
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

/// Reads the files of one split in order. With `skip_bad_rows`, invalid rows are counted instead
/// of being an error.
///
/// # Errors
/// Names the file, the row and what is wrong with it.
pub fn read_files(
    files: &[PathBuf],
    columns: &ColumnNames,
    skip_bad_rows: bool,
) -> Result<DataTable, DataError> {
    let mut collector = RowCollector::new(columns, skip_bad_rows);
    for file in files {
        collector.start_file(file);
        DataFile::open(file)?.read(&mut collector)?;
    }
    let table = collector.finish();
    if table.rows.is_empty() {
        return Err(DataError::Empty { file: files.first().cloned().unwrap_or_default() });
    }
    Ok(table)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
