//! The lines of text files, none of which can eat all memory.

use std::io::{BufRead, Read};

/// What is most often the matter with text that is no UTF-8.
pub const CODE_PAGE: &str =
    " (a file of a Korean Excel? iconv -f cp949 -t utf-8 FILE > NEW turns it into UTF-8)";

/// A line longer than this many bytes is a bad row; so is a text.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// The lines of a source, read one at a time.
pub(super) struct Lines<R> {
    source: R,
    line: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(source: R) -> Self {
        Self { source, line: Vec::new(), number: 0 }
    }

    /// The next line and its number, counted from 1, without its end and without a byte order
    /// mark. One that is too long is cut just beyond [`LONGEST_LINE`], and its rest is passed
    /// over. `None` at the end of the source.
    pub fn next_line(&mut self) -> std::io::Result<Option<(usize, &[u8])>> {
        self.line.clear();
        let limit = LONGEST_LINE as u64 + 1;
        if Read::take(&mut self.source, limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > LONGEST_LINE {
            self.source.skip_until(b'\n')?;
        }
        self.number += 1;
        let mark: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
        Ok(Some((self.number, self.line.strip_prefix(mark).unwrap_or(&self.line))))
    }
}

/// A line as text.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn decoded(line: &[u8]) -> Result<&str, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("a line longer than {LONGEST_LINE} bytes"));
    }
    std::str::from_utf8(line)
        .map_err(|error| format!("invalid UTF-8 at byte {}{CODE_PAGE}", error.valid_up_to() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(source: &[u8]) -> std::io::Result<Vec<(usize, Vec<u8>)>> {
        let mut lines = Lines::new(source);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next_line()? {
            all.push((number, line.to_vec()));
        }
        Ok(all)
    }

    #[test]
    fn ends_and_the_byte_order_mark_are_taken_off() -> std::io::Result<()> {
        let lines = all(b"\xef\xbb\xbfa\r\n\n\xef\xbb\xbfb\rc\nd")?;
        let lines: Vec<(usize, &[u8])> = lines.iter().map(|(n, line)| (*n, &line[..])).collect();
        let expected: [(usize, &[u8]); 4] =
            [(1, b"a"), (2, b""), (3, b"\xef\xbb\xbfb\rc"), (4, b"d")];
        assert_eq!(lines, expected);
        assert!(all(b"")?.is_empty());
        Ok(())
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_its_rest_passed_over() -> std::io::Result<()> {
        let mut source = vec![b'x'; LONGEST_LINE];
        source.extend_from_slice(b"\n");
        source.resize(source.len() + 3 * LONGEST_LINE, b'y');
        source.extend_from_slice(b"\nz\n");
        let lines = all(&source)?;
        let lengths: Vec<usize> = lines.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE + 1, 1]);
        assert!(decoded(&lines[0].1).is_ok());
        assert_eq!(decoded(&lines[1].1), Err("a line longer than 1048576 bytes".to_owned()));
        Ok(())
    }
}
