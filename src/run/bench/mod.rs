//! How fast this machine trains and answers, and what the dashboard costs.

pub mod predict;
pub mod screen;
pub mod step;

use serde::Serialize;

/// The middle and the ends of several measurements, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// As many are below as above.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of measurements in seconds.
    pub fn of_seconds(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (seconds.len().saturating_sub(1) as f64 * share).round() as usize;
            seconds.get(index).copied().unwrap_or(f64::NAN) * 1e3
        };
        Self { median: at(0.5), min: at(0.0), max: at(1.0) }
    }
}

/// The most memory this process ever held, in bytes, where the system tells.
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
    fn the_median_is_in_the_middle() {
        let spread = Spread::of_seconds(vec![0.003, 0.001, 0.002]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 3.0));
        assert!(Spread::of_seconds(vec![]).median.is_nan());
    }
}
