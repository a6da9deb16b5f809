//! Output folders that vanish, fill up or limit the size of files.

use super::on_disk::{Folder, loads};
use super::shim::{Action, Fault, Place, train};
use super::{Case, Suite, Verdict, check};
use crate::support::program;
use std::process::Command;

/// The journal's fifth line.
fn stop() -> Fault {
    Fault { nth: 5, ..Fault::once("write", "*outputs/events.jsonl", Action::Stop) }
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("folder renamed during the run", |suite| {
            vanished(suite, |place| {
                std::fs::rename(place.outputs().0, place.work().join("moved")).expect("a rename");
            })
        }),
        Case::new("folder removed during the run", |suite| {
            vanished(suite, |place| std::fs::remove_dir_all(place.outputs().0).expect("a removal"))
        }),
        Case::new("journal removed during the run", |suite| {
            vanished(suite, |place| {
                std::fs::remove_file(place.outputs().join("events.jsonl")).expect("a removal");
            })
        }),
        Case::new("folder not writable from the start", |suite| {
            let fault = Fault {
                count: 0,
                ..Fault::once("open,mkdir", "*outputs*", Action::Error(rustix::io::Errno::ROFS))
            };
            let place = Place::new();
            let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
            outcome.expect(1)?;
            let lines = outcome.reported("error: outputs: ", &["--output-dir", "Read-only"]);
            check(lines.len() == 1, || format!("{} times: {}", lines.len(), outcome.stderr))?;
            check(outcome.stdout.is_empty(), || "the run began".to_owned())?;
            Ok(Verdict::new("refused before the data is read; reported; exit 1", "nothing"))
        }),
    ];
    if has("prlimit", &["--version"]) {
        cases.push(Case::new(
            "file size limit (SIGXFSZ): only the optimizer is too large",
            |suite| {
                let (outcome, place) = limited(suite, "1200000")?;
                outcome.expect_code(0)?;
                let reason = ["optimizer.safetensors", "File too large"];
                let lines = outcome.reported("warning: ", &reason);
                check(lines.len() == 3, || format!("{} times: {}", lines.len(), outcome.stderr))?;
                suite.expect_model(&place.outputs())?;
                place.outputs().expect_names()?;
                Ok(Verdict::new("went on; each reported; exit 0", "checkpoints 2, 4 and 6"))
            },
        ));
        cases.push(Case::new("file size limit (SIGXFSZ): the model is too large", |suite| {
            let (outcome, place) = limited(suite, "500000")?;
            outcome.expect_code(1)?;
            let reason = ["the model could not be saved", "model.safetensors", "File too large"];
            let lines = outcome.reported("error: ", &reason);
            check(lines.len() == 1, || format!("{} times: {}", lines.len(), outcome.stderr))?;
            let missing = place.outputs().missing_events(&suite.whole_events)?;
            check(suite.events(&missing).starts_with("3 events, checkpoint"), || {
                format!("the journal lacks {}", suite.events(&missing))
            })?;
            suite.next_start(&place)?;
            Ok(Verdict::new("reported; exit 1", "checkpoints and model"))
        }));
    }
    let can_mount = ["-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"];
    if has("unshare", &can_mount) {
        cases.push(Case::new("disk full during the second checkpoint (tmpfs)", |suite| {
            let (outcome, kept) = full_disk(suite, "4m")?;
            outcome.expect_code(0)?;
            let lines = outcome.reported("warning: ", &["checkpoint", "No space left"]);
            check(lines.len() == 2, || format!("{} times: {}", lines.len(), outcome.stderr))?;
            let outputs = Folder(kept.file("kept"));
            suite.expect_model(&outputs)?;
            outputs.expect_checkpoints(&[2])?;
            outputs.expect_names()?;
            resumed(suite, &kept)?;
            Ok(Verdict::new(
                "went on; each reported; exit 0; resumed elsewhere",
                "checkpoints 4 and 6",
            ))
        }));
        cases.push(Case::new("disk full during the final save (tmpfs)", |suite| {
            let (outcome, kept) = full_disk(suite, "3m")?;
            outcome.expect_code(1)?;
            let lines = outcome.reported("error: the model could not be saved", &["No space left"]);
            check(lines.len() == 1, || format!("{} times: {}", lines.len(), outcome.stderr))?;
            check(outcome.stderr.contains("checkpoint-2"), || {
                format!("the checkpoint is not named: {}", outcome.stderr)
            })?;
            let outputs = Folder(kept.file("kept"));
            outputs.expect_checkpoints(&[2])?;
            outputs.expect_names()?;
            resumed(suite, &kept)?;
            Ok(Verdict::new(
                "reported; exit 1; resumed elsewhere",
                "the model; checkpoints 4 and 6",
            ))
        }));
    }
    cases
}

/// Whether a command works here.
fn has(name: &str, arguments: &[&str]) -> bool {
    Command::new(name).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// A run during which something is done to its folder.
fn vanished(suite: &Suite, change: impl Fn(&Place)) -> Result<Verdict, String> {
    let place = Place::new();
    let program = program().display().to_string();
    let command = [&[program.as_str()], &train(&[])[..]].concat();
    let mut running = suite.start(&place, Some(&stop()), &command, None);
    running.wait_for_stop()?;
    change(&place);
    running.resume();
    let outcome = running.end()?;
    check(matches!(outcome.code, 0 | 1), || format!("exit code {}", outcome.code))?;
    let words = ["removed", "renamed", "moved", "gone", "no longer", "vanished", "deleted"];
    let lines: Vec<&str> = outcome
        .reported("", &["outputs"])
        .into_iter()
        .filter(|line| line.starts_with("warning: ") || line.starts_with("error: "))
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .collect();
    check(lines.len() == 1, || format!("reported {} times: {}", lines.len(), outcome.stderr))?;
    // The model is where it is said to be.
    let saved = outcome.stdout.lines().find_map(|line| {
        line.strip_prefix("saved ")?.strip_suffix(" at step 6").map(str::to_owned)
    });
    let lost = match &saved {
        Some(folder) => {
            suite.expect_model(&Folder(place.work().join(folder)))?;
            "nothing of the model"
        }
        None => "the model",
    };
    check(saved.is_some() == (outcome.code == 0), || outcome.stderr.clone())?;
    let mut lost = lost.to_owned();
    for name in ["outputs", "moved"] {
        let folder = Folder(place.work().join(name));
        for checkpoint in folder.checkpoints() {
            loads(&checkpoint)?;
        }
        if folder.join("events.jsonl").is_file() {
            let missing = folder.missing_events(&suite.whole_events)?;
            lost = format!("{lost}; of the journal in {name} {}", suite.events(&missing));
        }
    }
    suite.next_start(&place)?;
    Ok(Verdict::new(format!("went on; reported; exit {}", outcome.code), lost))
}

/// A run that may write files of this many bytes only.
fn limited(suite: &Suite, bytes: &str) -> Result<(super::shim::Outcome, Place), String> {
    let place = Place::new();
    let limit = format!("--fsize={bytes}");
    let program = program().display().to_string();
    let command = [&["prlimit", &limit, &program], &train(&[])[..]].concat();
    let outcome = suite.start(&place, None, &command, None).end()?;
    Ok((outcome, place))
}

/// A run whose output folder is a disk of this size. What is on it is copied to `kept`.
fn full_disk(suite: &Suite, size: &str) -> Result<(super::shim::Outcome, Place), String> {
    let place = Place::new();
    // The mount is in a namespace that ends with the shell.
    let script = "mkdir outputs && mount -t tmpfs -o size=$1 tmpfs outputs || exit 99\n\
                  kept=$2; shift 2\n\"$@\"\ncode=$?\ncp -a outputs \"$kept\" || exit 98\nexit $code";
    let kept = place.file("kept").display().to_string();
    let program = program().display().to_string();
    let shell = ["unshare", "-m", "sh", "-c", script, "sh", size, &kept, &program];
    let command = [&shell, &train(&[])[..]].concat();
    let outcome = suite.start(&place, None, &command, None).end()?;
    Ok((outcome, place))
}

/// Resumes the run whose folder was copied to `kept`, into another folder.
fn resumed(suite: &Suite, kept: &Place) -> Result<(), String> {
    let place = Place::new();
    let from = kept.file("kept").display().to_string();
    let arguments =
        ["train", "--plain", "--resume-from-checkpoint", &from, "--output-dir", "outputs"];
    suite.run(&place, None, &arguments)?.expect_code(0)?;
    suite.expect_model(&place.outputs())
}
