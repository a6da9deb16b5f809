//! Damaged files before a run is resumed. What is damaged is refused before anything is changed, by
//! name and with a remedy.

use super::on_disk::contents;
use super::shim::Place;
use super::{Case, Suite, Verdict, check};
use std::path::Path;

/// A way to damage a file.
#[derive(Clone, Copy)]
enum Damage {
    Cut,
    Flip,
    Zeros,
    Empty,
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Cut => bytes.truncate(bytes.len() / 2),
            // In the values of a tensor, not in the names before them.
            Self::Flip => {
                let at = bytes.len() - 5000;
                bytes[at] ^= 1;
            }
            Self::Zeros => bytes.fill(0),
            Self::Empty => bytes.clear(),
        }
    }
}

pub fn cases() -> Vec<Case> {
    let damages: [(&str, &str, Damage); 10] = [
        ("optimizer.safetensors", "cut in half", Damage::Cut),
        ("optimizer.safetensors", "one bit flipped", Damage::Flip),
        ("model.safetensors", "cut in half", Damage::Cut),
        ("model.safetensors", "one bit flipped", Damage::Flip),
        ("trainer_state.json", "cut in half", Damage::Cut),
        ("trainer_state.json", "zeros", Damage::Zeros),
        ("nsmc_tui_state.json", "cut in half", Damage::Cut),
        ("nsmc_tui_state.json", "empty", Damage::Empty),
        ("config.json", "cut in half", Damage::Cut),
        ("tokenizer.json", "zeros", Damage::Zeros),
    ];
    let mut cases: Vec<Case> = damages
        .into_iter()
        .map(|(name, how, damage)| {
            Case::new(format!("resume: {name} {how}"), move |suite| refused(suite, name, damage))
        })
        .collect();
    cases.push(Case::new("resume: journal cut in the middle of a line", |suite| {
        let place = Place::after(&suite.whole.outputs().0);
        damage_file(&place.outputs().join("events.jsonl"), |bytes| {
            bytes.truncate(bytes.len() - 40);
        });
        let arguments = ["train", "--plain", "--resume-from-checkpoint", "outputs/checkpoint-4"];
        suite.run(&place, None, &arguments)?.expect_code(0)?;
        suite.expect_model(&place.outputs())?;
        let missing = place.outputs().missing_events(&suite.whole_events)?;
        check(missing.is_empty(), || format!("the journal lacks {}", suite.events(&missing)))?;
        Ok(Verdict::new("resumed; exit 0", "nothing"))
    }));
    cases.push(Case::new("resume: zeros in the middle of the journal", |suite| {
        let place = Place::after(&suite.whole.outputs().0);
        damage_file(&place.outputs().join("events.jsonl"), |bytes| {
            let lines: Vec<usize> =
                (0..bytes.len()).filter(|&at| bytes[at] == b'\n').take(4).collect();
            bytes[lines[2] + 1..lines[3]].fill(0);
        });
        let arguments = ["train", "--plain", "--resume-from-checkpoint", "outputs/checkpoint-4"];
        let outcome = suite.run(&place, None, &arguments)?;
        outcome.expect_code(0)?;
        suite.expect_model(&place.outputs())?;
        let missing = place.outputs().missing_events(&suite.whole_events)?;
        let is_told = (outcome.stdout.clone() + &outcome.stderr).contains("events.jsonl");
        check(missing.is_empty() || is_told, || {
            format!("not reported: the journal lacks {}", suite.events(&missing))
        })?;
        Ok(Verdict::new("resumed; reported; exit 0", suite.events(&missing)))
    }));
    cases.push(Case::new("resume: a finished run", |suite| {
        let place = Place::after(&suite.whole.outputs().0);
        let arguments = ["train", "--plain", "--resume-from-checkpoint"];
        suite.run(&place, None, &arguments)?.expect_code(0)?;
        suite.expect_model(&place.outputs())?;
        let text = std::fs::read_to_string(place.outputs().join("events.jsonl"));
        let ends = text.unwrap_or_default().matches("\"event\":\"finished\"").count();
        check(ends == 1, || format!("the journal has {ends} ends"))?;
        let missing = place.outputs().missing_events(&suite.whole_events)?;
        check(missing.is_empty(), || format!("the journal lacks {}", suite.events(&missing)))?;
        Ok(Verdict::new("finished again; exit 0", "nothing"))
    }));
    cases
}

fn damage_file(file: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).expect("a file");
    damage(&mut bytes);
    std::fs::write(file, bytes).expect("a file");
}

/// A resumption from a checkpoint that is not the last one, with a damaged file in it.
fn refused(suite: &Suite, name: &str, damage: Damage) -> Result<Verdict, String> {
    let place = Place::after(&suite.whole.outputs().0);
    let outputs = place.outputs();
    damage_file(&outputs.join("checkpoint-4").join(name), |bytes| damage.apply(bytes));
    let before = contents(&outputs.0);
    let arguments = ["train", "--plain", "--resume-from-checkpoint", "outputs/checkpoint-4"];
    let outcome = suite.run(&place, None, &arguments)?;
    let changed = contents(&outputs.0) != before;
    outcome.expect_code(1)?;
    check(!changed, || format!("files were changed before this: {}", outcome.stderr))?;
    let lines = outcome.reported("error: ", &["outputs/checkpoint-4", name]);
    check(lines.len() == 1, || format!("reported {} times: {}", lines.len(), outcome.stderr))?;
    let is_remedied = outcome.stderr.contains("another checkpoint")
        || outcome.stderr.contains("earlier checkpoint")
        || outcome.stderr.contains("checkpoint before it")
        || outcome.stderr.contains("--resume-from-checkpoint");
    check(is_remedied, || format!("no remedy: {}", lines[0]))?;
    // Nothing is lost: the other checkpoint still works.
    suite.run(&place, None, &["train", "--plain", "--resume-from-checkpoint"])?.expect_code(0)?;
    suite.expect_model(&outputs)?;
    Ok(Verdict::new("refused; reported; nothing changed; exit 1", "nothing"))
}
