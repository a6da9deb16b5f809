//! What a file contains, whatever its name says: compressed data, other formats and encodings.

/// The bytes from which a text's encoding is recognized.
const TEXT_PREFIX: usize = 1 << 12;

/// The bytes without a line feed after which carriage returns must be the line ends.
const CARRIAGE_RETURN_PREFIX: usize = 1 << 16;

/// A kind of content that is not UTF-8 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Gzip,
    Zstd,
    Parquet,
    Bzip2,
    Xz,
    Arrow,
    /// A ZIP archive, which an .xlsx file is.
    Zip,
    /// An old Excel file.
    Ole,
    Utf16Le,
    Utf16Be,
    Utf32,
    /// Text whose lines end with a carriage return alone.
    CarriageReturns,
}

impl Content {
    /// Recognizes compressed data and formats by their first bytes.
    pub fn of_magic(prefix: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], Content); 8] = [
            (b"\x1f\x8b", Content::Gzip),
            (b"\x28\xb5\x2f\xfd", Content::Zstd),
            (b"PAR1", Content::Parquet),
            (b"BZh", Content::Bzip2),
            (b"\xfd7zXZ\0", Content::Xz),
            (b"ARROW1\0\0", Content::Arrow),
            (b"PK\x03\x04", Content::Zip),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content::Ole),
        ];
        MAGIC.iter().find(|(magic, _)| prefix.starts_with(magic)).map(|(_, content)| *content)
    }

    /// Recognizes what a text file must not contain; `None` if the prefix may be UTF-8 text.
    /// `is_complete` tells that the prefix is the whole file.
    pub fn of_text(prefix: &[u8], is_complete: bool) -> Option<Self> {
        if let Some(content) = Self::of_magic(prefix) {
            return Some(content);
        }
        if prefix.starts_with(b"\xff\xfe\0\0") || prefix.starts_with(b"\0\0\xfe\xff") {
            return Some(Self::Utf32);
        }
        if prefix.starts_with(b"\xff\xfe") {
            return Some(Self::Utf16Le);
        }
        if prefix.starts_with(b"\xfe\xff") {
            return Some(Self::Utf16Be);
        }
        let start = &prefix[..prefix.len().min(TEXT_PREFIX)];
        if start.contains(&0) {
            let separators = [u16::from_le_bytes, u16::from_be_bytes]
                .map(|unit| utf16_separators(start, unit).unwrap_or(0));
            match separators {
                [0, 0] => {}
                [little, big] if little >= big => return Some(Self::Utf16Le),
                _ => return Some(Self::Utf16Be),
            }
        }
        let has_lines = prefix.contains(&b'\n');
        let is_decided = is_complete || prefix.len() >= CARRIAGE_RETURN_PREFIX;
        (is_decided && !has_lines && prefix.contains(&b'\r')).then_some(Self::CarriageReturns)
    }

    /// What it is, and what to do to have it read. `name` is the file's name, and `format` the
    /// extension of the format that the name names, such as `tsv`.
    pub fn problem(self, name: &str, format: Option<&str>) -> String {
        let lowercase = name.to_ascii_lowercase();
        let base = lowercase.strip_suffix(".gz").or(lowercase.strip_suffix(".zst"));
        let base = &name[..base.map_or(name.len(), str::len)];
        let format = format.filter(|format| *format != "parquet");
        let compressed = |what: &str, extension: &str| match format {
            Some(_) => format!("its content is {what}. Rename the file to {base}.{extension}"),
            None => format!(
                "its content is {what}. Rename the file so that its name ends in the format and \
                 .{extension}, such as .tsv.{extension}"
            ),
        };
        let convert = |encoding: &str, iconv: &str| {
            format!(
                "its text is {encoding}, but UTF-8 is expected. Convert it: iconv -f {iconv} -t \
                 utf-8 FILE > NEW"
            )
        };
        match self {
            Self::Gzip => compressed("gzip", "gz"),
            Self::Zstd => compressed("Zstandard", "zst"),
            Self::Parquet => "its content is Parquet. Rename the file so that its name ends in \
                              .parquet"
                .to_owned(),
            Self::Bzip2 => "its content is bzip2. Decompress it with bunzip2".to_owned(),
            Self::Xz => "its content is xz. Decompress it with unxz".to_owned(),
            Self::Arrow => "its content is Arrow, as datasets' save_to_disk writes it. Write it \
                            with Dataset.to_parquet instead"
                .to_owned(),
            Self::Zip => {
                "its content is a ZIP archive or an Excel workbook (.xlsx). Unpack it, or \
                          save the sheet as CSV UTF-8"
                    .to_owned()
            }
            Self::Ole => "its content is an old Excel workbook (.xls). Save the sheet as CSV UTF-8"
                .to_owned(),
            Self::Utf16Le => convert("UTF-16 (little-endian)", "utf-16le"),
            Self::Utf16Be => convert("UTF-16 (big-endian)", "utf-16be"),
            Self::Utf32 => convert("UTF-32", "utf-32"),
            Self::CarriageReturns => "its lines end with carriage returns alone, as on old Macs. \
                                      Convert it: tr '\\r' '\\n' < FILE > NEW"
                .to_owned(),
        }
    }
}

/// The number of tabs, commas and line feeds if the bytes are UTF-16 text of this byte order.
fn utf16_separators(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Option<usize> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    let mut separators = 0;
    for (index, decoded) in char::decode_utf16(units.iter().copied()).enumerate() {
        match decoded {
            Ok('\t' | '\n' | ',') => separators += 1,
            Ok('\r') => {}
            Ok(other) if other.is_control() => return None,
            Ok(_) => {}
            // The prefix may end within a pair of surrogates.
            Err(_) if index + 1 >= units.len() => {}
            Err(_) => return None,
        }
    }
    Some(separators)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf16_is_recognized_with_and_without_its_mark() {
        for text in ["text\tlabel\n좋다 😀\t1\n", "리뷰\t라벨\n좋다\t긍정\n", "a,b\n1,2\n"]
        {
            for (mark, is_marked) in [("\u{feff}", true), ("", false)] {
                let text = format!("{mark}{text}");
                let little = utf16(&text, u16::to_le_bytes);
                let big = utf16(&text, u16::to_be_bytes);
                assert_eq!(Content::of_text(&little, true), Some(Content::Utf16Le), "{is_marked}");
                assert_eq!(Content::of_text(&big, true), Some(Content::Utf16Be), "{is_marked}");
                assert_eq!(Content::of_text(text.as_bytes(), true), None);
            }
        }
        let marked: Vec<u8> =
            "\u{feff}a\tb\n".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        assert_eq!(Content::of_text(&marked, true), Some(Content::Utf32));
        // NUL characters alone do not make it UTF-16.
        assert_eq!(Content::of_text(b"text\tlabel\na\0b\t1\n", true), None);
        assert_eq!(Content::of_text(b"\0\0\0\0", true), None);
    }

    #[test]
    fn lines_that_end_with_carriage_returns_are_recognized() {
        assert_eq!(Content::of_text(b"text\tlabel\ra\t1\r", true), Some(Content::CarriageReturns));
        assert_eq!(Content::of_text(b"text\tlabel\ra\t1\r", false), None);
        assert_eq!(Content::of_text(b"text\tlabel\r\na\rb\t1\r\n", true), None);
        assert_eq!(Content::of_text(b"text\tlabel", true), None);
    }

    #[test]
    fn the_remedy_names_the_new_name_or_the_command() {
        let problem = |content: Content, name, format| content.problem(name, format);
        assert!(problem(Content::Gzip, "a.tsv", Some("tsv")).ends_with("to a.tsv.gz"));
        assert!(problem(Content::Zstd, "a.CSV.GZ", Some("csv")).ends_with("to a.CSV.zst"));
        assert!(problem(Content::Gzip, "rows", None).contains("such as .tsv.gz"));
        assert!(problem(Content::Gzip, "a.parquet", Some("parquet")).contains("such as .tsv.gz"));
        assert!(problem(Content::Utf16Le, "a.tsv", Some("tsv")).contains("iconv -f utf-16le"));
        assert!(problem(Content::CarriageReturns, "a.tsv", None).contains("tr '\\r' '\\n'"));
        assert_eq!(Content::of_magic(b"PK\x03\x04..."), Some(Content::Zip));
    }
}
