//! The pages of a Parquet column, decompressed within a limit.

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// The largest number of values in a dictionary; writers stop at about a mebibyte of them.
const MAX_DICTIONARY_VALUES: usize = 1 << 26;

/// The longest page, in bytes after decompression; usual writers stop at a mebibyte.
const MAX_PAGE_BYTES: u64 = 1 << 30;

/// Pages whose memory is bounded.
///
/// The `parquet` crate decompresses gzip and Brotli to the end, whatever size the file declares.
/// So these two are decompressed here: the crate is told that the column is not compressed.
pub(super) struct BoundedPages {
    pages: SerializedPageReader<File>,
    codec: Codec,
    /// The most bytes of one page: what the file declares for the whole column.
    limit: u64,
}

#[derive(Clone, Copy)]
enum Codec {
    /// The crate has decompressed the page, to the size that its header declares.
    Done,
    Gzip,
    Brotli,
}

impl BoundedPages {
    /// The pages of column `index` of a row group.
    ///
    /// # Errors
    /// If the file cannot be read or uses an unknown compression.
    pub(super) fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        index: usize,
    ) -> Result<Self, ParquetError> {
        let column = group.column(index);
        let codec = match column.compression() {
            Compression::GZIP(_) => Codec::Gzip,
            Compression::BROTLI(_) => Codec::Brotli,
            _ => Codec::Done,
        };
        let limit = u64::try_from(column.uncompressed_size()).unwrap_or(0).min(MAX_PAGE_BYTES);
        let compression = match codec {
            Codec::Done => column.compression(),
            Codec::Gzip | Codec::Brotli => Compression::UNCOMPRESSED,
        };
        let column = column.clone().into_builder().set_compression(compression).build()?;
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let pages = SerializedPageReader::new(Arc::clone(file), &column, rows, None)?;
        Ok(Self { pages, codec, limit })
    }

    /// Appends the decompressed form of `compressed` to `page`.
    fn decompress(&self, compressed: &[u8], page: &mut Vec<u8>) -> Result<(), ParquetError> {
        // One byte more than allowed tells a page that is too long from one that just fits.
        let limit = self.limit + 1;
        match self.codec {
            Codec::Done => page.extend_from_slice(compressed),
            Codec::Gzip => {
                MultiGzDecoder::new(compressed).take(limit).read_to_end(page)?;
            }
            Codec::Brotli => {
                brotli::Decompressor::new(compressed, 4096).take(limit).read_to_end(page)?;
            }
        }
        if page.len() as u64 > self.limit {
            return Err(ParquetError::General(format!(
                "a page decompresses to more than the {} bytes declared or allowed for it",
                self.limit
            )));
        }
        Ok(())
    }

    fn decompressed(&self, mut page: Page) -> Result<Page, ParquetError> {
        let levels = match &page {
            Page::DataPageV2 { is_compressed: false, .. } => return Ok(page),
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize)
            }
            Page::DataPage { .. } | Page::DictionaryPage { .. } => 0,
        };
        let (Page::DataPage { buf, .. }
        | Page::DataPageV2 { buf, .. }
        | Page::DictionaryPage { buf, .. }) = &mut page;
        // The levels of a page of version 2 are not compressed.
        let Some((levels, values)) = buf.split_at_checked(levels) else {
            return Err(ParquetError::General("a page shorter than its levels".to_owned()));
        };
        let mut whole = levels.to_vec();
        // A page of nulls alone has no values to decompress.
        if !values.is_empty() {
            self.decompress(values, &mut whole)?;
        }
        *buf = whole.into();
        Ok(page)
    }
}

impl PageReader for BoundedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = match (self.pages.get_next_page()?, self.codec) {
            (Some(page), Codec::Gzip | Codec::Brotli) => Some(self.decompressed(page)?),
            (page, _) => page,
        };
        // The crate allocates memory for the values of a dictionary before it reads them. A value
        // takes at least four bytes: a number, or the length of a string.
        if let Some(Page::DictionaryPage { buf, num_values, .. }) = &page
            && *num_values as usize > MAX_DICTIONARY_VALUES.min(buf.len() / 4)
        {
            return Err(ParquetError::General("a dictionary larger than its page".to_owned()));
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}

impl Iterator for BoundedPages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
