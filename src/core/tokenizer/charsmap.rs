//! Checks a `precompiled_charsmap`: `SentencePiece`'s map from characters to their replacements, in
//! base64. It begins with the length of a trie in bytes; the replacements follow, each ended by a
//! zero.

/// The longest replacement in bytes; the longest one in `SentencePiece`'s own maps has 33.
const MAX_REPLACEMENT: usize = 256;

/// Checks the lengths in a map, for which the reader would allocate up to 8.6 GB.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(base64: &str) -> Result<(), String> {
    let bytes = decode(base64).ok_or("is not base64")?;
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or("is too short")?;
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || !length.is_multiple_of(4) || length > rest.len() {
        return Err(format!("is damaged: it has {} bytes, but a trie of {length}", rest.len()));
    }
    let longest = rest[length..].split(|byte| *byte == 0).map(<[u8]>::len).max();
    if longest.is_some_and(|longest| longest > MAX_REPLACEMENT) {
        return Err(format!("has a replacement of more than {MAX_REPLACEMENT} bytes"));
    }
    Ok(())
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let text = base64.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for chunk in text.chunks(4) {
        let mut bits = 0u32;
        for (place, byte) in chunk.iter().enumerate() {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits |= u32::from(digit) << (18 - 6 * place);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decode("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(decode("aGVsbG8h"), Some(b"hello!".to_vec()));
        assert_eq!(decode("a*"), None);
    }

    #[test]
    fn lengths_are_checked() {
        // A trie of 4 bytes and the replacement "a".
        assert_eq!(check("BAAAAAAAAABhAA=="), Ok(()));
        // The largest trie in 12 bytes.
        let reason = check("/////wAAAAAAAAAAAAAAAA==").err().unwrap_or_default();
        assert!(reason.contains("has 12 bytes, but a trie of 4294967295"), "{reason}");
        assert!(check("").is_err() && check("AAAA").is_err() && check("AAAAAAAA").is_err());
    }
}
