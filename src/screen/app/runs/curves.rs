//! The curves of runs that were read: those in the chart, that of the selected run, and those of runs
//! that were selected before.

use crate::run::metric_series::History;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The most steps of runs whose curves are kept although they are not needed: about 50 MB.
const MAX_KEPT_STEPS: usize = 1 << 18;

/// The curves of runs that were read.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptCurves {
    /// The curves of the run in each folder, or why there are none.
    read: BTreeMap<PathBuf, Result<Box<History>, String>>,
    /// The folders of `read`, the one that was read last at the end.
    order: Vec<PathBuf>,
    /// The runs whose curves are being read.
    reading: BTreeSet<PathBuf>,
    /// The runs whose journals have changed since their curves were requested.
    stale: BTreeSet<PathBuf>,
}

impl KeptCurves {
    /// The curves of a run, or why there are none; `None` if they are not read.
    pub fn get(&self, folder: &Path) -> Option<&Result<Box<History>, String>> {
        self.read.get(folder)
    }

    /// All curves that are kept.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Box<History>> {
        self.read.values_mut().flatten()
    }

    /// Whether curves are being read of which none are kept. Those that are read again may take long:
    /// the index reads a large journal that grows rarely.
    pub fn is_reading(&self) -> bool {
        self.reading.iter().any(|folder| !self.read.contains_key(folder))
    }

    /// Whether the curves of a run have to be read; then they count as being read.
    pub fn begin(&mut self, folder: &Path) -> bool {
        let is_known = self.read.contains_key(folder) && !self.stale.contains(folder);
        if is_known || self.reading.contains(folder) {
            return false;
        }
        self.stale.remove(folder);
        self.reading.insert(folder.to_path_buf());
        true
    }

    /// Notes that the journal of a run has changed.
    pub fn changed(&mut self, folder: &Path) {
        if self.read.contains_key(folder) || self.reading.contains(folder) {
            self.stale.insert(folder.to_path_buf());
        }
    }

    /// Keeps curves that were read. Those read first are dropped if there are too many, except those
    /// that are needed.
    pub fn insert(
        &mut self,
        folder: PathBuf,
        curves: Result<Box<History>, String>,
        is_needed: impl Fn(&Path) -> bool,
    ) {
        self.reading.remove(&folder);
        self.order.retain(|known| *known != folder);
        self.order.push(folder.clone());
        self.read.insert(folder, curves);
        let steps = |curves: &Result<Box<History>, String>| {
            curves.as_ref().map_or(0, |history| history.loss.len())
        };
        let others: Vec<PathBuf> =
            self.order.iter().rev().filter(|known| !is_needed(known)).cloned().collect();
        let mut kept = 0;
        for other in others {
            kept += self.read.get(&other).map_or(0, steps);
            if kept > MAX_KEPT_STEPS {
                self.remove(&other);
            }
        }
    }

    /// Drops the curves of a run.
    pub fn remove(&mut self, folder: &Path) {
        self.read.remove(folder);
        self.reading.remove(folder);
        self.stale.remove(folder);
        self.order.retain(|known| known != folder);
    }

    /// Follows a renamed folder.
    pub fn rename(&mut self, from: &Path, to: &Path) {
        let Some(curves) = self.read.remove(from) else { return self.remove(from) };
        self.remove(from);
        self.read.insert(to.to_path_buf(), curves);
        self.order.push(to.to_path_buf());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::TrainEvent;
    use crate::core::train::fixtures::step;

    fn history(steps: u64) -> Box<History> {
        let mut history = History::default();
        for number in 1..=steps {
            history.apply(&TrainEvent::Step(step(number, 0.5, number as f64)));
        }
        Box::new(history)
    }

    #[test]
    fn curves_are_read_once_and_again_after_a_change() {
        let mut curves = KeptCurves::default();
        let folder = Path::new("a");
        curves.changed(folder);
        assert!(curves.begin(folder) && !curves.begin(folder), "they are being read");
        curves.insert(folder.into(), Ok(history(3)), |_| true);
        assert!(!curves.begin(folder), "they are kept");
        curves.changed(folder);
        assert!(curves.begin(folder) && !curves.is_reading(), "only again");
        // The journal changes while it is read.
        curves.changed(folder);
        curves.insert(folder.into(), Ok(history(4)), |_| true);
        assert!(curves.begin(folder));
        curves.insert(folder.into(), Err("unreadable".to_owned()), |_| true);
        assert!(!curves.begin(folder), "an error is not read again and again");
        assert!(!curves.is_reading());
    }

    #[test]
    fn too_many_steps_are_dropped_but_not_those_needed() {
        let mut curves = KeptCurves::default();
        let large = history(MAX_KEPT_STEPS as u64 / 2);
        let folders = ["a", "b", "c", "d"].map(PathBuf::from);
        for folder in &folders {
            curves.insert(folder.clone(), Ok(large.clone()), |known| known == Path::new("a"));
        }
        let kept = folders.each_ref().map(|folder| curves.get(folder).is_some());
        assert_eq!(kept, [true, false, true, true], "the oldest one that is not needed");
        curves.rename(Path::new("a"), Path::new("z"));
        assert!(curves.get(Path::new("z")).is_some() && curves.get(Path::new("a")).is_none());
    }
}
