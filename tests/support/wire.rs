//! The program at the end of a wire: its terminal's bytes are counted, and can be left unread.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use super::support::program;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

/// What the terminal shows, and a bell that rings whenever that changes.
type Screen = Arc<(Mutex<vt100::Parser>, Condvar)>;

pub struct Wire {
    screen: Screen,
    bytes: Arc<AtomicU64>,
    held: Arc<AtomicBool>,
    keys: Box<dyn Write + Send>,
    pub child: Box<dyn Child + Send + Sync>,
    pub folder: tempfile::TempDir,
    _master: Box<dyn MasterPty + Send>,
}

impl Wire {
    /// The program itself, with 24 bits of colour, which take the most bytes.
    pub fn to_program(arguments: &[&str]) -> Self {
        let program = program().display().to_string();
        Self::start(&[&[program.as_str()], arguments].concat())
    }

    pub fn start(command_line: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(command_line[0]);
        command.args(&command_line[1..]);
        command.cwd(folder.path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("COLORTERM", "truecolor");
        for name in ["LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORFGBG"] {
            command.env_remove(name);
        }
        let child = pair.slave.spawn_command(command).expect("a program");
        drop(pair.slave);
        let [rows, columns] = [ROWS, COLUMNS].map(|n| NonZeroU16::new(n).expect("not zero"));
        let screen: Screen =
            Arc::new((vt100::Parser::new(rows, columns, 0).into(), Condvar::new()));
        let (bytes, held) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        std::thread::spawn({
            let (screen, bytes, held) = (screen.clone(), bytes.clone(), held.clone());
            move || {
                let mut buffer = [0; 4096];
                loop {
                    while held.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    let Ok(count @ 1..) = reader.read(&mut buffer) else {
                        return;
                    };
                    bytes.fetch_add(count as u64, Ordering::SeqCst);
                    screen.0.lock().expect("no panic").process(&buffer[..count]);
                    screen.1.notify_all();
                }
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { screen, bytes, held, keys, child, folder, _master: pair.master }
    }

    /// Waits until the screen satisfies `found`, and says how long that took.
    pub fn wait(&self, what: &str, found: impl Fn(&vt100::Screen) -> bool) -> Duration {
        let began = Instant::now();
        let mut parser = self.screen.0.lock().expect("no panic");
        while !found(parser.screen()) {
            let text = parser.screen().contents();
            assert!(began.elapsed() < PATIENCE, "never saw {what} on:\n{text}");
            let while_silent = Duration::from_secs(1);
            parser = self.screen.1.wait_timeout(parser, while_silent).expect("no panic").0;
        }
        began.elapsed()
    }

    pub fn wait_for(&self, what: &str) -> Duration {
        self.wait(what, |screen| screen.contents().contains(what))
    }

    pub fn text(&self) -> String {
        self.screen.0.lock().expect("no panic").screen().contents()
    }

    /// What the screen is asked.
    pub fn ask<T>(&self, question: impl Fn(&vt100::Screen) -> T) -> T {
        question(self.screen.0.lock().expect("no panic").screen())
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Stops reading, or reads again.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// The bytes that came so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Bytes a second for a while.
    pub fn traffic(&self, span: Duration) -> f64 {
        let (before, began) = (self.bytes(), Instant::now());
        std::thread::sleep(span);
        (self.bytes() - before) as f64 / began.elapsed().as_secs_f64()
    }

    /// Where the run's files are.
    pub fn outputs(&self) -> PathBuf {
        self.folder.path().join("outputs")
    }

    /// How many events the run has written down.
    pub fn events(&self) -> usize {
        let journal = std::fs::read(self.outputs().join("events.jsonl")).unwrap_or_default();
        journal.split(|byte| *byte == b'\n').count().saturating_sub(1)
    }

    /// Waits for the program's end and returns its code.
    pub fn end(&mut self) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.exit_code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The program was here and is gone: it has left nothing behind but text.
    pub fn assert_given_back(&self) {
        self.ask(|screen| {
            assert!(!screen.alternate_screen(), "still on the alternate screen");
            assert!(!screen.hide_cursor(), "the cursor is still hidden");
            assert!(!screen.bracketed_paste(), "pastes are still bracketed");
            let mouse = screen.mouse_protocol_mode();
            assert_eq!(mouse, vt100::MouseProtocolMode::None, "the mouse is still ours");
        });
    }
}

impl Drop for Wire {
    /// A test that fails must not leave a run behind.
    fn drop(&mut self) {
        if let Some(child) = self.child.process_id() {
            let child = child.to_string();
            // What has ended already is no concern.
            let _ = std::process::Command::new("pkill").args(["-KILL", "-P", &child]).status();
        }
        let _ = self.child.kill();
    }
}
