//! Samples NVIDIA GPUs through NVML, the driver's library, which is loaded at run time if it is
//! installed.

use super::processes::ProcessTable;
use super::{GpuProcess, GpuSample};
use crate::core::text::sanitize_for_terminal;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;

/// The readings of a GPU driver, by index from 0; `None` for values that it does not report.
pub trait GpuDriver {
    /// The number of GPUs.
    fn count(&self) -> u32;
    /// The unsanitized name.
    fn name(&self, index: u32) -> Option<String>;
    /// Utilization in percent of time.
    fn load(&self, index: u32) -> Option<u32>;
    /// Used and total bytes.
    fn memory(&self, index: u32) -> Option<(u64, u64)>;
    /// Degrees Celsius.
    fn temperature(&self, index: u32) -> Option<u32>;
    /// Power draw in milliwatts.
    fn power(&self, index: u32) -> Option<u32>;
    /// Power limit in milliwatts.
    fn power_limit(&self, index: u32) -> Option<u32>;
    /// The ids of the processes that use it, each with its bytes of memory if they are known. A
    /// process may be listed more than once.
    fn processes(&self, index: u32) -> Vec<(u32, Option<u64>)>;
}

/// The most GPUs that are sampled.
const MAX_GPUS: u32 = 64;

/// The most characters of a name; the rest is cut off.
const MAX_NAME_LENGTH: usize = 80;

/// The most processes of a GPU that are looked up.
const MAX_PROCESSES: usize = 64;

/// Samples all GPUs.
pub fn sample(driver: &(impl GpuDriver + ?Sized), processes: &mut ProcessTable) -> Vec<GpuSample> {
    let watts = |milliwatts: u32| f64::from(milliwatts) / 1e3;
    let mut one = |index| {
        let name = driver.name(index).unwrap_or_else(|| "unnamed".to_owned());
        let name: String = sanitize_for_terminal(&name).chars().take(MAX_NAME_LENGTH).collect();
        let (used, total) = driver.memory(index).unwrap_or_default();
        GpuSample {
            index,
            name,
            load: driver.load(index).map(|percent| f64::from(percent.min(100)) / 100.0),
            memory_used: used.min(total),
            memory_total: total,
            temperature_celsius: driver.temperature(index).map(f64::from),
            power_watts: driver.power(index).map(watts),
            power_limit_watts: driver.power_limit(index).map(watts),
            processes: processes_of(driver, index, processes),
        }
    };
    (0..driver.count().min(MAX_GPUS)).map(&mut one).collect()
}

/// The processes on a GPU, those with the most memory first.
fn processes_of(
    driver: &(impl GpuDriver + ?Sized),
    index: u32,
    processes: &mut ProcessTable,
) -> Vec<GpuProcess> {
    let mut listed = driver.processes(index);
    // A process that computes and draws is listed for both, with the same memory.
    listed.sort_by_key(|(pid, memory)| (*pid, std::cmp::Reverse(*memory)));
    listed.dedup_by_key(|(pid, _)| *pid);
    listed.sort_by_key(|(pid, memory)| (std::cmp::Reverse(*memory), *pid));
    listed.truncate(MAX_PROCESSES);
    listed.into_iter().map(|(pid, memory)| processes.describe(pid, memory)).collect()
}

/// NVIDIA's driver, if it is installed and has a GPU.
pub fn nvidia() -> Option<Box<dyn GpuDriver>> {
    let driver = Nvml::init().ok()?;
    if driver.device_count().ok()? == 0 {
        return None;
    }
    Some(Box::new(driver))
}

// After a GPU is lost at run time, the driver reports no values for it.
impl GpuDriver for Nvml {
    fn count(&self) -> u32 {
        self.device_count().unwrap_or(0)
    }

    fn name(&self, index: u32) -> Option<String> {
        self.device_by_index(index).ok()?.name().ok()
    }

    fn load(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.utilization_rates().ok().map(|rates| rates.gpu)
    }

    fn memory(&self, index: u32) -> Option<(u64, u64)> {
        self.device_by_index(index)
            .ok()?
            .memory_info()
            .ok()
            .map(|memory| (memory.used, memory.total))
    }

    fn temperature(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.temperature(TemperatureSensor::Gpu).ok()
    }

    fn power(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.power_usage().ok()
    }

    fn power_limit(&self, index: u32) -> Option<u32> {
        self.device_by_index(index).ok()?.enforced_power_limit().ok()
    }

    fn processes(&self, index: u32) -> Vec<(u32, Option<u64>)> {
        let Ok(device) = self.device_by_index(index) else { return Vec::new() };
        let lists = [device.running_compute_processes(), device.running_graphics_processes()];
        let listed = lists.into_iter().filter_map(Result::ok).flatten();
        let process = listed.map(|process| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => (process.pid, Some(bytes)),
            UsedGpuMemory::Unavailable => (process.pid, None),
        });
        process.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports all values for GPUs with even indices and none for GPUs with odd indices.
    struct FakeDriver(u32);

    impl FakeDriver {
        fn reading<T>(index: u32, value: T) -> Option<T> {
            index.is_multiple_of(2).then_some(value)
        }
    }

    impl GpuDriver for FakeDriver {
        fn count(&self) -> u32 {
            self.0
        }
        fn name(&self, index: u32) -> Option<String> {
            Self::reading(index, format!("NVIDIA \u{1b}[31mH200{}", "\u{202e}x".repeat(200)))
        }
        fn load(&self, index: u32) -> Option<u32> {
            Self::reading(index, 87 + 20 * index)
        }
        fn memory(&self, index: u32) -> Option<(u64, u64)> {
            Self::reading(index, (12 << 30, 140 << 30))
        }
        fn temperature(&self, index: u32) -> Option<u32> {
            Self::reading(index, 61)
        }
        fn power(&self, index: u32) -> Option<u32> {
            Self::reading(index, 240_500)
        }
        fn power_limit(&self, index: u32) -> Option<u32> {
            Self::reading(index, 700_000)
        }
        fn processes(&self, index: u32) -> Vec<(u32, Option<u64>)> {
            // Ids that the system does not have, and this process.
            let own = std::process::id();
            let listed = [
                (u32::MAX, None),
                (own, Some(4 << 30)),
                (u32::MAX - 1, Some(8 << 30)),
                (own, Some(4 << 30)),
            ];
            Self::reading(index, listed.to_vec()).unwrap_or_default()
        }
    }

    #[test]
    fn readings_are_converted_and_missing_ones_are_none() {
        let mut processes = ProcessTable::new();
        let [first, second, third] = &sample(&FakeDriver(3), &mut processes)[..] else {
            panic!("three GPUs");
        };
        assert!(first.name.starts_with("NVIDIA �[31mH200�x"), "{}", first.name);
        assert_eq!(first.name.chars().count(), MAX_NAME_LENGTH);
        let expected = GpuSample {
            index: 0,
            name: first.name.clone(),
            load: Some(0.87),
            memory_used: 12 << 30,
            memory_total: 140 << 30,
            temperature_celsius: Some(61.0),
            power_watts: Some(240.5),
            power_limit_watts: Some(700.0),
            processes: first.processes.clone(),
        };
        assert_eq!(*first, expected);
        let listed: Vec<(u32, Option<u64>)> =
            first.processes.iter().map(|process| (process.pid, process.memory)).collect();
        let own = std::process::id();
        let expected = [(u32::MAX - 1, Some(8 << 30)), (own, Some(4 << 30)), (u32::MAX, None)];
        assert_eq!(listed, expected, "each once, by memory");
        assert!(first.processes[1].is_own && first.processes[0].user.is_none());
        let nothing = GpuSample { index: 1, name: "unnamed".to_owned(), ..GpuSample::default() };
        assert_eq!(*second, nothing);
        assert_eq!((third.index, third.load), (2, Some(1.0)), "the load is at most 1");
    }

    #[test]
    fn the_number_of_gpus_is_limited() {
        let mut processes = ProcessTable::new();
        assert!(sample(&FakeDriver(0), &mut processes).is_empty());
        let all = sample(&FakeDriver(u32::MAX), &mut processes);
        assert_eq!(all.len(), MAX_GPUS as usize);
    }
}
