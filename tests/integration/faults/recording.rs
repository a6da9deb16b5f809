//! Faults of the files that a run writes while it trains: the journal, TensorBoard's event files,
//! `run.toml`. The run continues, reports the beginning and the end of the fault once each, and writes what is
//! missing when it can.

use super::shim::{Action, Fault, Outcome, Place, train};
use super::{Case, Suite, Verdict, check, errors, is_retried};
use rustix::io::Errno;

/// The journal's writes.
const JOURNAL: &str = "*outputs/events.jsonl";
/// The event file's writes.
const TENSORBOARD: &str = "*outputs/runs/*/events.out.tfevents.*";
/// How `run.toml` begins.
const RUN_TOML: &str = "# The arguments of this run";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, path) in [("journal", JOURNAL), ("TensorBoard", TENSORBOARD)] {
        for (name, action) in errors() {
            // The first is at a step, the second at an evaluation.
            let fault = Fault { nth: 4, ..Fault::once("write", path, action) };
            cases.push(Case::new(format!("{file}: {name} once"), move |suite| {
                recorded(suite, fault, file)
            }));
        }
        for (name, action) in errors().into_iter().filter(|(_, action)| !is_retried(*action)) {
            let fault = Fault { nth: 4, count: 0, ..Fault::once("write", path, action) };
            cases.push(Case::new(format!("{file}: {name} from then on"), move |suite| {
                recorded(suite, fault, file)
            }));
        }
        let fault = Fault { nth: 3, count: 4, ..Fault::once("write", path, errors()[0].1) };
        cases.push(Case::new(format!("{file}: ENOSPC four times"), move |suite| {
            recorded(suite, fault, file)
        }));
        let fault = Fault::once("open", path, Action::Error(Errno::MFILE));
        cases.push(Case::new(format!("{file}: EMFILE at the start"), move |suite| {
            recorded(suite, fault, file)
        }));
    }
    cases.push(Case::new("journal: EIO of a sync", |suite| {
        let fault = Fault::once("fsync", JOURNAL, Action::Error(Errno::IO));
        recorded(suite, fault, "journal")
    }));
    cases.push(Case::new("journal: EIO of each sync", |suite| {
        let once = Fault::once("fsync", JOURNAL, Action::Error(Errno::IO));
        recorded(suite, Fault { count: 0, ..once }, "journal")
    }));
    for (name, action) in errors() {
        let fault = Fault { data: RUN_TOML, ..Fault::once("write", "*outputs/*", action) };
        cases.push(Case::new(format!("run.toml: {name} once"), move |suite| {
            arguments_written(suite, fault)
        }));
    }
    for (name, number) in [("EROFS", Errno::ROFS), ("EIO", Errno::IO)] {
        let fault = Fault::once("rename", "* -> *run.toml", Action::Error(number));
        cases.push(Case::new(format!("run.toml: {name} of its rename"), move |suite| {
            arguments_written(suite, fault)
        }));
    }
    let always = Fault {
        data: RUN_TOML,
        count: 0,
        ..Fault::once("write", "*outputs/*", Action::Error(Errno::NOSPC))
    };
    cases.push(Case::new("run.toml: ENOSPC from then on", move |suite| {
        arguments_written(suite, always)
    }));
    cases
}

/// Checks that a fault is reported once, with the file and the system's reason, and its end once. A
/// fault that was overcome at once need not be reported. Returns the outcome's text.
fn reported(outcome: &Outcome, fault: &Fault, file: &str, ended: bool) -> Result<String, String> {
    let lines = outcome.reported("warning: ", &[file]);
    let Some(error) = fault.error().filter(|_| !is_retried(fault.action)) else {
        check(lines.is_empty(), || format!("reported without a need: {lines:?}"))?;
        return Ok("went on".to_owned());
    };
    let reasons = lines.iter().filter(|line| line.contains(&error)).count();
    match (lines.len(), reasons, ended) {
        (0, 0, true) => Ok("went on".to_owned()),
        (2, 1, true) => {
            check(lines[0].contains(&error), || format!("the end is reported first: {lines:?}"))?;
            Ok("went on; reported, and its end reported".to_owned())
        }
        (1, 1, false) => Ok("went on; reported".to_owned()),
        // A fault that lasts may be reported once more at the end of the run.
        (2, 1, false) if lines[1].contains("not complete") => {
            Ok("went on; reported, and at the end".to_owned())
        }
        _ => Err(format!("reported {} times ({reasons} with the reason): {lines:?}", lines.len())),
    }
}

/// A run whose journal or event file cannot be written.
fn recorded(suite: &Suite, fault: Fault, file: &str) -> Result<Verdict, String> {
    let place = Place::new();
    let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
    outcome.expect(0)?;
    let outputs = place.outputs();
    suite.expect_model(&outputs)?;
    outputs.expect_checkpoints(&[4, 6])?;
    let missing = outputs.missing_events(&suite.whole_events)?;
    let losses = outputs.losses()?;
    check(losses.windows(2).all(|pair| pair[0] < pair[1]), || {
        format!("TensorBoard repeats a loss: {losses:?}")
    })?;
    let is_journal = file == "journal";
    let ended = fault.count != 0;
    let lost = if is_journal {
        check(losses.len() == 6, || format!("TensorBoard has the losses {losses:?}"))?;
        check(!ended || missing.is_empty(), || {
            format!("the journal lacks {}", suite.events(&missing))
        })?;
        suite.events(&missing)
    } else {
        check(missing.is_empty(), || format!("the journal lacks {}", suite.events(&missing)))?;
        check(!ended || losses.len() == 6, || format!("TensorBoard has the losses {losses:?}"))?;
        match losses.last() {
            Some(6) => "nothing".to_owned(),
            last => format!("the losses after step {}", last.unwrap_or(&0)),
        }
    };
    let named = if is_journal { "events.jsonl" } else { "outputs/runs" };
    let outcome = reported(&outcome, &fault, named, ended)?;
    suite.next_start(&place)?;
    Ok(Verdict::new(format!("{outcome}; exit 0"), lost))
}

/// A run whose `run.toml` cannot be written at first.
fn arguments_written(suite: &Suite, fault: Fault) -> Result<Verdict, String> {
    let place = Place::new();
    let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
    outcome.expect(0)?;
    let outputs = place.outputs();
    suite.expect_whole(&outputs)?;
    let read = |folder: &super::Folder| std::fs::read(folder.join("run.toml")).unwrap_or_default();
    let written = read(&outputs);
    let ended = fault.count != 0;
    check(!ended || written == read(&suite.whole.outputs()), || {
        "run.toml is missing or not whole at the end".to_owned()
    })?;
    check(ended || written.is_empty(), || "run.toml was written all the same".to_owned())?;
    let outcome = reported(&outcome, &fault, "outputs/run.toml", ended)?;
    suite.next_start(&place)?;
    let lost = if ended { "nothing" } else { "run.toml" };
    Ok(Verdict::new(format!("{outcome}; exit 0"), lost))
}
