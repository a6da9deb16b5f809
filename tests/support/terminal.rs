//! The program in a pseudo-terminal: keys are typed into it, and what it draws is parsed by
//! `vt100`.

use super::{SMALL_MODEL, program};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The timeout of every wait, long enough for a loaded computer.
pub const TIMEOUT: Duration = Duration::from_mins(2);

/// The bytes around a frame that a terminal shows at once (synchronized output).
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";
/// The time after which a frame without an end is shown nevertheless, as terminals do.
const FRAME_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last output is waited for after a process has ended.
const LAST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(5);

/// Prints the exit code of a command and the terminal's modes after it.
const REPORT_EXIT: &str = "\"$@\"; echo \"CODE=$?\"; stty -a | tr '\\n' ' '; echo; echo END";

/// The screen, and whether it is in the middle of a frame.
struct Display {
    parser: vt100::Parser,
    /// When the frame began that has not ended yet.
    frame_began: Option<Instant>,
    /// The last bytes, in which a mark may have been cut.
    tail: Vec<u8>,
}

impl Display {
    fn new(columns: u16, rows: u16) -> Self {
        Self { parser: parser(columns, rows), frame_began: None, tail: Vec::new() }
    }

    fn process(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.tail.extend_from_slice(bytes);
        let last = |mark: &[u8]| self.tail.windows(mark.len()).rposition(|window| window == mark);
        match (last(BEGIN_FRAME), last(END_FRAME)) {
            (Some(begin), end) if end.is_none_or(|end| end < begin) => {
                self.frame_began = Some(Instant::now());
            }
            (_, Some(_)) => self.frame_began = None,
            _ => {}
        }
        let kept = self.tail.len().min(END_FRAME.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }

    /// The screen, unless a frame is being drawn.
    fn complete(&self) -> Option<&vt100::Screen> {
        let is_drawing = self.frame_began.is_some_and(|began| began.elapsed() < FRAME_TIMEOUT);
        (!is_drawing).then(|| self.parser.screen())
    }
}

/// The state shared by the test and the thread that reads the terminal.
struct Shared {
    display: Mutex<Display>,
    /// Notified after every change of the screen.
    changed: Condvar,
    /// Bytes read so far.
    bytes: AtomicU64,
    /// Whether reading is paused.
    reading_paused: AtomicBool,
    /// Whether the thread has to close its end of the terminal.
    is_closed: AtomicBool,
    /// Whether everything that was written has been read, and no process has the terminal open.
    is_ended: AtomicBool,
}

impl Shared {
    /// The display. A mutex poisoned by a failed assertion is still used, so that the thread can
    /// read on.
    fn display(&self) -> MutexGuard<'_, Display> {
        self.display.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pseudo-terminal and the program running in it.
pub struct Terminal {
    shared: Arc<Shared>,
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    /// Programs whose shell has ended, to kill after a failed test.
    orphans: Vec<String>,
    /// The working folder.
    pub folder: tempfile::TempDir,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    let nonzero = |n| NonZeroU16::new(n).expect("not zero");
    vt100::Parser::new(nonzero(rows), nonzero(columns), 0)
}

impl Terminal {
    /// The program with these arguments and variables, under a shell that prints its exit code and
    /// the terminal's modes; see [`Self::end`].
    pub fn start(
        columns: u16,
        rows: u16,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let program = program().display().to_string();
        let shell = ["sh", "-c", REPORT_EXIT, "sh", &program];
        Self::spawn(columns, rows, &[&shell, arguments].concat(), environment)
    }

    /// The program alone, in 120 × 40 cells; see [`Self::exit_code`].
    pub fn start_program(arguments: &[&str]) -> Self {
        let program = program().display().to_string();
        Self::start_command(&[&[program.as_str()], arguments].concat())
    }

    /// A shell in a folder, for commands that are typed.
    pub fn start_shell(columns: u16, rows: u16, folder: &std::path::Path) -> Self {
        let script = format!("cd '{}'; exec sh -i", folder.display());
        Self::spawn(columns, rows, &["sh", "-c", &script], &[("NSMC_TUI_TEST_PAUSE", "2")])
    }

    /// Any command, in 120 × 40 cells.
    pub fn start_command(command_line: &[&str]) -> Self {
        Self::spawn(120, 40, command_line, &[])
    }

    fn spawn(columns: u16, rows: u16, command_line: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a terminal");
        let mut command = CommandBuilder::new(command_line[0]);
        command.args(&command_line[1..]);
        command.cwd(folder.path());
        for name in ["NO_COLOR", "COLORFGBG"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        // 24-bit colors take the most bytes.
        command.env("COLORTERM", "truecolor");
        command.env("LC_ALL", "C.UTF-8");
        command.env("XDG_STATE_HOME", folder.path().join("state"));
        command.env(SMALL_MODEL.0, SMALL_MODEL.1);
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("a process");
        drop(pair.slave);
        let shared = Arc::new(Shared {
            display: Mutex::new(Display::new(columns, rows)),
            changed: Condvar::new(),
            bytes: AtomicU64::new(0),
            reading_paused: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_ended: AtomicBool::new(false),
        });
        let reader = pair.master.try_clone_reader().expect("a reader");
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                read(reader, &shared);
                shared.is_ended.store(true, Ordering::SeqCst);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        let (master, keys) = (Some(pair.master), Some(keys));
        Self { shared, master, keys, child, orphans: Vec::new(), folder }
    }

    /// Waits until `found` returns a value for a complete screen, and returns it.
    fn wait_some<T>(&self, what: &str, found: impl Fn(&vt100::Screen) -> Option<T>) -> T {
        let began = Instant::now();
        let mut display = self.shared.display();
        loop {
            if let Some(value) = display.complete().and_then(&found) {
                return value;
            }
            let text = display.parser.screen().contents();
            assert!(began.elapsed() < TIMEOUT, "{what} is not on the screen:\n{text}");
            // `found` may depend on more than the screen.
            let pause = Duration::from_millis(100);
            let changed = self.shared.changed.wait_timeout(display, pause);
            display = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the screen satisfies `found`, and returns how long that took.
    pub fn wait_screen(&self, what: &str, found: impl Fn(&vt100::Screen) -> bool) -> Duration {
        let began = Instant::now();
        self.wait_some(what, |screen| found(screen).then(|| began.elapsed()))
    }

    /// Waits until the screen's text satisfies `found`, and returns the text.
    pub fn wait(&self, what: &str, found: impl Fn(&str) -> bool) -> String {
        self.wait_some(what, |screen| Some(screen.contents()).filter(|text| found(text)))
    }

    /// Waits until a text is on the screen, and returns the screen's text.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.with_screen(vt100::Screen::contents)
    }

    /// Reads a property of the screen.
    pub fn with_screen<T>(&self, read: impl Fn(&vt100::Screen) -> T) -> T {
        self.wait_some("a complete frame", |screen| Some(read(screen)))
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().expect("an open terminal");
        writer.write_all(keys.as_bytes()).expect("keys are written");
        writer.flush().expect("keys are written");
    }

    /// Resizes the terminal and clears the screen, so that the program has to draw all of it.
    pub fn resize(&self, columns: u16, rows: u16) {
        *self.shared.display() = Display::new(columns, rows);
        let master = self.master.as_ref().expect("an open terminal");
        master.resize(size(columns, rows)).expect("a new size");
    }

    /// Stops reading what the program draws, or resumes.
    pub fn pause_reading(&self, paused: bool) {
        self.shared.reading_paused.store(paused, Ordering::SeqCst);
    }

    /// Closes the terminal, as a lost connection does, and returns the program's process id.
    pub fn hang_up(&mut self) -> String {
        let children = Command::new("pgrep").args(["-P", &self.process()]).output();
        let program = String::from_utf8(children.expect("pgrep runs").stdout).expect("a number");
        let program = program.trim().to_owned();
        self.orphans.push(program.clone());
        self.shared.is_closed.store(true, Ordering::SeqCst);
        (self.keys, self.master) = (None, None);
        program
    }

    /// Bytes that the program has written so far.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::SeqCst)
    }

    /// The bytes per second that the program writes during `span`.
    pub fn bytes_per_second(&self, span: Duration) -> f64 {
        let (before, began) = (self.bytes(), Instant::now());
        std::thread::sleep(span);
        (self.bytes() - before) as f64 / began.elapsed().as_secs_f64()
    }

    /// The default output folder of a run.
    pub fn outputs(&self) -> PathBuf {
        self.folder.path().join("outputs")
    }

    /// Lines of the run's journal.
    pub fn events(&self) -> usize {
        let journal = std::fs::read(self.outputs().join("events.jsonl")).unwrap_or_default();
        journal.split(|byte| *byte == b'\n').count().saturating_sub(1)
    }

    /// Waits until the run's journal has this many lines.
    pub fn wait_for_events(&self, count: usize) {
        self.wait_screen("progress", |_| self.events() >= count);
    }

    /// Whether the run has saved its model.
    pub fn is_saved(&self) -> bool {
        self.outputs().join("model.safetensors").is_file()
    }

    /// The id of the process that was started.
    pub fn process(&self) -> String {
        self.child.process_id().expect("a process").to_string()
    }

    /// Sends a signal to the program under the shell.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("pkill").args([signal, "-P", &self.process()]).status();
        assert!(sent.expect("pkill runs").success());
    }

    /// Waits for the end of the process and for its last output, and returns its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                // A process that outlives it may keep the terminal open.
                let exited = Instant::now();
                while !self.shared.is_ended.load(Ordering::SeqCst)
                    && exited.elapsed() < LAST_OUTPUT_TIMEOUT
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return status.exit_code();
            }
            assert!(began.elapsed() < TIMEOUT, "the program does not exit:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of a program started by [`Self::start`], checks its exit code and that the
    /// terminal is restored, and returns the screen's text.
    pub fn end(&mut self, code: i32) -> String {
        let text = self.wait_for("END");
        let flat = text.replace('\n', "");
        assert!(flat.contains(&format!("CODE={code}")), "wrong exit code:\n{text}");
        self.assert_cooked();
        self.assert_restored();
        self.child.wait().expect("an exit");
        text
    }

    /// Asserts that the modes printed by `stty -a` are those of a shell.
    pub fn assert_cooked(&self) {
        let text = self.text().replace('\n', "");
        assert!(text.contains(" icanon") && text.contains(" echo "), "still raw:\n{text}");
    }

    /// Asserts that the program has reset every mode that it had set, and has left the alternate
    /// screen.
    pub fn assert_restored(&self) {
        self.with_screen(|screen| {
            assert!(!screen.alternate_screen(), "still on the alternate screen");
            assert!(!screen.hide_cursor(), "the cursor is still hidden");
            assert!(!screen.bracketed_paste(), "pastes are still bracketed");
            let mouse = screen.mouse_protocol_mode();
            assert_eq!(mouse, vt100::MouseProtocolMode::None, "the mouse is still captured");
        });
    }
}

/// Parses what the program draws until the terminal is closed.
fn read(mut reader: Box<dyn Read + Send>, shared: &Shared) {
    let mut buffer = [0; 4096];
    while !shared.is_closed.load(Ordering::SeqCst) {
        if shared.reading_paused.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let Ok(count @ 1..) = reader.read(&mut buffer) else {
            return;
        };
        shared.bytes.fetch_add(count as u64, Ordering::SeqCst);
        shared.display().process(&buffer[..count]);
        shared.changed.notify_all();
    }
}

impl Drop for Terminal {
    /// Kills programs that a failed test leaves running: the program does not end with its
    /// terminal.
    fn drop(&mut self) {
        // Processes that have exited already are no error.
        if self.child.process_id().is_some() {
            let _ = Command::new("pkill").args(["-KILL", "-P", &self.process()]).status();
        }
        for orphan in self.orphans.iter().filter(|_| std::thread::panicking()) {
            let _ = Command::new("kill").args(["-KILL", orphan]).output();
        }
        let _ = self.child.kill();
    }
}
