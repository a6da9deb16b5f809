//! A run of a sweep, and what its folder says about it.

use super::metric::SweepMetric;
use crate::core::text::sanitize_for_terminal;
use crate::run::is_locked;
use crate::run::run_index::{RunReader, RunStatus};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What a trial prints, in its folder.
pub(super) const OUTPUT: &str = "output.log";

/// The most bytes of the end of a trial's output that are searched for an error.
const MAX_OUTPUT: u64 = 1 << 14;

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The name of its folder in that of the sweep.
    pub name: String,
    /// Its configuration, counted from 0.
    pub configuration: usize,
    /// Its seed, if the sweep varies seeds.
    pub seed: Option<String>,
    /// Its rung of successive halving, counted from 0; 0 for other searches.
    pub rung: usize,
}

/// The state of a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialState {
    /// It is to be started or resumed; `step` steps are done.
    Waiting {
        /// Steps done.
        step: u64,
    },
    /// A process is training it.
    Running {
        /// Steps done.
        step: u64,
        /// The steps of the whole run; 0 before it has begun.
        max_steps: u64,
    },
    /// It is finished, with this value of the metric.
    Finished(f64),
    /// It failed, with this error.
    Failed(String),
}

impl TrialState {
    /// Whether nothing of the trial is left to do.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Failed(_))
    }

    /// Whether a process is training it.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// The value of the metric at the end.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Finished(value) => Some(*value),
            _ => None,
        }
    }

    /// Reads the state of the trial in a folder.
    pub(super) fn read(reader: &mut RunReader, folder: &Path, metric: SweepMetric) -> Self {
        let Some(entry) = reader.read() else {
            // A run locks its folder before it writes its journal.
            return if is_locked(folder) {
                Self::Running { step: 0, max_steps: 0 }
            } else {
                Self::Waiting { step: 0 }
            };
        };
        let is_in_use = entry.is_in_use();
        match entry.summary {
            Ok(run) => match run.status {
                RunStatus::Finished => match metric.at_the_end(folder) {
                    Ok(Some(value)) if value.is_finite() => Self::Finished(value),
                    Ok(Some(value)) => Self::Failed(format!("{metric} is {value} at its end")),
                    Ok(None) => {
                        Self::Failed("it was not evaluated; pass another --eval-strategy".into())
                    }
                    Err(error) => Self::Failed(clean(&error.to_string())),
                },
                _ if is_in_use => Self::Running { step: run.step, max_steps: run.max_steps },
                RunStatus::Failed => Self::Failed(clean(&run.failure.unwrap_or_default())),
                RunStatus::Running | RunStatus::Stopped | RunStatus::Dead => {
                    Self::Waiting { step: run.step }
                }
            },
            Err(_) if is_in_use => Self::Running { step: 0, max_steps: 0 },
            Err(unreadable) => Self::Failed(unreadable.reason),
        }
    }
}

fn clean(text: &str) -> String {
    sanitize_for_terminal(text).into_owned()
}

/// The last line that a trial has printed after the first `from` bytes of its output.
pub(super) fn last_line(folder: &Path, from: u64) -> Option<String> {
    let mut file = File::open(folder.join(OUTPUT)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(MAX_OUTPUT)))).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_OUTPUT).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(clean(line.strip_prefix("error: ").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::TrainEvent;
    use crate::core::train::fixtures::{ending, failure, run};
    use crate::run::journal::{JOURNAL, Journal};
    use crate::run::lock_output_dir;

    fn state(folder: &Path) -> TrialState {
        let mut reader = RunReader::new(folder, folder);
        TrialState::read(&mut reader, folder, SweepMetric::default())
    }

    fn write(folder: &Path, events: &[TrainEvent]) -> anyhow::Result<()> {
        let mut journal = Journal::create(&folder.join(JOURNAL))?;
        for event in events {
            journal.append(event)?;
        }
        Ok(())
    }

    #[test]
    fn the_state_follows_from_the_journal_and_the_lock() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        assert_eq!(state(folder), TrialState::Waiting { step: 0 });
        let lock = lock_output_dir(folder)?;
        assert_eq!(state(folder), TrialState::Running { step: 0, max_steps: 0 });
        write(folder, &run(200))?;
        assert_eq!(state(folder), TrialState::Running { step: 200, max_steps: 630 });
        drop(lock);
        assert_eq!(state(folder), TrialState::Waiting { step: 200 }, "it was killed");
        write(folder, &[run(100), vec![failure()]].concat())?;
        let failed = TrialState::Failed("the loss is NaN at step 101".to_owned());
        assert_eq!(state(folder), failed);
        write(folder, &[run(630), ending()].concat())?;
        let finished = state(folder);
        assert!(finished.is_settled() && finished.value().is_some_and(|value| value > 0.7));
        let mut stopped = ending();
        for event in &mut stopped {
            if let TrainEvent::Finished(finished) = event {
                finished.stopped = true;
            }
        }
        write(folder, &[run(300), stopped].concat())?;
        assert_eq!(state(folder), TrialState::Waiting { step: 300 });
        std::fs::write(folder.join(JOURNAL), "no event\n")?;
        assert!(matches!(state(folder), TrialState::Failed(_)));
        Ok(())
    }

    #[test]
    fn the_last_line_of_the_output_is_the_error() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(last_line(folder.path(), 0), None);
        let text = "before\nLoading …\nerror: no \u{1b}[31m file\n\n";
        std::fs::write(folder.path().join(OUTPUT), text)?;
        assert_eq!(last_line(folder.path(), 0).as_deref(), Some("no \u{fffd}[31m file"));
        assert_eq!(last_line(folder.path(), text.len() as u64), None);
        std::fs::write(folder.path().join(OUTPUT), "x".repeat(100_000))?;
        assert_eq!(last_line(folder.path(), 0).map(|line| line.len()), Some(1 << 14));
        Ok(())
    }
}
