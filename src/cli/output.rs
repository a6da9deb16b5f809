//! Standard output and standard error of the commands: sanitized for the terminal, and never a
//! reason to panic.

use crate::core::text::sanitize_for_terminal;
use clap::error::ContextValue;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Standard output, in which control characters other than line ends and tabs are replaced, wherever
/// they come from.
pub struct SanitizedOutput<W>(W);

impl<W: Write> SanitizedOutput<W> {
    /// Sanitizes what is written to `out`.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Write for SanitizedOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Formatted text is written in whole characters.
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(sanitize_lines(&text).as_bytes()).map_err(name_standard_output)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(name_standard_output)
    }
}

/// Adds the name of the file to an error of writing to standard output. The closed pipe of a reader
/// that has ended is left as it is, because it is not reported.
fn name_standard_output(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => error,
        kind => io::Error::new(kind, format!("standard output cannot be written: {error}")),
    }
}

/// The text with its line ends and tabs; everything else is sanitized.
fn sanitize_lines(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| matches!(c, '\n' | '\t');
    let is_clean = |part: &str| matches!(sanitize_for_terminal(part), Cow::Borrowed(_));
    if text.split(is_kept).all(is_clean) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for part in text.split_inclusive(is_kept) {
        let body = part.trim_end_matches(is_kept);
        safe += &sanitize_for_terminal(body);
        safe += &part[body.len()..];
    }
    safe.into()
}

/// Prints one line to standard error, sanitized. If it is closed or full, nothing is printed.
pub fn print_to_stderr(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", sanitize_for_terminal(&text.to_string()));
}

/// The columns of the terminal on standard output; `None` if it is none, or does not tell them.
pub fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Writes bytes to the terminal as they are, if standard error or standard output is one.
pub fn write_to_terminal(bytes: &[u8]) {
    // Where the terminal is gone, nobody is notified.
    if io::stderr().is_terminal() {
        let _ = io::stderr().write_all(bytes);
    } else if io::stdout().is_terminal() {
        let _ = io::stdout().write_all(bytes).and_then(|()| io::stdout().flush());
    }
}

/// Prints an error of the command line, or the help or version that was requested, and returns the
/// exit code: 2 for an error, 0 for the others, and 1 if they cannot be printed.
pub fn print_clap_error(mut error: clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_clean = |argument: &OsString| {
        matches!(sanitize_for_terminal(&argument.to_string_lossy()), Cow::Borrowed(_))
    };
    let printed = if arguments.iter().all(is_clean) {
        // In color where the terminal has colors.
        error.print()
    } else {
        sanitize_context(&mut error);
        let text = error.render().to_string();
        let text = sanitize_lines(&text);
        if error.use_stderr() {
            io::stderr().write_all(text.as_bytes())
        } else {
            io::stdout().write_all(text.as_bytes())
        }
    };
    let is_request = !error.use_stderr();
    match printed.and_then(|()| if is_request { io::stdout().flush() } else { Ok(()) }) {
        Err(failure) if is_request => {
            if failure.kind() != ErrorKind::BrokenPipe {
                print_to_stderr(format_args!("error: {}", name_standard_output(failure)));
            }
            ExitCode::FAILURE
        }
        _ => ExitCode::from(error.exit_code() as u8),
    }
}

/// Sanitizes the values of the command line in an error: clap removes what looks like an escape
/// sequence when it renders the message without colors, and with it text that follows.
fn sanitize_context(error: &mut clap::Error) {
    let safe = |text: &String| sanitize_for_terminal(text).into_owned();
    let values: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(safe(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(safe).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in values {
        error.insert(kind, value);
    }
}

/// Makes a file that exceeds the limit of its size (`ulimit -f`) an error of that write, instead of
/// the end of the program by SIGXFSZ.
pub fn handle_file_size_limit() {
    // Without the handler, the signal ends the program as before.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced_and_lines_kept() -> io::Result<()> {
        let mut written = Vec::new();
        let mut out = SanitizedOutput::new(&mut written);
        write!(out, "a\t\u{1b}[2J\r\u{9b}x\u{202e}\n한글\n")?;
        out.flush()?;
        assert_eq!(String::from_utf8_lossy(&written), "a\t�[2J �x�\n한글\n");
        Ok(())
    }

    #[test]
    fn errors_of_standard_output_are_named_except_for_a_closed_pipe() {
        struct Failing(ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, named) in [(ErrorKind::StorageFull, true), (ErrorKind::BrokenPipe, false)] {
            let error = SanitizedOutput::new(Failing(kind)).write_all(b"x").err();
            let error = error.unwrap_or_else(|| io::Error::other("no error"));
            assert_eq!(error.kind(), kind);
            assert_eq!(error.to_string().contains("standard output cannot be written"), named);
        }
    }

    #[test]
    fn an_escape_sequence_in_an_argument_hides_nothing_of_the_error() {
        let hostile = "\u{1b}]52;c;ZXZpbA==";
        let parsed = crate::cli::flags::parse(
            ["nsmc-tui", "--theme", hostile].into_iter().map(OsString::from),
        );
        let mut error = parsed
            .err()
            .unwrap_or_else(|| clap::Error::raw(clap::error::ErrorKind::Io, "no error"));
        sanitize_context(&mut error);
        let text = error.render().to_string();
        assert!(text.contains("'�]52;c;ZXZpbA==' for '--theme"), "{text}");
        assert!(text.contains("possible values"), "{text}");
    }
}
