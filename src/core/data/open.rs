//! What a file holds, told by its ending, and what it holds unpacked.

use super::DataError;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A file that has been opened, by the form of its rows.
pub(super) enum Source {
    /// Columns between tabs, without quoting.
    Tsv(Box<dyn BufRead>),
    /// Columns between commas, quoted where it takes it.
    Csv(Box<dyn BufRead>),
    /// A JSON object a line.
    Json(Box<dyn BufRead>),
    /// A Parquet file.
    Parquet(File),
}

/// Opens a file by its ending.
///
/// # Errors
/// If it cannot be opened, or nothing is known by its ending.
pub(super) fn open(file: &Path) -> Result<Source, DataError> {
    let opened =
        File::open(file).map_err(|error| DataError::Io { file: file.to_path_buf(), error })?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut endings = name.rsplit('.');
    let last = endings.next();
    let packing = last.filter(|ending| ["gz", "zst"].contains(ending));
    let format = if packing.is_some() { endings.next() } else { last };
    // With nothing before it, it is a name and no ending.
    let source = match format.filter(|_| endings.next().is_some()) {
        Some("tsv" | "txt") => Some(Source::Tsv(unpacked(opened, packing))),
        Some("csv") => Some(Source::Csv(unpacked(opened, packing))),
        Some("jsonl" | "ndjson" | "json") => Some(Source::Json(unpacked(opened, packing))),
        Some("parquet") if packing.is_none() => Some(Source::Parquet(opened)),
        _ => None,
    };
    source.ok_or_else(|| DataError::Unreadable {
        file: file.to_path_buf(),
        found: "nothing is known by its ending. Files are read that end in .tsv or .txt \
                (tab-separated), .csv, .jsonl, .ndjson or .json (an object a line), each of them \
                with .gz or .zst after it too, and .parquet"
            .to_owned(),
    })
}

fn unpacked(file: File, packing: Option<&str>) -> Box<dyn BufRead> {
    match packing {
        Some("gz") => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Some(_) => Box::new(BufReader::new(ZstdDecoder::new(BufReader::new(file)))),
        None => Box::new(BufReader::new(file)),
    }
}

/// Unpacks Zstandard frames one after the other; `ruzstd`'s own reader ends with the first.
pub(super) struct ZstdDecoder<R> {
    frame: FrameDecoder,
    source: R,
}

impl<R: BufRead> ZstdDecoder<R> {
    pub fn new(source: R) -> Self {
        Self { frame: FrameDecoder::new(), source }
    }

    /// Begins the next frame, or passes over it if it is of the kind that is to be skipped.
    fn begin_frame(&mut self) -> std::io::Result<()> {
        match self.frame.init(&mut self.source) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let frame = &mut Read::take(&mut self.source, length.into());
                std::io::copy(frame, &mut std::io::sink()).map(drop)
            }
            begun => begun.map_err(std::io::Error::other),
        }
    }
}

impl<R: BufRead> Read for ZstdDecoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(std::io::Error::other)?;
            } else if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin_frame()?;
            }
        }
        self.frame.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn unzstd(packed: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        ZstdDecoder::new(packed).read_to_end(&mut unpacked)?;
        Ok(unpacked)
    }

    #[test]
    fn zstd_frames_are_read_one_after_the_other() -> std::io::Result<()> {
        let text = "한 줄\n".repeat(50_000);
        let whole = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        // A frame to be skipped, with three bytes in it (RFC 8878, section 3.1.2).
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let packed = [whole(&text), skipped, whole(""), whole("끝")].concat();
        assert_eq!(unzstd(&packed)?, format!("{text}끝").as_bytes());
        assert!(unzstd(b"")?.is_empty());
        assert!(unzstd(&packed[..packed.len() - 2]).is_err());
        assert!(unzstd(&[packed, b"rest".to_vec()].concat()).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn damaged_frames_are_no_panic(
            start in 0usize..40,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut packed = compress_to_vec(&b"abcabcabc\t1\n"[..], CompressionLevel::Fastest);
            packed.truncate(start);
            packed.extend(bytes);
            // Whether it is an error or a lucky hit, it ends.
            let _ = unzstd(&packed);
        }
    }

    #[test]
    fn an_unknown_ending_is_refused_with_the_known_ones() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        for name in ["a", "csv", "a.xlsx", "a.parquet.gz", "a.gz", "gz", ".csv.bz2", "a.csv."] {
            let file = folder.path().join(name);
            std::fs::write(&file, "x")?;
            let message = open(&file).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(".jsonl") && message.contains(".parquet"), "{name}");
        }
        for name in ["a.TSV", "ratings_train.txt", "a.b.csv.gz", "a.json.zst", "a.parquet"] {
            let file = folder.path().join(name);
            std::fs::write(&file, "x")?;
            assert!(open(&file).is_ok(), "{name}");
        }
        assert!(matches!(open(Path::new("no/such.tsv")), Err(DataError::Io { .. })));
        Ok(())
    }
}
