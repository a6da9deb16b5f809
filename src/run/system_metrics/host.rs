//! Reads CPU and memory load from the operating system.

use super::SystemSample;
use std::time::Instant;
use sysinfo::{
    CGroupLimits, Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid,
};

/// Reads CPU and memory load; CPU load is measured since the previous read.
pub struct HostMonitor {
    system: System,
    /// The process of the run, if the system reports it.
    process: Option<Pid>,
    /// The time of the last read of the process's CPU time, and that CPU time in seconds.
    last: Option<(Instant, f64)>,
}

impl HostMonitor {
    /// Creates a monitor of a process, by default this one, with a first read, which the first
    /// sample is compared with.
    pub fn new(process: Option<u32>) -> Self {
        let process = process.map(Pid::from_u32).or_else(|| get_current_pid().ok());
        let mut monitor = Self { system: System::new(), process, last: None };
        monitor.sample();
        monitor
    }

    /// The load since the previous sample, without GPUs.
    pub fn sample(&mut self) -> SystemSample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        if let Some(pid) = self.process {
            let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
            self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        }
        let process = self.process.and_then(|pid| self.system.process(pid));
        let cpu_seconds = process.map(|process| process.accumulated_cpu_time() as f64 / 1e3);
        let now = Instant::now();
        let process_cpu = match (self.last, cpu_seconds) {
            (Some((then, before)), Some(seconds)) => cores(seconds - before, now - then),
            _ => 0.0,
        };
        let process_memory = process.map_or(0, Process::memory);
        let limits =
            process.and_then(Process::cgroup_limits).or_else(|| self.system.cgroup_limits());
        let whole = (self.system.used_memory(), self.system.total_memory());
        let (memory_used, memory_total) = memory(whole, limits.as_ref());
        self.last = cpu_seconds.map(|seconds| (now, seconds));
        let cpu = f64::from(self.system.global_cpu_usage()) / 100.0;
        SystemSample {
            cpu: if cpu.is_finite() { cpu.clamp(0.0, 1.0) } else { 0.0 },
            process_cpu,
            memory_used,
            memory_total,
            process_memory,
            ..SystemSample::default()
        }
    }
}

/// The memory of this process in bytes; 0 if the system does not report it.
pub fn process_memory() -> u64 {
    let Ok(pid) = get_current_pid() else { return 0 };
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    system.process(pid).map_or(0, Process::memory)
}

/// The number of CPU cores used: CPU seconds per second.
fn cores(seconds: f64, time: std::time::Duration) -> f64 {
    let time = time.as_secs_f64();
    if time > 0.0 { (seconds / time).max(0.0) } else { 0.0 }
}

/// Used and total bytes of the computer, or of the container if its limit is below the computer's
/// memory. The page cache does not count as used.
fn memory((used, total): (u64, u64), limits: Option<&CGroupLimits>) -> (u64, u64) {
    match limits {
        Some(limits) if limits.total_memory > 0 && limits.total_memory < total => {
            (limits.rss.min(limits.total_memory), limits.total_memory)
        }
        _ => (used.min(total), total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_limit_of_a_container_is_its_total_memory() {
        let limits =
            |total_memory| CGroupLimits { total_memory, free_memory: 1, free_swap: 0, rss: 300 };
        assert_eq!(memory((700, 1000), None), (700, 1000));
        assert_eq!(memory((700, 1000), Some(&limits(500))), (300, 500));
        assert_eq!(memory((700, 1000), Some(&limits(200))), (200, 200));
        assert_eq!(memory((700, 1000), Some(&limits(1000))), (700, 1000), "no lower limit");
        assert_eq!(memory((700, 1000), Some(&limits(0))), (700, 1000));
    }

    #[test]
    fn cores_are_cpu_seconds_per_second() {
        assert_eq!(cores(3.0, Duration::from_secs(2)), 1.5);
        assert_eq!(cores(-1.0, Duration::from_secs(2)), 0.0);
        assert_eq!(cores(1.0, Duration::ZERO), 0.0);
    }

    #[test]
    fn the_memory_of_this_process_is_that_of_a_sample() {
        assert!(process_memory() > 1 << 20);
    }

    #[test]
    fn the_cpu_load_of_this_process_is_measured() {
        let mut monitor = HostMonitor::new(None);
        let began = Instant::now();
        let mut sum = 0u64;
        while began.elapsed() < Duration::from_millis(300) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let sample = monitor.sample();
        assert!(sample.process_cpu > 0.05, "{sample:?}");
    }
}
