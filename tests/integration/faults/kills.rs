//! Kills at system calls over the whole life of a run. A run that is killed and resumed ends like one
//! that was never interrupted, bit for bit.

use super::on_disk::loads;
use super::shim::{Action, Call, Fault, Place, train};
use super::{Case, ENOUGH, Suite, Verdict, check};
use nsmc_tui::core::data::sampling::Generator;
use rustix::io::Errno;

/// All calls that change a file, and some around them.
const CALLS: &str = "write,open,fsync,rename,unlink,mkdir,ftruncate";

/// The points of each part that are tried even if the suite is late.
const LEAST_POINTS: usize = 2;

/// The seed of the points that are tested.
const SEED: u64 = 20_261_129;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Preparing,
    BetweenSteps,
    Checkpoint,
    BeforeTheCheckpointsLine,
    Saving,
}

impl Phase {
    const ALL: [(Self, &'static str, usize); 5] = [
        (Self::Preparing, "while the run is prepared", 6),
        (Self::BetweenSteps, "between steps", 8),
        (Self::Checkpoint, "while a checkpoint is written", 14),
        (Self::BeforeTheCheckpointsLine, "between a checkpoint's rename and its line", 8),
        (Self::Saving, "while the final model is saved", 10),
    ];
}

/// The part of the run that each call belongs to.
fn phases(calls: &[Call]) -> Vec<Phase> {
    let mut phase = Phase::Preparing;
    let mut phases = Vec::new();
    let last = calls.iter().rposition(is_checkpoint).unwrap_or(0);
    for (number, call) in calls.iter().enumerate() {
        let is_journal = call.name == "write" && call.path.ends_with("outputs/events.jsonl");
        let is_staging = call.name == "mkdir" && call.path.contains("/.unfinished-");
        phase = match phase {
            Phase::Preparing if is_journal => Phase::BetweenSteps,
            Phase::BetweenSteps if is_staging && number > last => Phase::Saving,
            Phase::BetweenSteps if is_staging => Phase::Checkpoint,
            other => other,
        };
        phases.push(phase);
        // A kill comes before its call.
        phase = match phase {
            Phase::Checkpoint if is_checkpoint(call) => Phase::BeforeTheCheckpointsLine,
            Phase::BeforeTheCheckpointsLine if is_journal => Phase::BetweenSteps,
            other => other,
        };
    }
    phases
}

fn is_checkpoint(call: &Call) -> bool {
    let target = call.path.split(" -> ").nth(1).unwrap_or_default();
    call.name == "rename" && target.contains("checkpoint-")
}

pub fn cases(suite: &Suite) -> Vec<Case> {
    let count = Fault::once(CALLS, "*outputs*", Action::Count);
    let place = Place::new();
    let whole = suite.run(&place, Some(&count), &train(&[]));
    let calls = whole.map_or(Vec::new(), |whole| whole.calls);
    let phases = phases(&calls);
    let mut random = Generator::new(SEED);
    // The longest cases come first.
    let mut cases = vec![
        Case::new("kill while an older model is replaced", |suite| replaced(suite, Action::Kill)),
        Case::new("EIO while an older model is replaced", |suite| {
            replaced(suite, Action::Error(Errno::IO))
        }),
    ];
    for (phase, name, samples) in Phase::ALL {
        let mut points: Vec<(usize, bool)> = calls
            .iter()
            .zip(&phases)
            .filter(|(_, other)| **other == phase)
            .map(|(call, _)| (call.number, call.name == "write"))
            .collect();
        let all = points.len();
        while points.len() > samples {
            points.remove(random.next_u32() as usize % points.len());
        }
        cases.push(Case::new(format!("kill {name}"), move |suite| killed(suite, &points, all)));
    }
    cases
}

/// Kills a run at each of these calls and resumes it. Every second write is torn.
fn killed(suite: &Suite, points: &[(usize, bool)], all: usize) -> Result<Verdict, String> {
    check(!points.is_empty(), || "no call belongs to this part".to_owned())?;
    let mut done = 0;
    for &(number, is_write) in points {
        if done >= LEAST_POINTS && suite.began.elapsed() > ENOUGH {
            break;
        }
        let action = if is_write && number % 2 == 0 { Action::Tear } else { Action::Kill };
        let fault = Fault { nth: number, ..Fault::once(CALLS, "*outputs*", action) };
        let place = Place::new();
        let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
        let last = outcome.calls.last().map_or_else(String::new, |call| {
            format!("killed at call {number} ({} {})", call.name, call.path)
        });
        check(outcome.code == -9, || format!("{last}: exit code {}", outcome.code))?;
        let outputs = place.outputs();
        for checkpoint in outputs.checkpoints() {
            loads(&checkpoint).map_err(|error| format!("{last}: {error}"))?;
        }
        suite
            .run_again(&place)
            .and_then(|()| suite.expect_whole(&outputs))
            .map_err(|error| format!("{last}, then resumed: {error}"))?;
        done += 1;
    }
    let outcome = format!("{done} of {all} points: ends bit for bit like a run without a kill");
    Ok(Verdict::new(outcome, "nothing"))
}

/// Kills a run, or fails it, at each call that changes names while it replaces an older model of
/// another shape: a mixture of both does not load.
fn replaced(suite: &Suite, action: Action) -> Result<Verdict, String> {
    let flags = train(&["--save-strategy", "no", "--report-to", "none"]);
    let calls = "rename,unlink,mkdir";
    let count = Fault::once(calls, "*outputs*", Action::Count);
    let place = Place::after(&suite.older.outputs().0);
    let names = suite.run(&place, Some(&count), &flags)?.calls;
    let first = names
        .iter()
        .position(|call| call.name == "rename" && call.path.contains("/.tmp"))
        .ok_or("no weights were written")?;
    let is_kill = matches!(action, Action::Kill);
    let (mut older, mut new) = (0, 0);
    let mut wrong = Vec::new();
    let points = &names[first..];
    for (done, index) in Generator::new(SEED).permutation(points.len()).into_iter().enumerate() {
        if done >= LEAST_POINTS && suite.began.elapsed() > ENOUGH {
            break;
        }
        let call = &points[index];
        let fault = Fault { nth: call.number, ..Fault::once(calls, "*outputs*", action) };
        let place = Place::after(&suite.older.outputs().0);
        let outcome = suite.run(&place, Some(&fault), &flags)?;
        let outputs = place.outputs();
        let is_new = outputs.weights() == suite.whole_weights;
        let checked = loads(&outputs.0).and_then(|()| {
            // Once the model is published, a name that cannot be removed does not matter.
            let code = if is_kill { -9 } else { i32::from(!is_new) };
            check(outcome.code == code, || {
                format!("exit code {}, new model: {is_new}", outcome.code)
            })?;
            if is_new { suite.expect_model(&outputs) } else { suite.expect_older(&outputs) }?;
            // A start after a kill removes what was left.
            if call.number % 3 == 0 { suite.next_start(&place) } else { Ok(()) }
        });
        match checked {
            Err(error) => wrong.push(format!("{} {}: {error}", call.name, call.path)),
            Ok(()) if is_new => new += 1,
            Ok(()) => older += 1,
        }
    }
    let done = older + new + wrong.len();
    check(wrong.is_empty() && done > 0, || {
        let (count, first) = (wrong.len(), wrong.iter().take(3).cloned().collect::<Vec<_>>());
        format!("{count} of {done} points: {}", first.join("; "))
    })?;
    let all = names.len() - first;
    let outcome = format!("{done} of {all} points: older model {older} times, new one {new}");
    Ok(Verdict::new(outcome, "the new model, if the older one is there"))
}
