//! Faults of the system while a run writes its files: full disks, broken disks, kills, folders that
//! vanish. Each case is a run of the program with a library that makes its system calls fail
//! (`faults/shim.c`). The table of all cases, "fault, outcome, lost", is written into
//! [`TABLE`], and `.ci/run` prints it.

mod folders;
mod kills;
mod known;
mod on_disk;
mod preferences;
mod recording;
mod resuming;
mod saving;
mod shim;

use known::KNOWN;
use on_disk::Folder;
use shim::{Action, Place, train};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The file with the table.
const TABLE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/faults.txt");

/// Cases that run at the same time.
const THREADS: usize = 2;

/// Points of a kill are left out from this time on, so that the suite's time is bounded.
const ENOUGH: Duration = Duration::from_secs(75);

/// What a case found.
struct Verdict {
    outcome: String,
    lost: String,
}

impl Verdict {
    fn new(outcome: impl Into<String>, lost: impl Into<String>) -> Self {
        Self { outcome: outcome.into(), lost: lost.into() }
    }
}

/// Runs a case: returns what it found, or what is wrong.
type Run = dyn Fn(&Suite) -> Result<Verdict, String> + Send + Sync;

/// A case.
struct Case {
    fault: String,
    run: Box<Run>,
}

impl Case {
    fn new(
        fault: impl Into<String>,
        run: impl Fn(&Suite) -> Result<Verdict, String> + Send + Sync + 'static,
    ) -> Self {
        Self { fault: fault.into(), run: Box::new(run) }
    }
}

/// What all cases use.
struct Suite {
    /// The shim.
    library: PathBuf,
    /// A run without a fault.
    whole: Place,
    whole_events: Vec<serde_json::Value>,
    whole_history: serde_json::Value,
    whole_weights: Vec<u8>,
    /// A run of another shape of model without checkpoints.
    older: Place,
    began: Instant,
    _folder: tempfile::TempDir,
}

/// An error unless the condition holds.
fn check(condition: bool, error: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(error()) }
}

impl Suite {
    fn new(folder: tempfile::TempDir, library: PathBuf) -> Result<Self, String> {
        let mut suite = Self {
            library,
            whole: Place::new(),
            whole_events: Vec::new(),
            whole_history: serde_json::Value::Null,
            whole_weights: Vec::new(),
            older: Place::new(),
            began: Instant::now(),
            _folder: folder,
        };
        suite.run(&suite.whole, None, &train(&[]))?.expect_code(0)?;
        let outputs = suite.whole.outputs();
        suite.whole_events = outputs.events()?;
        suite.whole_history = outputs.log_history()?;
        suite.whole_weights = outputs.weights();
        check(suite.whole_events.len() == 13, || format!("{:?}", suite.whole_events))?;
        check(outputs.losses()? == [1, 2, 3, 4, 5, 6], || format!("{:?}", outputs.losses()))?;
        let other = ["--save-strategy", "no", "--config-overrides", "hidden_size=36"];
        suite.run(&suite.older, None, &train(&other))?.expect_code(0)?;
        Ok(suite)
    }

    /// Checks that the model and its state are those of the run without a fault.
    fn expect_model(&self, outputs: &Folder) -> Result<(), String> {
        check(outputs.weights() == self.whole_weights, || "the weights differ".to_owned())?;
        check(outputs.log_history()? == self.whole_history, || {
            "the log history differs".to_owned()
        })?;
        on_disk::loads(&outputs.0)
    }

    /// Checks that everything is as after the run without a fault.
    fn expect_whole(&self, outputs: &Folder) -> Result<(), String> {
        self.expect_model(outputs)?;
        let missing = outputs.missing_events(&self.whole_events)?;
        check(missing.is_empty(), || format!("the journal lacks {}", self.events(&missing)))?;
        let losses = outputs.losses()?;
        check(losses == [1, 2, 3, 4, 5, 6], || format!("TensorBoard has the losses {losses:?}"))?;
        outputs.expect_names()
    }

    /// Checks that the model is that of the older run, and whole.
    fn expect_older(&self, outputs: &Folder) -> Result<(), String> {
        check(outputs.weights() == self.older.outputs().weights(), || {
            "the older weights are gone".to_owned()
        })?;
        on_disk::loads(&outputs.0)
    }

    /// The events of these numbers, as text.
    fn events(&self, numbers: &[usize]) -> String {
        let name = |number: &usize| {
            let event = &self.whole_events[number - 1];
            format!("{} {}", event["event"].as_str().unwrap_or_default(), event["step"])
        };
        match numbers {
            [] => "nothing".to_owned(),
            [one] => format!("the event {}", name(one)),
            [first, .., last] => {
                format!("{} events, {} to {}", numbers.len(), name(first), name(last))
            }
        }
    }
}

/// The errors that each file is tested with.
fn errors() -> Vec<(&'static str, Action)> {
    use rustix::io::Errno;
    vec![
        ("ENOSPC", Action::Error(Errno::NOSPC)),
        ("EIO", Action::Error(Errno::IO)),
        ("EAGAIN", Action::Error(Errno::AGAIN)),
        ("EROFS", Action::Error(Errno::ROFS)),
        ("EINTR", Action::Error(Errno::INTR)),
        ("short write", Action::Short),
    ]
}

/// Whether a write with this fault succeeds when it is repeated at once, as `write_all` does.
fn is_retried(action: Action) -> bool {
    matches!(action, Action::Short | Action::Error(rustix::io::Errno::INTR))
}

/// Runs all cases, [`THREADS`] at a time, in their order.
fn run_all(suite: &Suite, cases: &[Case]) -> Vec<Result<Verdict, String>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(number) else { return };
                    // Its message is in the test's output.
                    let run = AssertUnwindSafe(|| (case.run)(suite));
                    let result =
                        catch_unwind(run).unwrap_or_else(|_| Err("the test panicked".to_owned()));
                    results.lock().expect("no panic").push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic");
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The table, and what is wrong.
fn report(cases: &[Case], results: &[Result<Verdict, String>]) -> (String, Vec<String>) {
    let mut rows = vec![["fault".to_owned(), "outcome".to_owned(), "lost".to_owned()]];
    let (mut wrong, mut known_errors) = (Vec::new(), Vec::new());
    for (case, result) in cases.iter().zip(results) {
        let known = KNOWN.iter().find(|(fault, _)| *fault == case.fault);
        let (outcome, lost) = match (result, known) {
            (Ok(verdict), None) => (verdict.outcome.clone(), verdict.lost.clone()),
            (Ok(verdict), Some(_)) => {
                wrong.push(format!("{}: passes, but is listed in KNOWN", case.fault));
                (verdict.outcome.clone(), verdict.lost.clone())
            }
            (Err(error), Some((_, reason))) => {
                let error: String = error.chars().take(300).collect();
                known_errors.push(format!("{}: {}", case.fault, error.replace('\n', " ")));
                (format!("known: {reason}"), "?".to_owned())
            }
            (Err(error), None) => {
                wrong.push(format!("{}: {error}", case.fault));
                ("WRONG, see below".to_owned(), "?".to_owned())
            }
        };
        rows.push([case.fault.clone(), outcome, lost]);
    }
    for &(fault, _) in KNOWN {
        if !cases.iter().any(|case| case.fault == fault) {
            wrong.push(format!("{fault}: is listed in KNOWN, but there is no such case"));
        }
    }
    let width = |column: usize| {
        rows.iter().map(|row: &[String; 3]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1)];
    let mut table = String::new();
    for [fault, outcome, lost] in &rows {
        let [first, second] = widths;
        let _ = writeln!(table, "{fault:first$} | {outcome:second$} | {lost}");
    }
    if !known_errors.is_empty() {
        let _ = writeln!(table, "\nKnown:\n{}\n", known_errors.join("\n"));
    }
    (table, wrong)
}

#[test]
fn every_fault_is_told_and_loses_only_what_it_must() {
    let began = Instant::now();
    let skipped = |reason: &str| {
        let text = format!("Faults were not injected: {reason}\n");
        std::fs::write(TABLE, &text).expect("a file");
        print!("{text}");
    };
    if !cfg!(target_os = "linux") {
        return skipped("this system has no LD_PRELOAD with seccomp");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let library = match shim::build(folder.path()) {
        Ok(library) => library,
        Err(reason) => return skipped(&reason),
    };
    let suite = Suite::new(folder, library).expect("a run without a fault");
    let only = std::env::var("TEST_FAULTS").unwrap_or_default();
    let cases: Vec<Case> = [
        recording::cases(),
        saving::cases(),
        resuming::cases(),
        folders::cases(),
        preferences::cases(),
        kills::cases(&suite),
    ]
    .into_iter()
    .flatten()
    .filter(|case| case.fault.contains(&only))
    .collect();
    let results = run_all(&suite, &cases);
    let (mut table, wrong) = report(&cases, &results);
    let seconds = began.elapsed().as_secs();
    let _ = writeln!(table, "{} cases in {seconds} s", cases.len());
    std::fs::write(TABLE, &table).expect("a file");
    let wrong: Vec<&String> =
        wrong.iter().filter(|line| only.is_empty() || !line.contains("no such case")).collect();
    assert!(wrong.is_empty(), "{table}\n{wrong:#?}");
}
