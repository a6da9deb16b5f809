//! Zstandard compression and decompression.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::{BufRead, Error, ErrorKind, Read};

/// Decompresses all concatenated frames of a source; `ruzstd`'s `StreamingDecoder` stops after the
/// first.
pub(super) struct ZstdDecoder<R> {
    frame: FrameDecoder,
    source: R,
}

impl<R: BufRead> ZstdDecoder<R> {
    pub fn new(source: R) -> Self {
        Self { frame: FrameDecoder::new(), source }
    }

    /// Starts the next frame; a skippable frame (RFC 8878, section 3.1.2) is skipped.
    fn start_frame(&mut self) -> std::io::Result<()> {
        match self.frame.init(&mut self.source) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let frame = &mut Read::take(&mut self.source, length.into());
                std::io::copy(frame, &mut std::io::sink()).map(drop)
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(
                _,
            ))) => Err(Error::new(
                ErrorKind::InvalidData,
                "it is damaged, or not compressed by Zstandard",
            )),
            started => started.map_err(std::io::Error::other),
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
                self.start_frame()?;
            }
        }
        self.frame.read(buffer)
    }
}

/// Compresses bytes into one frame.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Decompresses frames of at most `limit` bytes.
///
/// # Errors
/// If they are damaged, or their content is longer.
pub fn decompress(compressed: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ZstdDecoder::new(compressed).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(ErrorKind::FileTooLarge, "the decompressed file is too long"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decompress(compressed: &[u8]) -> std::io::Result<Vec<u8>> {
        super::decompress(compressed, 1 << 30)
    }

    #[test]
    fn the_decompressed_size_is_limited() -> std::io::Result<()> {
        let compressed = compress(&[b'a'; 1000]);
        assert_eq!(super::decompress(&compressed, 1000)?.len(), 1000);
        assert!(super::decompress(&compressed, 999).is_err());
        Ok(())
    }

    #[test]
    fn concatenated_and_skippable_frames_are_decoded() -> std::io::Result<()> {
        let text = "한 줄\n".repeat(50_000);
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let compressed = [frame(&text), skippable, frame(""), frame("끝")].concat();
        assert_eq!(decompress(&compressed)?, format!("{text}끝").as_bytes());
        assert!(decompress(b"")?.is_empty());
        assert!(decompress(&compressed[..compressed.len() - 2]).is_err());
        assert!(decompress(&[compressed, b"rest".to_vec()].concat()).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn damaged_frames_do_not_panic(
            start in 0usize..40,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut compressed = compress_to_vec(&b"abcabcabc\t1\n"[..], CompressionLevel::Fastest);
            compressed.truncate(start);
            compressed.extend(bytes);
            // An error or, by chance, valid data.
            let _ = decompress(&compressed);
        }
    }
}
