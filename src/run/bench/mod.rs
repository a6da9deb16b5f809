//! Benchmarks: the speed of training and prediction, and how much the dashboard slows training
//! down.

pub mod dashboard;
pub mod predict;
pub mod step;

use serde::Serialize;

/// The median and the range of several durations, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DurationStats {
    /// The median.
    pub median: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
}

impl DurationStats {
    /// Summarizes durations in seconds.
    pub fn from_seconds(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (seconds.len().saturating_sub(1) as f64 * share).round() as usize;
            seconds.get(index).copied().unwrap_or(f64::NAN) * 1e3
        };
        Self { median: at(0.5), min: at(0.0), max: at(1.0) }
    }
}

/// The peak resident memory of this process in bytes, on systems with `/proc`.
pub fn process_peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_summarized_in_milliseconds() {
        let stats = DurationStats::from_seconds(vec![0.003, 0.001, 0.002]);
        assert_eq!((stats.min, stats.median, stats.max), (1.0, 2.0, 3.0));
        assert!(DurationStats::from_seconds(vec![]).median.is_nan());
    }
}
