//! The load of the computer in the journal of a run: the mean of the samples since the one before, at
//! intervals that grow with the run.

use crate::core::train::event::{GpuMeasured, MAX_LISTED_GPUS, Step, SystemMeasured};
use crate::run::system_metrics::{GpuSample, SystemSample, SystemSampler};

/// Seconds between two events at first: as often as samples are taken.
const INTERVAL: f64 = 2.0;

/// The number of events after which they become half as frequent.
const EVENTS: usize = 256;

/// Measures the load during a run. Without a thread for it, nothing is measured.
pub(super) struct LoadMeter {
    sampler: Option<SystemSampler>,
    interval: f64,
    /// The events of this interval so far.
    events: usize,
    /// When the last event was, in seconds since training began; 0 before the first one.
    last: f64,
}

impl LoadMeter {
    /// Starts to measure.
    pub fn start() -> Self {
        let sampler = SystemSampler::start(None).ok();
        Self { sampler, interval: INTERVAL, events: 0, last: 0.0 }
    }

    /// What was measured since the last event, if it is time for the next one.
    pub fn after(&mut self, step: &Step) -> Option<SystemMeasured> {
        let sampler = self.sampler.as_ref()?;
        if step.elapsed - self.last < self.interval {
            return None;
        }
        let samples: Vec<SystemSample> = sampler.samples.try_iter().collect();
        let measured = mean(&samples, step)?;
        self.count(step.elapsed);
        Some(measured)
    }

    fn count(&mut self, elapsed: f64) {
        (self.last, self.events) = (elapsed, self.events + 1);
        if self.events == EVENTS {
            (self.events, self.interval) = (0, 2.0 * self.interval);
        }
    }
}

/// The last sample, with the mean loads of all of them; `None` if there are none.
fn mean(samples: &[SystemSample], step: &Step) -> Option<SystemMeasured> {
    let last = samples.last()?;
    let count = samples.len() as f64;
    let of = |value: fn(&SystemSample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let gpu = |gpu: &GpuSample| {
        let all = samples.iter().flat_map(|sample| &sample.gpus);
        let loads = all.filter(|other| other.index == gpu.index).filter_map(|other| other.load);
        let (sum, count) = loads.fold((0.0, 0.0), |(sum, count), load| (sum + load, count + 1.0));
        GpuMeasured {
            index: gpu.index,
            name: gpu.name.clone(),
            load: (count > 0.0).then(|| sum / count),
            memory_used: gpu.memory_used,
            memory_total: gpu.memory_total,
            temperature_celsius: gpu.temperature_celsius,
            power_watts: gpu.power_watts,
            power_limit_watts: gpu.power_limit_watts,
        }
    };
    Some(SystemMeasured {
        step: step.step,
        elapsed: step.elapsed,
        cpu: of(|sample| sample.cpu),
        process_cpu: of(|sample| sample.process_cpu),
        memory_used: last.memory_used,
        memory_total: last.memory_total,
        process_memory: last.process_memory,
        gpus: last.gpus.iter().take(MAX_LISTED_GPUS).map(gpu).collect(),
    })
}

impl From<SystemMeasured> for SystemSample {
    /// The sample, without the processes on the GPUs.
    fn from(measured: SystemMeasured) -> Self {
        let gpu = |gpu: GpuMeasured| GpuSample {
            index: gpu.index,
            name: gpu.name,
            load: gpu.load,
            memory_used: gpu.memory_used,
            memory_total: gpu.memory_total,
            temperature_celsius: gpu.temperature_celsius,
            power_watts: gpu.power_watts,
            power_limit_watts: gpu.power_limit_watts,
            processes: Vec::new(),
        };
        Self {
            cpu: measured.cpu,
            process_cpu: measured.process_cpu,
            memory_used: measured.memory_used,
            memory_total: measured.memory_total,
            process_memory: measured.process_memory,
            gpus: measured.gpus.into_iter().map(gpu).collect(),
            elapsed: measured.elapsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::step;

    #[test]
    fn loads_are_means_and_the_rest_is_the_last_sample() {
        let gpu = |load, watts| GpuSample { load, power_watts: watts, ..GpuSample::default() };
        let sample = |cpu, gpu| SystemSample {
            cpu,
            memory_used: (cpu * 100.0) as u64,
            gpus: vec![gpu],
            ..SystemSample::default()
        };
        let samples = [
            sample(0.25, gpu(Some(0.5), Some(100.0))),
            sample(0.75, gpu(None, None)),
            sample(0.5, gpu(Some(1.0), Some(300.0))),
        ];
        let measured = mean(&samples, &step(7, 0.5, 3.5));
        let measured = measured.expect("a mean");
        assert_eq!((measured.step, measured.cpu, measured.memory_used), (7, 0.5, 50));
        assert_eq!(
            (measured.gpus[0].load, measured.gpus[0].power_watts),
            (Some(0.75), Some(300.0))
        );
        let sample = SystemSample::from(measured);
        assert_eq!((sample.cpu, sample.gpus[0].load), (0.5, Some(0.75)));
        assert_eq!(mean(&[], &step(7, 0.5, 3.5)), None);
    }

    #[test]
    fn events_become_rarer_in_a_long_run() {
        let mut meter = LoadMeter { sampler: None, interval: INTERVAL, events: 0, last: 0.0 };
        let mut events = 0;
        // A day of steps of half a second.
        for step in 0..172_800 {
            let elapsed = f64::from(step) / 2.0;
            if elapsed - meter.last >= meter.interval {
                meter.count(elapsed);
                events += 1;
            }
        }
        assert!((1500..2500).contains(&events), "{events}");
    }
}
