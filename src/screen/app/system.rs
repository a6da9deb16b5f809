//! CPU, memory and GPU use over time.

use crate::core::train::event::RanksMeasured;
use crate::run::system_metrics::{GpuSample, SystemSample};

/// The maximum number of points of a series; beyond that, pairs of points are merged.
pub const MAX_POINTS: usize = 4096;

/// A value over time, of bounded length.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemSeries {
    /// `(seconds since sampling began, value)`, evenly spaced if the samples are.
    points: Vec<(f64, f64)>,
    /// Samples per point.
    stride: usize,
    /// Sums of times and values of the incomplete point, and its number of samples.
    pending: (f64, f64, usize),
}

impl Default for SystemSeries {
    fn default() -> Self {
        Self { points: Vec::new(), stride: 1, pending: (0.0, 0.0, 0) }
    }
}

impl SystemSeries {
    /// Adds a sample; non-finite ones are skipped.
    pub fn push(&mut self, elapsed: f64, value: f64) {
        if !(elapsed.is_finite() && value.is_finite()) {
            return;
        }
        let (time, sum, count) = self.pending;
        self.pending = (time + elapsed, sum + value, count + 1);
        if count + 1 < self.stride {
            return;
        }
        let (time, sum, count) = std::mem::take(&mut self.pending);
        self.points.push((time / count as f64, sum / count as f64));
        if self.points.len() >= MAX_POINTS {
            let mean = |pair: &[(f64, f64)]| {
                let count = pair.len() as f64;
                let time: f64 = pair.iter().map(|point| point.0).sum();
                let value: f64 = pair.iter().map(|point| point.1).sum();
                (time / count, value / count)
            };
            self.points = self.points.chunks(2).map(mean).collect();
            self.stride *= 2;
        }
    }

    /// The points, oldest first.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }
}

/// The use of a GPU over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuHistory {
    /// The index that the driver assigns.
    pub index: u32,
    /// The fraction of time in which it was busy.
    pub load: SystemSeries,
    /// The fraction of its memory in use.
    pub memory: SystemSeries,
    /// The temperature in degrees Celsius.
    pub temperature: SystemSeries,
    /// The power in watts.
    pub power: SystemSeries,
}

/// The use of the system over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemHistory {
    /// The latest sample.
    pub last: Option<SystemSample>,
    /// The fraction of the machine's cores that were busy.
    pub cpu: SystemSeries,
    /// The fraction of memory in use.
    pub memory: SystemSeries,
    /// All GPUs of the samples so far.
    pub gpus: Vec<GpuHistory>,
    /// The latest measures of the processes of a run of several.
    pub ranks: Option<RanksMeasured>,
}

/// The fraction `used / total`; `None` if the total is 0.
pub fn share(used: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| used as f64 / total as f64)
}

impl SystemHistory {
    /// Adds a sample.
    pub fn push(&mut self, sample: SystemSample) {
        let at = sample.elapsed;
        self.cpu.push(at, sample.cpu);
        if let Some(share) = share(sample.memory_used, sample.memory_total) {
            self.memory.push(at, share);
        }
        for gpu in &sample.gpus {
            self.push_gpu(at, gpu);
        }
        self.last = Some(sample);
    }

    /// The history of the GPU with this index.
    pub fn gpu(&self, index: u32) -> Option<&GpuHistory> {
        self.gpus.iter().find(|gpu| gpu.index == index)
    }

    fn push_gpu(&mut self, at: f64, sample: &GpuSample) {
        let found = self.gpus.iter().position(|gpu| gpu.index == sample.index);
        let slot = found.unwrap_or_else(|| {
            self.gpus.push(GpuHistory { index: sample.index, ..GpuHistory::default() });
            self.gpus.len() - 1
        });
        let gpu = &mut self.gpus[slot];
        let memory = share(sample.memory_used, sample.memory_total);
        for (series, value) in [
            (&mut gpu.load, sample.load),
            (&mut gpu.memory, memory),
            (&mut gpu.temperature, sample.temperature_celsius),
            (&mut gpu.power, sample.power_watts),
        ] {
            if let Some(value) = value {
                series.push(at, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_bounded_and_keeps_its_shape() {
        let mut series = SystemSeries::default();
        let samples = 100_000;
        for i in 0..samples {
            series.push(f64::from(i) * 2.0, f64::from(i) / f64::from(samples));
            assert!(series.points().len() < MAX_POINTS);
        }
        series.push(f64::NAN, 0.0);
        series.push(1.0, f64::INFINITY);
        let points = series.points();
        assert!(points.len() >= MAX_POINTS / 2);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
        let gaps = points.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let (least, most) = gaps.fold((f64::MAX, 0.0f64), |(l, m), g| (l.min(g), m.max(g)));
        assert!(most <= 2.0 * least, "evenly spaced except one pair: {least} to {most}");
        assert!(points[0].1 < 0.001 && points[points.len() - 1].1 > 0.999);
    }

    #[test]
    fn gpus_appear_and_disappear_and_may_lack_values() {
        let gpu = |index, load| GpuSample {
            index,
            load,
            memory_used: 1,
            memory_total: 4,
            power_watts: Some(200.0),
            ..GpuSample::default()
        };
        let mut history = SystemHistory::default();
        for (elapsed, gpus) in [
            (0.0, vec![gpu(0, Some(0.5)), gpu(1, None)]),
            (2.0, vec![gpu(1, Some(0.25))]),
            (4.0, Vec::new()),
        ] {
            let sample = SystemSample { cpu: 0.5, gpus, elapsed, ..SystemSample::default() };
            history.push(sample);
        }
        assert_eq!(history.cpu.points().len(), 3);
        assert!(history.memory.points().is_empty(), "the total is unknown");
        let [first, second] = &history.gpus[..] else { panic!("two GPUs") };
        assert_eq!(first.load.points(), [(0.0, 0.5)]);
        assert_eq!(second.load.points(), [(2.0, 0.25)]);
        assert_eq!(second.memory.points(), [(0.0, 0.25), (2.0, 0.25)]);
        assert!(second.temperature.points().is_empty());
        assert_eq!(history.gpu(1), Some(second));
        assert!(history.last.is_some_and(|last| last.gpus.is_empty()));
    }
}
