//! Runs in the background: `--detach` starts this program again, and the new process leaves the
//! terminal once the run is recorded.

use super::after_dashboard::write_way_back;
use super::attach;
use crate::core::text::to_json;
use crate::screen::display::DisplayOptions;
use crate::screen::lang::Lang;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What the process in the background prints, in the folder of the run.
pub const OUTPUT: &str = "output.log";

/// The most bytes of what the process in the background says first.
const MAX_READY_BYTES: u64 = 1 << 16;

/// A run in the background.
#[derive(Debug, Serialize, Deserialize)]
struct Background {
    /// Its output folder, as text.
    run: String,
    /// Its process.
    pid: u32,
}

/// Starts the same command in the background, for a run in `folder`. Then it prints the folder and the
/// process, or attaches a dashboard.
///
/// # Errors
/// If the process cannot be started, or the dashboard fails.
pub fn start(
    folder: &Path,
    json: bool,
    plain: bool,
    display: DisplayOptions,
    mut out: impl Write,
) -> anyhow::Result<ExitCode> {
    let mut command = same_command(Some("--background"))?;
    // Until the run is recorded, errors and downloads are shown here.
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = process.stdout.take() {
        BufReader::new(stdout.take(MAX_READY_BYTES)).read_line(&mut line)?;
    }
    let Ok(background) = serde_json::from_str::<Background>(&line) else {
        // It has printed why.
        let code = process.wait()?.code();
        return Ok(code
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from));
    };
    if json {
        writeln!(out, "{}", to_json(&background)?)?;
    } else if plain {
        let lang = Lang::detect(display.language, |name| std::env::var(name).ok());
        write_way_back(folder, background.pid, false, lang, &mut out)?;
    } else {
        return attach::show(folder, display, out);
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// This command once more, with another flag if there is one, by the same program even if its file was
/// replaced.
///
/// # Errors
/// If the program's file is not known.
pub fn same_command(flag: Option<&str>) -> std::io::Result<Command> {
    let mut command = same_program()?;
    command.args(std::env::args_os().skip(1)).args(flag);
    Ok(command)
}

/// This program once more, without arguments, even if its file was replaced.
///
/// # Errors
/// If the program's file is not known.
pub fn same_program() -> std::io::Result<Command> {
    let itself = Path::new("/proc/self/exe");
    let itself = if itself.exists() { itself.to_owned() } else { std::env::current_exe()? };
    let mut command = Command::new(itself);
    command.arg0(std::env::args_os().next().unwrap_or_else(|| "nsmc-tui".into()));
    Ok(command)
}

/// Gives this process the program's name in lists of processes: it was started through a link whose
/// name would be shown.
pub fn name_process() {
    // Only Linux has this file.
    let _ = std::fs::write("/proc/self/comm", env!("CARGO_PKG_NAME"));
}

/// Says that the run in `folder` is recorded, and leaves the terminal.
pub fn leave_terminal(folder: &Path) {
    let run = folder.to_string_lossy().into_owned();
    let background = Background { run, pid: std::process::id() };
    if let Ok(line) = to_json(&background) {
        let _ = rustix::io::write(rustix::stdio::stdout(), format!("{line}\n").as_bytes());
    }
    leave_session(folder);
}

/// Moves this process to a session of its own, without a terminal. What it prints goes into a file
/// in the folder of the run.
pub fn leave_session(folder: &Path) {
    let output = File::options().create(true).append(true).open(folder.join(OUTPUT));
    // This fails only for the first process of a group, which has left its terminal already.
    let _ = rustix::process::setsid();
    let null = || File::options().read(true).write(true).open("/dev/null");
    if let Ok(null) = null() {
        let _ = dup2_stdin(&null);
    }
    if let Ok(output) = output.or_else(|_| null()) {
        let _ = dup2_stdout(&output);
        let _ = dup2_stderr(&output);
    }
}
