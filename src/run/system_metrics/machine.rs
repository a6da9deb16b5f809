//! Processors and memory, from the operating system.

use super::SystemSample;
use std::time::Instant;
use sysinfo::{
    CGroupLimits, Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid,
};

/// The machine, with what was read last.
pub struct Machine {
    system: System,
    /// This process, where the system can say.
    process: Option<Pid>,
    /// When the process's time was read, and that time in seconds.
    last: Option<(Instant, f64)>,
}

impl Machine {
    /// Looks for the first time, so that the next look has something to compare with.
    pub fn new() -> Self {
        let mut machine =
            Self { system: System::new(), process: get_current_pid().ok(), last: None };
        machine.sample();
        machine
    }

    /// What happened since the look before; no cards.
    pub fn sample(&mut self) -> SystemSample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        if let Some(pid) = self.process {
            let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
            self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        }
        let process = self.process.and_then(|pid| self.system.process(pid));
        let busy = process.map(|process| process.accumulated_cpu_time() as f64 / 1e3);
        let now = Instant::now();
        let process_cpu = match (self.last, busy) {
            (Some((then, before)), Some(busy)) => cores(busy - before, now - then),
            _ => 0.0,
        };
        let process_memory = process.map_or(0, Process::memory);
        let limits =
            process.and_then(Process::cgroup_limits).or_else(|| self.system.cgroup_limits());
        let machine = (self.system.used_memory(), self.system.total_memory());
        let (memory_used, memory_total) = memory(machine, limits.as_ref());
        self.last = busy.map(|busy| (now, busy));
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

/// Cores kept busy: processor seconds in a time.
fn cores(seconds: f64, time: std::time::Duration) -> f64 {
    let time = time.as_secs_f64();
    if time > 0.0 { (seconds / time).max(0.0) } else { 0.0 }
}

/// Bytes used and there in all: the container's, where its limit is below what the machine has.
/// Files that are kept in memory only as long as there is room do not count.
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
    fn a_container_with_a_limit_counts_its_own_memory() {
        let limits =
            |total_memory| CGroupLimits { total_memory, free_memory: 1, free_swap: 0, rss: 300 };
        assert_eq!(memory((700, 1000), None), (700, 1000));
        assert_eq!(memory((700, 1000), Some(&limits(500))), (300, 500));
        assert_eq!(memory((700, 1000), Some(&limits(200))), (200, 200));
        assert_eq!(memory((700, 1000), Some(&limits(1000))), (700, 1000), "no limit of its own");
        assert_eq!(memory((700, 1000), Some(&limits(0))), (700, 1000));
    }

    #[test]
    fn cores_are_processor_time_in_a_time() {
        assert_eq!(cores(3.0, Duration::from_secs(2)), 1.5);
        assert_eq!(cores(-1.0, Duration::from_secs(2)), 0.0);
        assert_eq!(cores(1.0, Duration::ZERO), 0.0);
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let mut machine = Machine::new();
        let began = Instant::now();
        let mut sum = 0u64;
        while began.elapsed() < Duration::from_millis(300) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let sample = machine.sample();
        assert!(sample.process_cpu > 0.05, "{sample:?}");
    }
}
