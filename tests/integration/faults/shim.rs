//! Runs of the program whose system calls fail; see `shim.c`.

use super::on_disk::Folder;
use super::{Suite, check};
use crate::support::{SMALL_MODEL, TINY, program};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest time of one run.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What happens at a system call.
#[derive(Clone, Copy)]
pub enum Action {
    /// It fails with an error number.
    Error(rustix::io::Errno),
    /// Half of a write is done.
    Short,
    /// The process is killed before the call.
    Kill,
    /// Half of a write is done, then the process is killed.
    Tear,
    /// The process is stopped before the call.
    Stop,
    /// Nothing; the calls are listed.
    Count,
}

/// The calls that fail.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Names of calls, separated by commas.
    pub calls: &'static str,
    /// A pattern of the path.
    pub path: &'static str,
    /// The beginning of the data of a write; all data if empty.
    pub data: &'static str,
    /// The first matching call that fails, from 1.
    pub nth: usize,
    /// The number of calls that fail; 0 if all from then on.
    pub count: usize,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// The first matching call fails.
    pub fn once(calls: &'static str, path: &'static str, action: Action) -> Self {
        Self { calls, path, data: "", nth: 1, count: 1, action }
    }

    /// The system's text of the error, if it is one.
    pub fn error(&self) -> Option<String> {
        match self.action {
            Action::Error(number) => {
                Some(std::io::Error::from_raw_os_error(number.raw_os_error()).to_string())
            }
            _ => None,
        }
    }

    /// Adds the variables that make the shim act.
    pub fn variables(&self, library: &Path, log: &Path) -> Vec<(&'static str, String)> {
        let action = match self.action {
            Action::Error(number) => number.raw_os_error().to_string(),
            Action::Short => "short".to_owned(),
            Action::Kill => "kill".to_owned(),
            Action::Tear => "tear".to_owned(),
            Action::Stop => "stop".to_owned(),
            Action::Count => "count".to_owned(),
        };
        let mut variables = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAULT_CALLS", self.calls.to_owned()),
            ("FAULT_PATH", self.path.to_owned()),
            ("FAULT_NTH", self.nth.to_string()),
            ("FAULT_COUNT", self.count.to_string()),
            ("FAULT_ACTION", action),
            ("FAULT_LOG", log.display().to_string()),
        ];
        if !self.data.is_empty() {
            variables.push(("FAULT_DATA", self.data.to_owned()));
        }
        variables
    }
}

/// A system call that matched.
pub struct Call {
    /// Its number, from 1.
    pub number: usize,
    /// Whether it failed.
    pub failed: bool,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
}

impl Call {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let number = parts.next()?.parse().ok()?;
        let failed = parts.next()? == "!";
        let (name, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { number, failed, name, path })
    }
}

/// Reads the calls that the shim has listed.
pub fn calls(log: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(Call::parse).collect()
}

/// The result of a run.
pub struct Outcome {
    /// The exit code; if a signal ended the process, its number, negative.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The system calls that matched.
    pub calls: Vec<Call>,
}

impl Outcome {
    /// The lines of stderr that begin with `start` and contain all of `texts`.
    pub fn reported(&self, start: &str, texts: &[&str]) -> Vec<&str> {
        let fits =
            |line: &&str| line.starts_with(start) && texts.iter().all(|text| line.contains(text));
        self.stderr.lines().filter(fits).collect()
    }

    /// Checks that the fault happened, and the exit code.
    pub fn expect(&self, code: i32) -> Result<(), String> {
        check(self.calls.iter().any(|call| call.failed), || {
            format!("the fault never happened: {}", self.stderr)
        })?;
        self.expect_code(code)
    }

    /// Checks the exit code.
    pub fn expect_code(&self, code: i32) -> Result<(), String> {
        check(self.code == code, || {
            format!("exit code {} instead of {code}: {}", self.code, self.stderr.trim())
        })
    }
}

/// Where a run takes place.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// An empty place.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder");
        std::fs::write(folder.path().join("data.tsv"), data()).expect("a file");
        Self { folder }
    }

    /// A place in which a run has taken place already.
    pub fn after(outputs: &Path) -> Self {
        let place = Self::new();
        copy(outputs, &place.outputs().0);
        place
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The output folder of the run.
    pub fn outputs(&self) -> Folder {
        Folder(self.work().join("outputs"))
    }

    /// A file outside the working folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// 96 reviews of different lengths. They are read faster than the embedded ones.
fn data() -> String {
    let words = ["정말", "재미있는", "영화", "최고", "지루하다", "다시", "배우", "별로"];
    let rows = (0..96).map(|row| {
        let text: Vec<&str> = (0..3 + row % 7).map(|n| words[(row * 5 + n * n) % 8]).collect();
        format!("{row}\t{}\t{}\n", text.join(" "), (row / 3) % 2)
    });
    std::iter::once("id\tdocument\tlabel\n".to_owned()).chain(rows).collect()
}

/// The arguments of a run on these reviews.
pub fn train_with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let flags = ["train", "--plain", "--logging-steps", "1", "--threads", "1"];
    let data = ["--train-file", "../data.tsv", "--validation-file", "../data.tsv"];
    [&flags[..], &data, more].concat()
}

/// The arguments of a run of six steps with a checkpoint after every second one.
pub fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    train_with(&[&["--save-steps", "2"], &TINY[..], more].concat())
}

/// A run under way.
pub struct Running<'a> {
    child: Child,
    place: &'a Place,
}

impl Running<'_> {
    /// Waits until the process has stopped itself.
    pub fn wait_for_stop(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let stat = format!("/proc/{}/stat", self.child.id());
        loop {
            let state = std::fs::read_to_string(&stat).unwrap_or_default();
            if state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
                return Ok(());
            }
            let ended = self.child.try_wait().expect("a status").is_some();
            check(!ended && began.elapsed() < TIMEOUT, || "the run did not stop".to_owned())?;
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Continues a stopped process.
    pub fn resume(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::CONT).expect("a process");
    }

    /// Waits for the end of the process.
    pub fn end(mut self) -> Result<Outcome, String> {
        use std::os::unix::process::ExitStatusExt;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            if began.elapsed() > TIMEOUT {
                self.child.kill().expect("a kill");
                self.child.wait().expect("an end");
                return Err("the run did not end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |name: &str| {
            let bytes = std::fs::read(self.place.file(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Outcome {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: read("stdout"),
            stderr: read("stderr"),
            calls: calls(&self.place.file("calls")),
        })
    }
}

impl Suite {
    /// Starts a command in a place. `fault` applies to `command[0]`.
    pub fn start<'a>(
        &self,
        place: &'a Place,
        fault: Option<&Fault>,
        command: &[&str],
        stdout: Option<Stdio>,
    ) -> Running<'a> {
        let log = place.file("calls");
        let _ = std::fs::remove_file(&log);
        let create = |name| File::create(place.file(name)).expect("a file");
        let mut started = Command::new(command[0]);
        started
            .args(&command[1..])
            .current_dir(place.work())
            .env(SMALL_MODEL.0, SMALL_MODEL.1)
            .stdin(Stdio::null())
            .stdout(stdout.unwrap_or_else(|| create("stdout").into()))
            .stderr(create("stderr"));
        if let Some(fault) = fault {
            started.envs(fault.variables(&self.library, &log));
        }
        Running { child: started.spawn().expect("the program starts"), place }
    }

    /// Runs the program.
    pub fn run(
        &self,
        place: &Place,
        fault: Option<&Fault>,
        arguments: &[&str],
    ) -> Result<Outcome, String> {
        let program = program().display().to_string();
        self.start(place, fault, &[&[program.as_str()], arguments].concat(), None).end()
    }

    /// Runs the program again without a fault: from the last checkpoint, if there is one.
    pub fn run_again(&self, place: &Place) -> Result<(), String> {
        let arguments = if place.outputs().checkpoints().is_empty() {
            // TensorBoard keeps the files of a run that is not resumed.
            let _ = std::fs::remove_dir_all(place.outputs().join("runs"));
            train(&[])
        } else {
            vec!["train", "--plain", "--resume-from-checkpoint"]
        };
        self.run(place, None, &arguments)?.expect_code(0)
    }

    /// Checks that the next run works in the folder and removes what an earlier one left there.
    pub fn next_start(&self, place: &Place) -> Result<(), String> {
        let short = train(&["--max-steps", "1", "--save-strategy", "no"]);
        self.run(place, None, &short)?.expect_code(0)?;
        place.outputs().expect_names()
    }
}

/// Compiles the shim into a folder.
///
/// # Errors
/// If there is no compiler, or the system lets no filter in.
pub fn build(folder: &Path) -> Result<PathBuf, String> {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    std::fs::write(&source, include_str!("shim.c")).expect("a file");
    let arguments = ["-shared", "-fPIC", "-O1", "-o"].map(std::ffi::OsStr::new);
    let compiler = Command::new("cc").args(arguments).arg(&library).arg(&source).output();
    let compiled = compiler.map_err(|error| format!("cc: {error}"))?;
    check(compiled.status.success(), || {
        format!("cc: {}", String::from_utf8_lossy(&compiled.stderr))
    })?;
    let probe = Fault::once("open", "*probe*", Action::Error(rustix::io::Errno::IO));
    let log = folder.join("probe.calls");
    let cat = Command::new("cat").arg("probe").envs(probe.variables(&library, &log)).output();
    cat.map_err(|error| format!("cat: {error}"))?;
    let works = calls(&log).iter().any(|call| call.failed);
    check(works, || "the system lets no seccomp filter in".to_owned())?;
    Ok(library)
}
