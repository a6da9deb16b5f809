//! Lines of text files, limited in length so that memory use is bounded.

use std::io::{BufRead, Read};

/// What most often causes invalid UTF-8, and the remedy.
pub(super) const ENCODING_HINT: &str =
    " (a CP949 file, as Korean Excel saves it? Convert it: iconv -f cp949 -t utf-8 FILE > NEW)";

/// The longest line, record or text, in bytes; a longer one is an invalid row.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads a source line by line.
pub(super) struct BoundedLines<R> {
    source: R,
    line: Vec<u8>,
    number: usize,
}

impl<R: BufRead> BoundedLines<R> {
    pub fn new(source: R) -> Self {
        Self { source, line: Vec::new(), number: 0 }
    }

    /// The next line and its number, counted from 1, without the line end (LF or CRLF) and the
    /// byte order mark. A line that is too long is cut to [`MAX_LINE_BYTES`] + 1 bytes. `None` at
    /// the end of the source.
    pub fn next_line(&mut self) -> std::io::Result<Option<(usize, &[u8])>> {
        self.line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        if Read::take(&mut self.source, limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > MAX_LINE_BYTES {
            self.source.skip_until(b'\n')?;
        }
        self.number += 1;
        let mark: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
        Ok(Some((self.number, self.line.strip_prefix(mark).unwrap_or(&self.line))))
    }
}

/// The line as text.
///
/// # Errors
/// If it is too long or is not UTF-8.
pub(super) fn decode(line: &[u8]) -> Result<&str, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("the line is longer than {MAX_LINE_BYTES} bytes"));
    }
    std::str::from_utf8(line).map_err(|error| {
        format!("invalid UTF-8 at byte {}{ENCODING_HINT}", error.valid_up_to() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(source: &[u8]) -> std::io::Result<Vec<(usize, Vec<u8>)>> {
        let mut lines = BoundedLines::new(source);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next_line()? {
            all.push((number, line.to_vec()));
        }
        Ok(all)
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_are_removed() -> std::io::Result<()> {
        let lines = all(b"\xef\xbb\xbfa\r\n\n\xef\xbb\xbfb\rc\nd")?;
        let lines: Vec<(usize, &[u8])> = lines.iter().map(|(n, line)| (*n, &line[..])).collect();
        let expected: [(usize, &[u8]); 4] =
            [(1, b"a"), (2, b""), (3, b"\xef\xbb\xbfb\rc"), (4, b"d")];
        assert_eq!(lines, expected);
        assert!(all(b"")?.is_empty());
        Ok(())
    }

    #[test]
    fn an_overlong_line_is_cut() -> std::io::Result<()> {
        let mut source = vec![b'x'; MAX_LINE_BYTES];
        source.extend_from_slice(b"\n");
        source.resize(source.len() + 3 * MAX_LINE_BYTES, b'y');
        source.extend_from_slice(b"\nz\n");
        let lines = all(&source)?;
        let lengths: Vec<usize> = lines.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 1]);
        assert!(decode(&lines[0].1).is_ok());
        assert_eq!(decode(&lines[1].1), Err("the line is longer than 1048576 bytes".to_owned()));
        Ok(())
    }
}
