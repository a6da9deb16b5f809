//! The load of the computer during training: CPU, memory and NVIDIA GPUs, sampled every two seconds
//! on a separate thread.

mod gpus;
mod host;
mod processes;

pub use host::process_memory;
pub use processes::user_name;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(2);

/// The time before the first sample, because CPU load is measured between two reads.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// The load of the computer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemSample {
    /// The load of all CPU cores, from 0 to 1.
    pub cpu: f64,
    /// CPU cores used by this process.
    pub process_cpu: f64,
    /// Used memory in bytes; that of the container, if it has a limit.
    pub memory_used: u64,
    /// Total memory in bytes.
    pub memory_total: u64,
    /// Memory of this process in bytes.
    pub process_memory: u64,
    /// The NVIDIA GPUs, in the driver's order.
    pub gpus: Vec<GpuSample>,
    /// Seconds since sampling began.
    pub elapsed: f64,
}

/// The load of a GPU; `None` for values that its driver does not report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuSample {
    /// The driver's index.
    pub index: u32,
    /// Its name, sanitized for the terminal.
    pub name: String,
    /// Utilization: the share of time in which it computed, from 0 to 1.
    pub load: Option<f64>,
    /// Used memory in bytes.
    pub memory_used: u64,
    /// Total memory in bytes; 0 if unknown.
    pub memory_total: u64,
    /// Temperature in degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// Power draw in watts.
    pub power_watts: Option<f64>,
    /// Power limit in watts.
    pub power_limit_watts: Option<f64>,
    /// The processes that use it, those with the most memory first; none if the driver does not
    /// list them.
    #[serde(default)]
    pub processes: Vec<GpuProcess>,
}

/// A process that uses a GPU. Its texts are sanitized for the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuProcess {
    /// The process id.
    pub pid: u32,
    /// The owner's name or number, if the system shows it.
    pub user: Option<String>,
    /// Bytes of the GPU's memory that it uses, if the driver reports them.
    pub memory: Option<u64>,
    /// The command with its arguments, if the system shows it.
    pub command: Option<String>,
    /// Whether it is this process.
    pub is_own: bool,
}

/// A thread that takes a sample every two seconds until this is dropped.
pub struct SystemSampler {
    /// The samples.
    pub samples: Receiver<SystemSample>,
    /// No message is sent; the thread exits when this is dropped.
    _stop: Sender<()>,
}

impl SystemSampler {
    /// Starts the thread. The run is the process with this number, by default this one.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(process: Option<u32>) -> std::io::Result<Self> {
        let (sender, samples) = unbounded();
        let (stop, stopped) = bounded(0);
        std::thread::Builder::new().name("system".to_owned()).spawn(move || {
            let mut monitor = SystemMonitor::new(process);
            let mut wait = FIRST_INTERVAL;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if sender.send(monitor.sample()).is_err() {
                    return;
                }
                wait = INTERVAL;
            }
        })?;
        Ok(Self { samples, _stop: stop })
    }
}

/// Samples the host and the GPUs.
struct SystemMonitor {
    began: Instant,
    host: host::HostMonitor,
    gpus: Option<Box<dyn gpus::GpuDriver>>,
    processes: processes::ProcessTable,
}

impl SystemMonitor {
    /// Loads the GPU driver's library, if there is one.
    fn new(process: Option<u32>) -> Self {
        let gpus = gpus::nvidia();
        let (host, processes) = (host::HostMonitor::new(process), processes::ProcessTable::new());
        Self { began: Instant::now(), host, gpus, processes }
    }

    fn sample(&mut self) -> SystemSample {
        let mut sample = self.host.sample();
        let processes = &mut self.processes;
        let gpus = self.gpus.as_deref().map(|driver| gpus::sample(driver, processes));
        sample.gpus = gpus.unwrap_or_default();
        sample.elapsed = self.began.elapsed().as_secs_f64();
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_samples_and_ends_when_it_is_dropped() -> Result<(), Box<dyn std::error::Error>> {
        let sampler = SystemSampler::start(None)?;
        let first = sampler.samples.recv_timeout(Duration::from_mins(1))?;
        let second = sampler.samples.recv_timeout(Duration::from_mins(1))?;
        assert!(second.elapsed > first.elapsed);
        for sample in [&first, &second] {
            assert!((0.0..=1.0).contains(&sample.cpu), "{sample:?}");
            assert!(sample.process_cpu >= 0.0, "{sample:?}");
            assert!(sample.process_memory > 1 << 20, "{sample:?}");
            assert!((1..=sample.memory_total).contains(&sample.memory_used), "{sample:?}");
        }
        let samples = sampler.samples.clone();
        drop(sampler);
        // The channel closes when the thread exits.
        let late = samples.iter().count();
        assert!(late <= 1, "at most the current sample");
        Ok(())
    }

    #[test]
    fn a_sample_costs_less_than_a_five_hundredth_of_a_core() {
        let mut monitor = SystemMonitor::new(None);
        let one = |monitor: &mut SystemMonitor| {
            let began = Instant::now();
            monitor.sample();
            began.elapsed()
        };
        // The fastest of many is used, because other processes may use the CPU in between.
        let fastest = (0..50).map(|_| one(&mut monitor)).min().unwrap_or_default();
        assert!(fastest < INTERVAL / 500, "{fastest:?} every {INTERVAL:?}");
    }
}
