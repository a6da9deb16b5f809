//! Quoted fields of delimited text: the user's choice, and its detection in tab-separated files.

use super::corpus;
use crate::core::named::named_enum;

named_enum! {
    /// Whether fields of delimited text may be quoted.
    #[derive(Default)]
    pub enum Quoting {
        /// Fields of .csv are quoted; each .tsv and .txt file is read as it was written
        @default Auto = "auto",
        /// Quotation marks are part of the texts
        None = "none",
        /// Fields that begin with a quotation mark end with one; "" inside is a quotation mark
        All = "all",
    }
}

/// How the quotation marks of a file are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuotingStyle {
    /// They are text.
    Raw,
    /// They enclose fields (RFC 4180).
    Quoted,
    /// They enclose fields, and `\"` inside is a quotation mark.
    BackslashEscaped,
}

/// The columns whose quoting is compared; further ones are not.
const MAX_COLUMNS: usize = 256;

/// The most lines that are looked up in NSMC.
const MAX_LOOKED_UP: usize = 32;

/// Follows the quotes of a record over its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QuoteState {
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quotation mark in a quoted field: it ends the field, or is the first of two.
    Closing,
    /// Behind a backslash in a quoted field.
    Escaped,
}

/// A problem with the quotes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextAfterQuote;

/// Checks the quotes of tab-separated records, line by line.
#[derive(Clone, Debug)]
pub(super) struct QuoteScanner {
    state: QuoteState,
    has_backslashes: bool,
}

impl QuoteScanner {
    pub fn new() -> Self {
        Self { state: QuoteState::FieldStart, has_backslashes: false }
    }

    /// Scans one line, without its line end; returns whether the record ends with it. After an
    /// error, the next line starts a record.
    ///
    /// # Errors
    /// If text follows the quotation mark that closes a field.
    pub fn scan_line(&mut self, line: &[u8]) -> Result<bool, TextAfterQuote> {
        self.scan(line, &mut |_| {})
    }

    fn scan(
        &mut self,
        line: &[u8],
        on_event: &mut impl FnMut(ScanEvent),
    ) -> Result<bool, TextAfterQuote> {
        for &byte in line {
            self.state = match (self.state, byte) {
                (QuoteState::FieldStart, b'"') => {
                    on_event(ScanEvent::Opened);
                    QuoteState::Quoted
                }
                (QuoteState::FieldStart | QuoteState::Unquoted | QuoteState::Closing, b'\t') => {
                    on_event(ScanEvent::FieldEnd { is_quoted: self.state == QuoteState::Closing });
                    QuoteState::FieldStart
                }
                (QuoteState::FieldStart | QuoteState::Unquoted, byte) => {
                    on_event(ScanEvent::Unquoted(byte));
                    QuoteState::Unquoted
                }
                (QuoteState::Quoted, b'"') => QuoteState::Closing,
                (QuoteState::Quoted, b'\\') if self.has_backslashes => QuoteState::Escaped,
                (QuoteState::Quoted, byte) => {
                    on_event(ScanEvent::Content(byte));
                    QuoteState::Quoted
                }
                (QuoteState::Closing, b'"') => {
                    on_event(ScanEvent::Content(b'"'));
                    QuoteState::Quoted
                }
                (QuoteState::Closing, _) => {
                    self.state = QuoteState::FieldStart;
                    return Err(TextAfterQuote);
                }
                (QuoteState::Escaped, byte) => {
                    if byte == b'"' {
                        on_event(ScanEvent::EscapedQuote);
                    }
                    QuoteState::Quoted
                }
            };
        }
        match self.state {
            QuoteState::Quoted | QuoteState::Escaped => {
                on_event(ScanEvent::Content(b'\n'));
                self.state = QuoteState::Quoted;
                Ok(false)
            }
            _ => {
                on_event(ScanEvent::FieldEnd { is_quoted: self.state == QuoteState::Closing });
                self.state = QuoteState::FieldStart;
                Ok(true)
            }
        }
    }
}

/// What a scanner finds.
enum ScanEvent {
    /// The opening quotation mark of a field.
    Opened,
    /// A byte of a quoted field.
    Content(u8),
    /// `\"` in a quoted field.
    EscapedQuote,
    /// A byte of an unquoted field.
    Unquoted(u8),
    FieldEnd {
        is_quoted: bool,
    },
}

/// What the fields of one column look like.
#[derive(Clone, Copy, Default)]
struct ColumnFields {
    /// A field is quoted although nothing in it requires quotes.
    has_needless_quotes: bool,
    /// A field that is neither a number nor empty is not quoted.
    has_unquoted_text: bool,
}

/// What is known of the records of a file, read as quoted.
#[derive(Default)]
struct Evidence {
    quoted_fields: usize,
    /// A quoted field contains a tab or a line end.
    has_separators: bool,
    /// A quotation mark inside an unquoted field, which no writer of quoted fields leaves there.
    has_bare_quotes: bool,
    has_escaped_quotes: bool,
    /// Text follows a closing quote, or a quote is never closed.
    is_malformed: bool,
    columns: Vec<ColumnFields>,
}

impl Evidence {
    /// Reads the lines of a prefix of a file; `is_complete` if it is the whole file.
    fn collect(lines: &[&[u8]], is_complete: bool, has_backslashes: bool) -> Self {
        let mut evidence = Self::default();
        let mut scanner = QuoteScanner { has_backslashes, ..QuoteScanner::new() };
        let (mut record, mut column) = (0, 0);
        let (mut content, mut unquoted) = (Vec::new(), Vec::new());
        for line in lines {
            let outcome = scanner.scan(line, &mut |event| match event {
                ScanEvent::Opened => {}
                ScanEvent::Content(byte) => content.push(byte),
                ScanEvent::EscapedQuote => {
                    evidence.has_escaped_quotes = true;
                    content.push(b'"');
                }
                ScanEvent::Unquoted(byte) => {
                    evidence.has_bare_quotes |= byte == b'"';
                    unquoted.push(byte);
                }
                ScanEvent::FieldEnd { is_quoted } => {
                    if is_quoted {
                        evidence.quoted_fields += 1;
                        evidence.has_separators |=
                            content.iter().any(|byte| matches!(byte, b'\t' | b'\n'));
                    }
                    // The header may be quoted in another way than the rows.
                    if record > 0 && column < MAX_COLUMNS {
                        if evidence.columns.len() <= column {
                            evidence.columns.resize(column + 1, ColumnFields::default());
                        }
                        let fields = &mut evidence.columns[column];
                        fields.has_needless_quotes |= is_quoted && !requires_quotes(&content);
                        fields.has_unquoted_text |= !is_quoted && is_text(&unquoted);
                    }
                    content.clear();
                    unquoted.clear();
                    column += 1;
                }
            });
            match outcome {
                Ok(true) => (record, column) = (record + 1, 0),
                Ok(false) => {}
                Err(TextAfterQuote) => {
                    evidence.is_malformed = true;
                    return evidence;
                }
            }
        }
        // The end of the prefix may be within a record, the end of the file may not.
        evidence.is_malformed |= is_complete && scanner.state == QuoteState::Quoted;
        evidence
    }

    /// Whether the quotation marks can only be those around fields.
    fn is_quoted(&self, lines: &[&[u8]]) -> bool {
        let is_mixed =
            |column: &ColumnFields| column.has_needless_quotes && column.has_unquoted_text;
        if self.is_malformed || self.has_bare_quotes || self.columns.iter().any(is_mixed) {
            return false;
        }
        // Lines that are complete records without quoting were not written with quotes: two lone
        // quotes would otherwise join the lines between them.
        self.quoted_fields > 0 && !(self.has_separators && have_equal_columns(lines))
    }
}

/// Whether some writer quotes a field with this content for its content alone.
fn requires_quotes(content: &[u8]) -> bool {
    content.is_empty()
        || content.iter().any(|byte| b"\"\t\n\r,;".contains(byte))
        || content.trim_ascii().len() < content.len()
}

/// Whether a field is neither empty nor a number; writers leave numbers unquoted.
fn is_text(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    !field.is_empty()
        && std::str::from_utf8(field).map_or(true, |field| field.parse::<f64>().is_err())
}

fn have_equal_columns(lines: &[&[u8]]) -> bool {
    let mut counts = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(|&byte| byte == b'\t').count());
    counts.next().is_none_or(|first| counts.all(|count| count == first))
}

/// Detects how a tab-separated file is quoted from a prefix of it; `is_complete` if it is the
/// whole file.
pub(super) fn detect(prefix: &[u8], is_complete: bool) -> QuotingStyle {
    if !prefix.contains(&b'"') {
        return QuotingStyle::Raw;
    }
    let prefix = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    let mut lines: Vec<&[u8]> = prefix.split(|&byte| byte == b'\n').collect();
    // Either empty, or cut by the end of the prefix.
    let last = lines.pop().filter(|line| is_complete && !line.is_empty());
    lines.extend(last);
    for line in &mut lines {
        *line = line.strip_suffix(b"\r").unwrap_or(line);
    }
    if is_nsmc(&lines) {
        return QuotingStyle::Raw;
    }
    let evidence = Evidence::collect(&lines, is_complete, false);
    if evidence.is_quoted(&lines) {
        return QuotingStyle::Quoted;
    }
    let escaped = Evidence::collect(&lines, is_complete, true);
    if escaped.has_escaped_quotes && escaped.is_quoted(&lines) {
        return QuotingStyle::BackslashEscaped;
    }
    QuotingStyle::Raw
}

/// Whether the lines with quotation marks are lines of NSMC. Its publisher read quoted fields as
/// text, so its quotation marks look like those around fields.
fn is_nsmc(lines: &[&[u8]]) -> bool {
    if lines.first() != Some(&corpus::HEADER) {
        return false;
    }
    let quoted: Vec<&[u8]> =
        lines.iter().copied().filter(|line| line.contains(&b'"')).take(MAX_LOOKED_UP).collect();
    corpus::count_lines(&quoted) * 2 > quoted.len()
}

#[cfg(test)]
#[path = "quoting_tests.rs"]
mod tests;
