//! The bytes that copy a text to the clipboard of the user's terminal, also over SSH: OSC 52.

use crate::core::text::sanitize_for_terminal;

/// The most bytes of a text that is copied. xterm and others ignore sequences of more than about
/// 100,000 bytes, and tmux those of more than a mebibyte.
const MAX_BYTES: usize = 24 << 10;

/// The sequence that copies a text. Control characters other than tabs are replaced: a pasted text
/// must not run a command. `variable` reads the environment.
///
/// Within tmux, the sequence is sent twice: to tmux, which copies if `set-clipboard` is `on`, and
/// through it to its own terminal, which needs `allow-passthrough`.
///
/// # Errors
/// Why the text cannot be copied.
pub(super) fn copy_sequence(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let term = variable("TERM").unwrap_or_default();
    // The console of Linux prints what follows the sequence.
    if matches!(term.as_str(), "" | "dumb" | "linux") {
        return Err("this terminal has no clipboard".to_owned());
    }
    let clean: Vec<_> = text.split('\t').map(sanitize_for_terminal).collect();
    let clean = clean.join("\t");
    if clean.len() > MAX_BYTES {
        return Err("the text is too long for the clipboard".to_owned());
    }
    let sequence = format!("\x1b]52;c;{}\x07", base64(clean.as_bytes()));
    if variable("TMUX").is_some_and(|tmux| !tmux.is_empty()) {
        let through = sequence.replace('\x1b', "\x1b\x1b");
        return Ok(format!("{sequence}\x1bPtmux;{through}\x1b\\"));
    }
    Ok(sequence)
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4usize {
            if digit <= chunk.len() {
                let value = group >> (18 - 6 * digit) & 63;
                encoded.push(char::from(ALPHABET[value as usize]));
            } else {
                encoded.push('=');
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        copy_sequence(text, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const XTERM: (&str, &str) = ("TERM", "xterm-256color");

    #[test]
    fn base64_is_that_of_the_standard() {
        // The test vectors of RFC 4648, section 10.
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd, 0xfc]), "//79/A==");
    }

    #[test]
    fn the_text_is_copied_through_tmux_and_sanitized() {
        // "positive\t영화", and the same with a replaced escape character.
        assert_eq!(
            copied("positive\t영화", &[XTERM]).as_deref(),
            Ok("\x1b]52;c;cG9zaXRpdmUJ7JiB7ZmU\x07")
        );
        assert_eq!(
            copied("\x1b]52;\n", &[XTERM]).as_deref(),
            Ok("\x1b]52;c;77+9XTUyOyA=\x07"),
            "an escape is U+FFFD, a line end a space"
        );
        assert_eq!(
            copied("a", &[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")])
                .as_deref(),
            Ok("\x1b]52;c;YQ==\x07\x1bPtmux;\x1b\x1b]52;c;YQ==\x07\x1b\\")
        );
    }

    #[test]
    fn what_cannot_be_copied_has_a_reason() {
        assert!(copied("a", &[("TERM", "linux")]).is_err());
        assert!(copied("a", &[]).is_err());
        assert!(copied(&"a".repeat(MAX_BYTES), &[XTERM]).is_ok());
        assert!(copied(&"a".repeat(MAX_BYTES + 1), &[XTERM]).is_err());
    }
}
