//! Faults of checkpoints, of the final model, its card and its pictures. A checkpoint that cannot be
//! written is left out; a final model that cannot be written leaves the older one.

use super::shim::{Action, Fault, Outcome, Place, train};
use super::{Case, Suite, Verdict, check, errors, is_retried, on_disk};
use rustix::io::Errno;

const CHECKPOINT_FILES: [(&str, &str); 5] = [
    ("tokenizer.json", "*/.unfinished-*/tokenizer.json"),
    ("trainer_state.json", "*/.unfinished-*/trainer_state.json"),
    ("config.json", "*/.unfinished-*/config.json"),
    ("nsmc_tui_state.json", "*/.unfinished-*/nsmc_tui_state.json"),
    // Safetensors are written under a name of that crate.
    ("model.safetensors", "*/.unfinished-*/.tmp*"),
];

const FINAL_FILES: [(&str, &str); 5] = [
    ("final model", "*/.unfinished-*/.tmp*"),
    ("final config.json", "*/.unfinished-*/config.json"),
    ("final tokenizer.json", "*/.unfinished-*/tokenizer.json"),
    ("model card", "*/.unfinished-*/README.md"),
    ("picture", "*/.unfinished-*/loss_curves.png"),
];

/// Flags of a run without checkpoints, so that only the final model is staged.
const ONLY_FINAL: [&str; 2] = ["--save-strategy", "no"];

pub fn cases() -> Vec<Case> {
    [checkpoint_cases(), final_cases(), picture_cases()].into_iter().flatten().collect()
}

fn checkpoint_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, fault: Fault| {
        cases.push(Case::new(name, move |suite| first_checkpoint(suite, fault)));
    };
    for (name, action) in errors() {
        let fault = Fault::once("write", "*/.unfinished-*/.tmp*", action);
        add(format!("checkpoint weights: {name} once"), fault);
    }
    for (file, path) in CHECKPOINT_FILES {
        let fault = Fault::once("write", path, Action::Error(Errno::NOSPC));
        add(format!("checkpoint {file}: ENOSPC once"), fault);
    }
    // The second file with this name is that of the optimizer.
    let optimizer = Fault::once("write", "*/.unfinished-*/.tmp*", Action::Error(Errno::IO));
    add("checkpoint optimizer.safetensors: EIO once".to_owned(), Fault { nth: 2, ..optimizer });
    let mfile = Fault::once("open", "*/.unfinished-*/*", Action::Error(Errno::MFILE));
    add("checkpoint: EMFILE once".to_owned(), mfile);
    let sync = Fault::once("fsync", "*/.unfinished-*/*", Action::Error(Errno::IO));
    add("checkpoint: EIO of a sync".to_owned(), sync);
    let folder = Fault::once("mkdir", "*/.unfinished-*", Action::Error(Errno::NOSPC));
    add("checkpoint: ENOSPC of its folder".to_owned(), folder);
    for (name, number) in [("EIO", Errno::IO), ("ENOSPC", Errno::NOSPC), ("EROFS", Errno::ROFS)] {
        let fault = Fault::once("rename", "* -> *checkpoint-2", Action::Error(number));
        add(format!("checkpoint: {name} of its rename"), fault);
    }
    cases.push(Case::new("checkpoints: ENOSPC from then on", |suite| {
        let path = "*/.unfinished-*/nsmc_tui_state.json";
        let fault = Fault { count: 0, ..Fault::once("write", path, Action::Error(Errno::NOSPC)) };
        let place = Place::new();
        let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
        outcome.expect(0)?;
        for step in [2, 4, 6] {
            checkpoint_told(&outcome, &fault, step)?;
        }
        suite.expect_model(&place.outputs())?;
        place.outputs().expect_checkpoints(&[])?;
        suite.next_start(&place)?;
        Ok(Verdict::new("went on; each reported; exit 0", "checkpoints 2, 4 and 6"))
    }));
    cases.push(Case::new("checkpoint: EIO of the removal of an old one", |suite| {
        let fault = Fault::once("unlink", "*.unfinished-*/folder/*", Action::Error(Errno::IO));
        let place = Place::new();
        let outcome = suite.run(&place, Some(&fault), &train(&[]))?;
        outcome.expect(0)?;
        suite.expect_model(&place.outputs())?;
        place.outputs().expect_checkpoints(&[4, 6])?;
        suite.next_start(&place)?;
        Ok(Verdict::new("went on; removed at the next start; exit 0", "nothing"))
    }));
    cases.push(Case::new("checkpoint: the warning names a remedy", |suite| {
        let path = "*/.unfinished-*/nsmc_tui_state.json";
        let fault = Fault::once("write", path, Action::Error(Errno::NOSPC));
        let outcome = suite.run(&Place::new(), Some(&fault), &train(&[]))?;
        let reported = outcome.reported("warning: ", &["checkpoint-2"]).concat();
        let remedy = reported.split("(os error 28)").nth(1).unwrap_or_default();
        check(remedy.contains("space"), || format!("no remedy: {reported}"))?;
        Ok(Verdict::new(format!("reported{remedy}"), "checkpoint 2"))
    }));
    cases
}

/// Checks that the loss of a checkpoint is reported once.
fn checkpoint_told(outcome: &Outcome, fault: &Fault, step: u64) -> Result<(), String> {
    let name = format!("outputs/checkpoint-{step}");
    let error = fault.error().unwrap_or_default();
    let lines = outcome.reported("warning: ", &["checkpoint"]);
    let named = outcome.reported("warning: ", &[&name, &error]);
    check(named.len() == 1, || format!("{name} is reported {} times: {lines:?}", named.len()))
}

/// A run whose first checkpoint cannot be written.
fn first_checkpoint(suite: &Suite, fault: Fault) -> Result<Verdict, String> {
    let place = Place::new();
    // Without a limit the first checkpoint is not removed.
    let outcome = suite.run(&place, Some(&fault), &train(&["--save-total-limit", "3"]))?;
    outcome.expect(0)?;
    let outputs = place.outputs();
    if is_retried(fault.action) {
        suite.expect_whole(&outputs)?;
        outputs.expect_checkpoints(&[2, 4, 6])?;
        check(outcome.reported("warning: ", &[]).is_empty(), || outcome.stderr.clone())?;
        return Ok(Verdict::new("went on; exit 0", "nothing"));
    }
    let warnings = outcome.reported("warning: ", &[]);
    check(warnings.len() == 1, || format!("{warnings:?}"))?;
    // Where no file's name is known yet, the folder is named.
    let error = fault.error().unwrap_or_default();
    let names = ["outputs/checkpoint-2", "outputs: "];
    let is_named = names.iter().any(|name| warnings[0].contains(name));
    check(is_named && warnings[0].contains(&error), || format!("{warnings:?}"))?;
    suite.expect_model(&outputs)?;
    outputs.expect_checkpoints(&[4, 6])?;
    let missing = outputs.missing_events(&suite.whole_events)?;
    let lost = suite.events(&missing);
    check(lost == "the event checkpoint 2", || format!("the journal lacks {lost}"))?;
    outputs.expect_names()?;
    suite.run_again(&place)?;
    suite.expect_model(&outputs)?;
    Ok(Verdict::new("went on; reported; exit 0", "checkpoint 2"))
}

fn final_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, fault: Fault| {
        cases.push(Case::new(name, move |suite| final_model(suite, fault)));
    };
    for (name, action) in errors() {
        let fault = Fault::once("write", "*/.unfinished-*/.tmp*", action);
        add(format!("final weights: {name} once"), fault);
    }
    for (file, path) in FINAL_FILES {
        let fault = Fault::once("write", path, Action::Error(Errno::NOSPC));
        add(format!("{file}: ENOSPC once"), Fault { count: 0, ..fault });
    }
    let mfile = Fault::once("open", "*/.unfinished-*/config.json", Action::Error(Errno::MFILE));
    add("final model: EMFILE once".to_owned(), mfile);
    let sync = Fault::once("fsync", "*/.unfinished-*/model.safetensors", Action::Error(Errno::IO));
    add("final model: EIO of its sync".to_owned(), sync);
    let mkdir = Fault::once("mkdir", "*/.unfinished-*", Action::Error(Errno::ROFS));
    add("final model: EROFS of its folder".to_owned(), mkdir);
    for file in ["config.json", "model.safetensors", "tokenizer.json", "README.md"] {
        for (name, number) in [("EIO", Errno::IO), ("EROFS", Errno::ROFS)] {
            let path: &'static str = match file {
                "config.json" => "* -> *outputs/config.json",
                "model.safetensors" => "* -> *outputs/model.safetensors",
                "tokenizer.json" => "* -> *outputs/tokenizer.json",
                _ => "* -> *outputs/README.md",
            };
            let fault = Fault::once("rename", path, Action::Error(number));
            add(format!("final {file}: {name} of its rename"), fault);
        }
    }
    for (name, number, word) in [
        ("ENOSPC", Errno::NOSPC, "space"),
        ("EROFS", Errno::ROFS, "--output-dir"),
        ("EMFILE", Errno::MFILE, "ulimit"),
    ] {
        cases.push(Case::new(format!("final model: the remedy fits {name}"), move |suite| {
            let path = "*/.unfinished-*/config.json";
            let fault = Fault::once("open", path, Action::Error(number));
            let outcome = suite.run(&Place::new(), Some(&fault), &train(&ONLY_FINAL))?;
            outcome.expect(1)?;
            let mut lines = outcome.stderr.lines().skip_while(|line| !line.starts_with("error: "));
            let error = lines.next().unwrap_or_default();
            let hint = lines.next().unwrap_or_default().to_owned();
            let rest = error.split("(os error").nth(1).unwrap_or_default().to_owned() + &hint;
            check(rest.contains(word), || format!("{error}\n{hint}"))?;
            let is_only_space = rest.contains("disk space") && number != Errno::NOSPC;
            check(!is_only_space, || format!("{error}\n{hint}"))?;
            Ok(Verdict::new(
                "reported with its remedy; exit 1",
                "the model of a run without checkpoints",
            ))
        }));
    }
    cases
}

/// A run into the folder of an older one whose final model cannot be written.
fn final_model(suite: &Suite, fault: Fault) -> Result<Verdict, String> {
    let place = Place::after(&suite.older.outputs().0);
    let outcome = suite.run(&place, Some(&fault), &train(&ONLY_FINAL))?;
    let outputs = place.outputs();
    if is_retried(fault.action) {
        outcome.expect(0)?;
        suite.expect_model(&outputs)?;
        outputs.expect_names()?;
        return Ok(Verdict::new("went on; exit 0", "nothing"));
    }
    // A picture alone need not fail the rest.
    if fault.path.contains("loss_curves") && outcome.code == 0 {
        let reported = outcome.reported("warning: ", &["loss_curves.png"]);
        check(reported.len() == 1, || {
            format!("reported {} times: {}", reported.len(), outcome.stderr)
        })?;
        suite.expect_model(&outputs)?;
        suite.next_start(&place)?;
        return Ok(Verdict::new("went on; reported; exit 0", "the picture"));
    }
    outcome.expect(1)?;
    let error = fault.error().unwrap_or_default();
    let start = "error: the model could not be saved: outputs";
    let lines = outcome.reported("error: ", &[]);
    check(lines.len() == 1 && lines[0].starts_with(start) && lines[0].contains(&error), || {
        format!("{lines:?}")
    })?;
    suite.expect_older(&outputs)?;
    outputs.expect_names()?;
    check(outputs.losses()?.len() >= 6, || "TensorBoard lacks losses".to_owned())?;
    suite.next_start(&place)?;
    Ok(Verdict::new("reported; the older model stays; exit 1", "the new model"))
}

fn picture_cases() -> Vec<Case> {
    let figures = |name: &str, calls: &'static str, path: &'static str, number: Errno| {
        Case::new(format!("nsmc-tui figures: {name}"), move |suite| {
            let fault = Fault::once(calls, path, Action::Error(number));
            let place = Place::after(&suite.whole.outputs().0);
            let before = on_disk::contents(&place.outputs().0);
            let outcome = suite.run(&place, Some(&fault), &["figures", "outputs"])?;
            outcome.expect(1)?;
            let error = fault.error().unwrap_or_default();
            let lines = outcome.reported("error: outputs/", &[&error]);
            check(lines.len() == 1, || outcome.stderr.clone())?;
            let after = on_disk::contents(&place.outputs().0);
            check(before.keys().eq(after.keys()), || {
                format!("left over or gone: {:?}", after.keys())
            })?;
            Ok(Verdict::new("reported; exit 1", "nothing: the older pictures stay"))
        })
    };
    vec![
        figures("ENOSPC", "write", "*outputs/.unfinished-*", Errno::NOSPC),
        figures("EROFS", "open", "*outputs/.unfinished-*", Errno::ROFS),
        figures("EIO of a rename", "rename", "* -> *outputs/loss_curves.svg", Errno::IO),
    ]
}
