//! A pseudo-terminal with the program in it, driven by keys and read as a person would read it.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use crate::support::program;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A terminal with the program in it, under a shell that tells how it ended and what became of
/// the terminal's modes.
pub struct Terminal {
    pub screen: Arc<Mutex<vt100::Parser>>,
    pub master: Option<Box<dyn MasterPty + Send>>,
    pub keys: Option<Box<dyn Write + Send>>,
    pub child: Box<dyn portable_pty::Child + Send + Sync>,
    pub folder: tempfile::TempDir,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    let nonzero = |n| std::num::NonZeroU16::new(n).expect("not zero");
    vt100::Parser::new(nonzero(rows), nonzero(columns), 0)
}

impl Terminal {
    /// Starts the program with these arguments and variables, in a folder of its own.
    pub fn start(
        columns: u16,
        rows: u16,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a terminal");
        let mut command = CommandBuilder::new("sh");
        let script = "\"$@\"; echo \"CODE=$?\"; stty -a | tr '\\n' ' '; echo; echo END";
        command.args(["-c", script, "sh"]);
        command.arg(program());
        command.args(arguments);
        command.cwd(folder.path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("XDG_STATE_HOME", folder.path().join("state"));
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("a shell");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(parser(columns, rows)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        std::thread::spawn({
            let screen = screen.clone();
            move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = reader.read(&mut bytes) {
                    screen.lock().expect("no panic").process(&bytes[..count]);
                }
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { screen, master: Some(pair.master), keys: Some(keys), child, folder }
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().expect("no panic").screen().contents()
    }

    /// Waits until the screen satisfies `found`.
    pub fn wait(&self, what: &str, found: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let text = self.text();
            if found(&text) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "never saw {what} on:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a text stands on the screen.
    pub fn wait_for(&self, what: &str) -> String {
        self.wait(what, |text| text.contains(what))
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().expect("the terminal is there");
        writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        writer.flush().expect("the terminal takes keys");
    }

    /// Makes the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        // What was on the old screen is dropped: the program has to draw all of the new one.
        *self.screen.lock().expect("no panic") = parser(columns, rows);
        let master = self.master.as_ref().expect("the terminal is there");
        master.resize(size(columns, rows)).expect("a new size");
    }

    /// Waits for the end, checks that the terminal was given back, and returns what stands there.
    pub fn end(&mut self, code: i32) -> String {
        let text = self.wait_for("END");
        let flat = text.replace('\n', "");
        assert!(flat.contains(&format!("CODE={code}")), "another exit code:\n{text}");
        assert!(flat.contains(" icanon") && flat.contains(" echo "), "still raw:\n{text}");
        let screen = self.screen.lock().expect("no panic");
        let screen = screen.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        self.child.wait().expect("an end");
        text
    }

    /// Whether there is a model.
    pub fn saved(&self) -> bool {
        is_saved(self.folder.path())
    }

    /// The program itself, below the shell.
    pub fn signal(&self, signal: &str) {
        let shell = self.child.process_id().expect("a process").to_string();
        let killed = std::process::Command::new("pkill").args([signal, "-P", &shell]).status();
        assert!(killed.expect("pkill runs").success());
    }
}

impl Drop for Terminal {
    /// A test that fails must not leave a run behind: it would go on without its terminal.
    fn drop(&mut self) {
        if let Some(shell) = self.child.process_id() {
            let shell = shell.to_string();
            // What has ended already is no concern.
            let _ = std::process::Command::new("pkill").args(["-KILL", "-P", &shell]).status();
        }
    }
}

fn is_saved(folder: &Path) -> bool {
    folder.join("outputs/model.safetensors").is_file()
}
