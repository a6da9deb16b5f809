//! What the machine is doing while it trains: processors, memory, and NVIDIA cards. Read now and
//! then on a thread of its own, and told as plain figures.

mod cards;
mod machine;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(2);

/// The time before the first one: the use of a processor is what happened between two looks.
const FIRST: Duration = Duration::from_millis(500);

/// What the machine was doing at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemSample {
    /// How busy the machine's cores are, from 0 to 1.
    pub cpu: f64,
    /// How many cores this process keeps busy.
    pub process_cpu: f64,
    /// Memory in use, in bytes: of the container, where there is one with a limit.
    pub memory_used: u64,
    /// Memory there is, in bytes.
    pub memory_total: u64,
    /// This process's part of it, in bytes.
    pub process_memory: u64,
    /// The NVIDIA cards, in the driver's order.
    pub gpus: Vec<GpuSample>,
    /// Seconds since sampling began.
    pub elapsed: f64,
}

/// What a card was doing at a moment. A figure that the card does not tell is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuSample {
    /// The driver's number for it.
    pub index: u32,
    /// What it is called, fit to be shown.
    pub name: String,
    /// The share of the time in which it computed, from 0 to 1.
    pub load: Option<f64>,
    /// Memory in use, in bytes.
    pub memory_used: u64,
    /// Memory it has, in bytes; 0 if it does not say.
    pub memory_total: u64,
    /// Its temperature.
    pub temperature_celsius: Option<f64>,
    /// What it draws.
    pub power_watts: Option<f64>,
    /// What it may draw.
    pub power_limit_watts: Option<f64>,
}

/// A thread that takes a sample every two seconds, until this is dropped.
pub struct Sampler {
    /// The samples.
    pub samples: Receiver<SystemSample>,
    /// Nothing is ever sent: the thread ends when this is gone.
    _stop: Sender<()>,
}

impl Sampler {
    /// Starts the thread.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start() -> std::io::Result<Self> {
        let (sender, samples) = unbounded();
        let (stop, stopped) = bounded(0);
        std::thread::Builder::new().name("system".to_owned()).spawn(move || {
            let mut sources = Sources::new();
            let mut wait = FIRST;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if sender.send(sources.sample()).is_err() {
                    return;
                }
                wait = EVERY;
            }
        })?;
        Ok(Self { samples, _stop: stop })
    }
}

/// Where the figures come from.
struct Sources {
    began: Instant,
    machine: machine::Machine,
    cards: Option<Box<dyn cards::Cards>>,
}

impl Sources {
    /// Looks for the cards' driver, once.
    fn new() -> Self {
        let cards = cards::nvidia();
        Self { began: Instant::now(), machine: machine::Machine::new(), cards }
    }

    fn sample(&mut self) -> SystemSample {
        let mut sample = self.machine.sample();
        sample.gpus = self.cards.as_deref().map(cards::sample).unwrap_or_default();
        sample.elapsed = self.began.elapsed().as_secs_f64();
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_tells_what_this_machine_does_and_ends_when_it_is_dropped()
    -> Result<(), Box<dyn std::error::Error>> {
        let sampler = Sampler::start()?;
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
        // Only the thread has the other end.
        let over = samples.iter().count();
        assert!(over <= 1, "one sample may have been on its way");
        Ok(())
    }

    #[test]
    fn a_sample_costs_less_than_a_five_hundredth_of_a_core() {
        let mut sources = Sources::new();
        let one = |sources: &mut Sources| {
            let began = Instant::now();
            sources.sample();
            began.elapsed()
        };
        // The quickest of many: on a shared machine others come in between.
        let quickest = (0..50).map(|_| one(&mut sources)).min().unwrap_or_default();
        assert!(quickest < EVERY / 500, "{quickest:?} every {EVERY:?}");
    }
}
