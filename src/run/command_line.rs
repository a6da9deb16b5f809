//! Command lines of this program, as hints that can be pasted into a shell.

use crate::core::text::sanitize_for_terminal;

/// A command line of this program, by the name it was called with, so that it also works after
/// `cargo run`. Each argument is quoted as a POSIX shell needs it.
pub fn command_line(arguments: &[&str]) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "nsmc-tui".to_owned());
    let words = std::iter::once(program.as_str()).chain(arguments.iter().copied());
    words.map(shell_word).collect::<Vec<_>>().join(" ")
}

/// A text as one word of a POSIX shell. Control characters are replaced as for the terminal.
pub fn shell_word(text: &str) -> String {
    let text = sanitize_for_terminal(text);
    // Only a NUL cannot be quoted, and that is a control character.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), std::borrow::Cow::into_owned)
}

/// The command line that resumes the run in a folder; without a folder, the run in `outputs`.
pub fn resume_command(folder: Option<&str>) -> String {
    let arguments = ["train", "--resume-from-checkpoint"];
    command_line(&arguments.into_iter().chain(folder).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_safe_to_paste() {
        assert_eq!(shell_word("outputs/checkpoint-3"), "outputs/checkpoint-3");
        for path in ["it's", "a b", "$HOME", "`id`", "a\"b", "x;y", "~", "-n", "!!", "*", "{a,b}"] {
            assert_eq!(shlex::split(&shell_word(path)), Some(vec![path.to_owned()]), "{path}");
        }
        for path in ["$HOME", "`id`", "a b"] {
            assert!(shell_word(path).starts_with('\''), "{path} is expanded");
        }
        assert_eq!(shell_word("a\u{1b}\0b"), "'a\u{fffd}\u{fffd}b'");
    }
}
