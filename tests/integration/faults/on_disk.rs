//! What a run has left on disk.

use super::check;
use nsmc_tui::core::model::{ModelConfig, folder};
use nsmc_tui::core::tokenizer::Tokenizer;
use nsmc_tui::core::train::{Checkpoint, checkpoint};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Values that differ between two equal runs.
const TIMES: [&str; 9] = [
    "elapsed",
    "seconds",
    "eval_runtime",
    "eval_samples_per_second",
    "eval_steps_per_second",
    "train_runtime",
    "train_samples_per_second",
    "train_steps_per_second",
    "total_flos",
];

/// The names in an output folder. Others are left over.
const NAMES: [&str; 16] = [
    ".nsmc-tui.lock",
    "README.md",
    "calibration.json",
    "config.json",
    "confusion_matrix.png",
    "confusion_matrix.svg",
    "events.jsonl",
    "loss_curves.png",
    "loss_curves.svg",
    "model.safetensors",
    "predictions",
    "run.toml",
    "runs",
    "tokenizer.json",
    "tokenizer_config.json",
    "trainer_state.json",
];

/// The output folder of a run.
pub struct Folder(pub PathBuf);

fn without_times(value: &mut Value) {
    match value {
        Value::Object(values) => {
            values.retain(|name, _| !TIMES.contains(&name.as_str()));
            values.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

impl Folder {
    /// The path of a file.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The saved weights.
    pub fn weights(&self) -> Vec<u8> {
        std::fs::read(self.join("model.safetensors")).unwrap_or_default()
    }

    /// The checkpoints, in their order.
    pub fn checkpoints(&self) -> Vec<PathBuf> {
        checkpoint::list(&self.0)
    }

    /// The journal's steps, epochs, evaluations and checkpoints, without times.
    ///
    /// # Errors
    /// If a line is torn.
    pub fn events(&self) -> Result<Vec<Value>, String> {
        let text = std::fs::read_to_string(self.join("events.jsonl")).unwrap_or_default();
        check(text.is_empty() || text.ends_with('\n'), || {
            "the journal's last line is torn".to_owned()
        })?;
        let mut events = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mut event: Value = serde_json::from_str(line)
                .map_err(|error| format!("events.jsonl:{}: {error}: {line}", number + 1))?;
            let kind = event["event"].as_str().unwrap_or_default();
            if ["step", "epoch", "evaluated", "checkpoint"].contains(&kind) {
                without_times(&mut event);
                events.push(event);
            }
        }
        Ok(events)
    }

    /// The numbers, from 1, of the events of a whole run that the journal lacks.
    ///
    /// # Errors
    /// If a line is torn, or the other events are not in their order.
    pub fn missing_events(&self, whole: &[Value]) -> Result<Vec<usize>, String> {
        let mut found = self.events()?.into_iter().peekable();
        let is_missing = |(number, event)| match found.next_if_eq(event) {
            Some(_) => None,
            None => Some(number + 1),
        };
        let missing = whole.iter().enumerate().filter_map(is_missing).collect();
        match found.next() {
            Some(event) => Err(format!("the journal repeats, or has out of order: {event}")),
            None => Ok(missing),
        }
    }

    /// The log history of the saved state, without times.
    ///
    /// # Errors
    /// If the file is missing or damaged.
    pub fn log_history(&self) -> Result<Value, String> {
        let file = self.join("trainer_state.json");
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let mut state: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut history = state["log_history"].take();
        without_times(&mut history);
        Ok(history)
    }

    /// The steps whose loss is in TensorBoard's event files.
    ///
    /// # Errors
    /// If a record is torn.
    pub fn losses(&self) -> Result<Vec<u64>, String> {
        let mut files = Vec::new();
        for run in entries(&self.join("runs")) {
            files.extend(entries(&run));
        }
        files.sort_unstable();
        let mut steps = Vec::new();
        for file in files {
            let bytes =
                std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            for event in records(&bytes).map_err(|error| format!("{}: {error}", file.display()))? {
                // A time of nine bytes, then the step.
                let is_loss = event.windows(10).any(|text| text == b"train/loss");
                if let (true, [_, _, _, _, _, _, _, _, _, 16, step, ..]) = (is_loss, event) {
                    steps.push(u64::from(*step));
                }
            }
        }
        Ok(steps)
    }

    /// Checks that nothing else than a run's files is in the folder.
    ///
    /// # Errors
    /// If there are others.
    pub fn expect_names(&self) -> Result<(), String> {
        let left: Vec<String> = entries(&self.0)
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .filter(|name| {
                let numbered = |prefix| name.strip_prefix(prefix).is_some_and(is_number);
                !(NAMES.contains(&name.as_str()) || numbered("checkpoint-") || numbered("earlier-"))
            })
            .collect();
        check(left.is_empty(), || format!("left over: {}", left.join(", ")))
    }

    /// Checks that all checkpoints load.
    ///
    /// # Errors
    /// If one does not.
    pub fn expect_checkpoints(&self, steps: &[u64]) -> Result<(), String> {
        let found = self.checkpoints();
        let numbers: Vec<u64> =
            found.iter().filter_map(|folder| checkpoint::step_of(folder)).collect();
        check(numbers == steps, || format!("checkpoints {numbers:?} instead of {steps:?}"))?;
        for folder in found {
            loads(&folder)?;
            Checkpoint::read(&folder).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The paths in a folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Checks that a folder contains a whole model.
pub fn loads(model: &Path) -> Result<(), String> {
    let config =
        ModelConfig::read(&model.join("config.json"), &[]).map_err(|error| error.to_string())?;
    Tokenizer::from_folder(model).map_err(|error| error.to_string())?;
    let (_, report) = folder::load(model, config, false, 1).map_err(|error| error.to_string())?;
    check(report.missing.is_empty() && report.unexpected.is_empty(), || {
        format!("{}: {report:?}", model.display())
    })
}

/// All files below a folder with their contents, except the lock.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for path in entries(folder) {
        if path.is_dir() {
            all.extend(contents(&path));
        } else if !path.ends_with(".nsmc-tui.lock") {
            all.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
        }
    }
    all
}

/// The records of an event file (`record_writer.h` of TensorFlow).
fn records(mut bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut found = Vec::new();
    let checksum = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8);
    while !bytes.is_empty() {
        let record = (|| {
            let (head, rest) = bytes.split_at_checked(12)?;
            let length = u64::from_le_bytes(head[..8].try_into().ok()?);
            let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            let (sum, rest) = rest.split_at_checked(4)?;
            let fits = checksum(&head[..8]).to_le_bytes() == head[8..]
                && checksum(data).to_le_bytes() == sum;
            fits.then_some((data, rest))
        })();
        let (data, rest) = record.ok_or(format!("a torn record after {}", found.len()))?;
        found.push(data);
        bytes = rest;
    }
    Ok(found)
}
