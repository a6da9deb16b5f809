//! A guardian process that restores the terminal after a sudden end of the program: an abort, a
//! SIGKILL, the kernel's OOM killer.
//!
//! The dashboard starts this program again with the hidden subcommand [`COMMAND`], standard input
//! being a pipe and standard output the terminal, and tells it line by line who has the terminal.
//! If the pipe closes while the dashboard has it, the guardian restores it. Otherwise it ends with
//! the dashboard and writes nothing.

use super::sequences::release_sequences;
use crate::screen::lang::Lang;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{getpgrp, getsid, setsid};
use rustix::stdio::stdout;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, QueueSelector,
    SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The hidden subcommand.
pub const COMMAND: &str = "guard-terminal";

/// The lines on the pipe; the first is followed by numbers, see [`Acquired`].
const ACQUIRED: &str = "acquired";
const RELEASED: &str = "released";
const DONE: &str = "done";

/// The line that says that the dashboard is in Korean; without it, it is in English.
const KOREAN: &str = "korean";

/// How long the dashboard waits for the end of the guardian before it kills it.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the guardian waits until the terminal accepts output.
const WRITE_TIMEOUT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What the guardian prints after it has restored the terminal, with a line end for any mode of it.
fn notice(lang: Lang) -> String {
    let text = lang.tr("nsmc-tui was killed or ran out of memory; the terminal is restored.");
    format!("{text}\r\n")
}

/// The guardian of this process.
static GUARDIAN: Mutex<Option<Guardian>> = Mutex::new(None);

struct Guardian {
    process: Child,
    pipe: ChildStdin,
}

fn guardian() -> MutexGuard<'static, Option<Guardian>> {
    GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the guardian, which speaks the language of the dashboard. If that is impossible, the
/// dashboard continues without one.
pub(super) fn start(lang: Lang) {
    *guardian() = spawn().ok();
    if lang == Lang::Korean {
        send(KOREAN);
    }
}

fn spawn() -> std::io::Result<Guardian> {
    // Still this program after its file was replaced.
    let itself = Path::new("/proc/self/exe");
    let itself = if itself.exists() { itself.to_owned() } else { std::env::current_exe()? };
    let mut command = Command::new(itself);
    // A folder that can be unmounted is not kept in use.
    command.arg0("nsmc-tui").arg(COMMAND).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::inherit()).stderr(Stdio::null());
    let mut process = command.spawn()?;
    let pipe = process.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    Ok(Guardian { process, pipe })
}

/// Tells the guardian that the dashboard is about to take the terminal, in its present modes.
pub(super) fn send_acquired() {
    let Ok(modes) = tcgetattr(stdout()) else { return };
    let session = getsid(None).map_or(0, rustix::process::Pid::as_raw_pid);
    let group = getpgrp().as_raw_pid();
    send(&Acquired { modes: Modes::of(&modes), group, session }.line());
}

/// Tells the guardian that the terminal is restored.
pub(super) fn send_released() {
    send(RELEASED);
}

fn send(line: &str) {
    if let Some(guardian) = guardian().as_mut() {
        // A guardian that was killed reads nothing.
        let _ = guardian.pipe.write_all(format!("{line}\n").as_bytes());
    }
}

/// Ends the guardian.
pub(super) fn end() {
    let Some(Guardian { mut process, mut pipe }) = guardian().take() else { return };
    let _ = pipe.write_all(format!("{DONE}\n").as_bytes());
    drop(pipe);
    let began = Instant::now();
    while matches!(process.try_wait(), Ok(None)) {
        if began.elapsed() > END_TIMEOUT {
            let _ = process.kill();
            let _ = process.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Flags of a termios, whose size depends on the system.
fn widened(bits: impl Into<u64>) -> u64 {
    bits.into()
}

/// The modes that raw mode changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Modes {
    input: u64,
    output: u64,
    control: u64,
    local: u64,
    minimum: u64,
    time: u64,
}

impl Modes {
    fn of(termios: &Termios) -> Self {
        Self {
            input: widened(termios.input_modes.bits()),
            output: widened(termios.output_modes.bits()),
            control: widened(termios.control_modes.bits()),
            local: widened(termios.local_modes.bits()),
            minimum: termios.special_codes[SpecialCodeIndex::VMIN].into(),
            time: termios.special_codes[SpecialCodeIndex::VTIME].into(),
        }
    }

    fn apply(self, termios: &mut Termios) {
        termios.input_modes = InputModes::from_bits_retain(self.input as _);
        termios.output_modes = OutputModes::from_bits_retain(self.output as _);
        termios.control_modes = ControlModes::from_bits_retain(self.control as _);
        termios.local_modes = LocalModes::from_bits_retain(self.local as _);
        termios.special_codes[SpecialCodeIndex::VMIN] = self.minimum as u8;
        termios.special_codes[SpecialCodeIndex::VTIME] = self.time as u8;
    }
}

/// The state of the terminal before the dashboard took it, and whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Acquired {
    modes: Modes,
    /// The process group of the dashboard.
    group: i32,
    /// The session, whose first process is the shell; 0 if it is unknown.
    session: i32,
}

impl Acquired {
    fn line(&self) -> String {
        let Self { modes, group, session } = self;
        let Modes { input, output, control, local, minimum, time } = modes;
        format!("{ACQUIRED} {input} {output} {control} {local} {minimum} {time} {group} {session}")
    }

    fn parse(line: &str) -> Option<Self> {
        let numbers = line.strip_prefix(ACQUIRED)?.split_whitespace();
        let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
        let [input, output, control, local, minimum, time, group, session] = numbers[..] else {
            return None;
        };
        let modes = Modes { input, output, control, local, minimum, time };
        Some(Self { modes, group: group as i32, session: session as i32 })
    }
}

/// The guardian process: waits for the end of the dashboard.
pub fn run() {
    // A session of its own, so that neither Ctrl-C nor the end of the terminal's session reaches it.
    let _ = setsid();
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        // It ends when the dashboard does: a signal for both must not end it first.
        let _ = signal_hook::flag::register(signal, std::sync::Arc::default());
    }
    let (mut acquired, mut lang) = (None, Lang::English);
    for line in std::io::stdin().lock().lines() {
        match line.as_deref() {
            Ok(RELEASED) => acquired = None,
            Ok(KOREAN) => lang = Lang::Korean,
            Ok(DONE) | Err(_) => return,
            Ok(line) => acquired = Acquired::parse(line),
        }
    }
    if let Some(acquired) = acquired {
        let foreground = foreground_group(acquired.session);
        if is_still_ours(foreground, &acquired) {
            restore(acquired.modes, lang);
        }
    }
}

/// Whether no other job has taken the terminal: a stopped dashboard may be killed while another
/// program is in the foreground. `foreground` is `None` if it is unknown.
fn is_still_ours(foreground: Option<i32>, acquired: &Acquired) -> bool {
    foreground.is_none_or(|group| group == acquired.group || group == acquired.session)
}

/// The foreground process group of a session's terminal: the terminal itself does not tell it to
/// other sessions.
fn foreground_group(session: i32) -> Option<i32> {
    parse_foreground(&std::fs::read_to_string(format!("/proc/{session}/stat")).ok()?)
}

/// The sixth field after the program's name, which is in parentheses and may contain any text.
fn parse_foreground(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(5)?.parse().ok()
}

/// Restores the terminal. Errors are ignored, because nobody could read about them.
fn restore(modes: Modes, lang: Lang) {
    let terminal = stdout();
    // What is left of the last frame.
    let _ = tcflush(terminal, QueueSelector::OFlush);
    let bytes = release_sequences();
    let mut ready = [PollFd::new(&terminal, PollFlags::OUT)];
    let can_write = poll(&mut ready, Some(&WRITE_TIMEOUT)).is_ok_and(|count| count > 0);
    if can_write {
        let _ = rustix::io::write(terminal, &bytes);
    }
    // A shell that has restored the modes, and perhaps set its own, is not disturbed.
    if let Ok(mut termios) = tcgetattr(terminal)
        && is_raw(&termios)
    {
        modes.apply(&mut termios);
        // Discards reports of the mouse that were not read.
        let _ = tcsetattr(terminal, OptionalActions::Flush, &termios);
    }
    if can_write {
        let _ = rustix::io::write(terminal, notice(lang).as_bytes());
    }
}

/// Whether the modes are those of the dashboard.
fn is_raw(termios: &Termios) -> bool {
    let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    !termios.local_modes.intersects(cooked) && !termios.output_modes.contains(OutputModes::OPOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACQUIRED_BY_7: Acquired = Acquired {
        modes: Modes { input: 1, output: 2, control: 3, local: 4, minimum: 5, time: 6 },
        group: 7,
        session: 8,
    };

    #[test]
    fn the_state_of_the_terminal_is_told_on_one_line() {
        let line = ACQUIRED_BY_7.line();
        assert_eq!(line, "acquired 1 2 3 4 5 6 7 8");
        assert_eq!(Acquired::parse(&line), Some(ACQUIRED_BY_7));
        for line in ["", RELEASED, DONE, KOREAN, "acquired", "acquired 1 2 3 4 5 6 7", "acquired x"]
        {
            assert_eq!(Acquired::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_terminal_that_another_job_has_taken_is_left_alone() {
        for (foreground, ours) in [(Some(7), true), (Some(8), true), (Some(9), false), (None, true)]
        {
            assert_eq!(is_still_ours(foreground, &ACQUIRED_BY_7), ours, "{foreground:?}");
        }
        let stat = "8 (ba) sh 1 2 3) S 1 8 8 34816 4711 4194560 1 2";
        assert_eq!(parse_foreground(stat), Some(4711));
        assert_eq!(parse_foreground("8 (sh"), None);
    }

    #[test]
    fn the_notice_is_in_the_language_of_the_dashboard() {
        assert!(notice(Lang::English).starts_with("nsmc-tui was killed"));
        let korean = notice(Lang::Korean);
        assert!(korean.contains("터미널") && korean.ends_with("\r\n"), "{korean}");
    }

    #[test]
    fn modes_are_applied_as_they_were_read() -> std::io::Result<()> {
        use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        assert!(is_raw(&raw) && !is_raw(&before));
        Modes::of(&before).apply(&mut raw);
        assert_eq!(Modes::of(&raw), Modes::of(&before));
        assert!(!is_raw(&raw));
        Ok(())
    }
}
