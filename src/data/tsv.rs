//! Reviews as NSMC's own files hold them: `id`, `document` and `label`, tab-separated, without
//! quoting, after a header line.

use super::{DataError, Review, Reviews};
use crate::text::excerpt;
use std::io::{BufRead, Read};
use std::path::Path;

/// A line longer than this is a bad row, so that a file without line ends cannot eat all memory.
const LONGEST_LINE: usize = 1 << 20;

/// Reads a file of reviews. With `skip_bad_rows`, bad rows are counted instead of refused.
///
/// # Errors
/// Names the file, the line and what was found there.
pub fn read_file(file: &Path, skip_bad_rows: bool) -> Result<Reviews, DataError> {
    let opened = std::fs::File::open(file)
        .map_err(|error| DataError::Io { file: file.to_path_buf(), error })?;
    let reviews = read(std::io::BufReader::new(opened), file, skip_bad_rows)?;
    if reviews.rows.is_empty() {
        return Err(DataError::Empty { file: file.to_path_buf() });
    }
    Ok(reviews)
}

/// Reads reviews from any source; `name` stands for it in errors.
///
/// # Errors
/// As [`read_file`].
pub fn read(
    mut source: impl BufRead,
    name: &Path,
    skip_bad_rows: bool,
) -> Result<Reviews, DataError> {
    let mut reviews = Reviews::default();
    let mut line = Vec::new();
    let mut number = 0;
    while next_line(&mut source, &mut line)
        .map_err(|error| DataError::Io { file: name.to_path_buf(), error })?
    {
        number += 1;
        if number == 1 {
            check_header(&line)
                .map_err(|found| DataError::BadHeader { file: name.to_path_buf(), found })?;
            continue;
        }
        match parse_row(&line) {
            Ok(review) => reviews.rows.push(review),
            Err(_) if skip_bad_rows => reviews.skipped += 1,
            Err(found) => {
                return Err(DataError::BadRow { file: name.to_path_buf(), line: number, found });
            }
        }
    }
    Ok(reviews)
}

/// Reads one line into `line`, without its end; one that is too long is cut just beyond
/// [`LONGEST_LINE`] and its rest is passed over. `false` at the end of the source.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let limit = LONGEST_LINE as u64 + 1;
    if Read::take(&mut *source, limit).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > LONGEST_LINE {
        source.skip_until(b'\n')?;
    }
    Ok(true)
}

fn check_header(line: &[u8]) -> Result<(), String> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if line == b"id\tdocument\tlabel" {
        Ok(())
    } else {
        let found = String::from_utf8_lossy(line);
        Err(format!("found \"{}\"", excerpt(&found, 60)))
    }
}

fn parse_row(line: &[u8]) -> Result<Review, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("a line longer than {LONGEST_LINE} bytes"));
    }
    let line = std::str::from_utf8(line)
        .map_err(|error| format!("invalid UTF-8 at byte {}", error.valid_up_to() + 1))?;
    let columns: Vec<&str> = line.split('\t').collect();
    let [id, document, label] = columns[..] else {
        return Err(format!(
            "expected 3 tab-separated columns (id, document, label), found {}: \"{}\"",
            columns.len(),
            excerpt(line, 60)
        ));
    };
    let label = match label {
        "0" => 0,
        "1" => 1,
        other => {
            return Err(format!("expected a label of 0 or 1, found \"{}\"", excerpt(other, 20)));
        }
    };
    Ok(Review { id: id.to_owned(), document: document.to_owned(), label })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8], skip: bool) -> Result<Reviews, DataError> {
        read(text, Path::new("a.tsv"), skip)
    }

    fn error_of(text: &[u8]) -> String {
        parse(text, false).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn crlf_a_bom_quotes_and_empty_reviews_are_legal() -> Result<(), DataError> {
        let text = "\u{feff}id\tdocument\tlabel\r\n1\t\"좋다\t1\r\n2\t\t0\n3\t끝\t1".as_bytes();
        let rows = parse(text, false)?.rows;
        let documents: Vec<&str> = rows.iter().map(|r| r.document.as_str()).collect();
        assert_eq!(documents, ["\"좋다", "", "끝"]);
        assert_eq!(rows.iter().map(|r| r.label).collect::<Vec<_>>(), [1, 0, 1]);
        Ok(())
    }

    #[test]
    fn bad_rows_are_named_by_file_line_and_content() {
        let head = b"id\tdocument\tlabel\n1\tok\t1\n";
        let with = |row: &[u8]| error_of(&[head, row].concat());
        assert!(with(b"2\tonly two\n").contains("a.tsv:3: expected 3 tab-separated columns"));
        assert!(with(b"2\tonly two\n").contains("found 2: \"2 only two\""));
        assert!(with(b"2\ta\tb\t1\n").contains("found 4"));
        assert!(with(b"2\ta\t2\n").contains("label of 0 or 1, found \"2\""));
        assert!(with(b"2\ta\t\n").contains("found \"\""));
        assert!(with(b"\n").contains("found 1"));
        assert!(with(b"2\t\xff\xfe\t1\n").contains("invalid UTF-8 at byte 3"));
        assert!(with(b"2\ta\t2\n").contains("--skip-bad-rows"));
        assert!(error_of(b"2\ta\t1\n").contains("a.tsv:1: found \"2 a 1\""));
    }

    #[test]
    fn escape_sequences_of_a_bad_row_do_not_reach_the_message() {
        let message = error_of(b"id\tdocument\tlabel\n1\t\x1b[2J\x1b]0;owned\x07\n");
        assert!(!message.contains('\u{1b}') && !message.contains('\u{7}'), "{message:?}");
    }

    #[test]
    fn skipping_counts_every_kind_of_bad_row() -> Result<(), DataError> {
        let mut text = b"id\tdocument\tlabel\n1\tok\t1\n2\tx\n3\t\xff\t1\n4\ty\t7\n".to_vec();
        text.extend_from_slice(b"5\t");
        text.resize(text.len() + LONGEST_LINE, b'a');
        text.extend_from_slice(b"\t1\n6\tok\t0\n");
        let reviews = parse(&text, true)?;
        assert_eq!((reviews.rows.len(), reviews.skipped), (2, 4));
        Ok(())
    }

    #[test]
    fn a_missing_or_empty_file_is_an_error() -> std::io::Result<()> {
        let missing = read_file(Path::new("no/such.tsv"), false);
        assert!(matches!(missing, Err(DataError::Io { .. })));
        let file = tempfile::NamedTempFile::new()?;
        assert!(matches!(read_file(file.path(), false), Err(DataError::Empty { .. })));
        Ok(())
    }
}
