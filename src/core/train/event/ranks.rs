//! The event that tells how the processes of a run do.

use crate::core::number;
use serde::{Deserialize, Serialize};

/// The most ranks that are listed.
pub const MAX_LISTED_RANKS: usize = 64;

/// What the processes of a run have measured since the event before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RanksMeasured {
    /// The last step.
    pub step: u64,
    /// Seconds since training began, excluding pauses.
    #[serde(with = "number")]
    pub elapsed: f64,
    /// The number of processes.
    pub world_size: usize,
    /// The processes in order; of more than [`MAX_LISTED_RANKS`], those with the longest lags.
    pub ranks: Vec<RankMeasured>,
}

/// What one process has measured. Times are means over the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RankMeasured {
    /// Its rank.
    pub rank: usize,
    /// Texts that it has trained on, for each second.
    #[serde(with = "number")]
    pub samples_per_second: f64,
    /// Seconds from the beginning of a step to the end of its own backward pass.
    #[serde(with = "number")]
    pub computed: f64,
    /// Seconds in which gradients were exchanged, also during the backward pass.
    #[serde(with = "number")]
    pub exchange: f64,
    /// Seconds of them in which it waited after its backward pass.
    #[serde(with = "number")]
    pub waited: f64,
    /// Seconds that rank 0 waited for it: how much longer it computed.
    #[serde(with = "number")]
    pub lag: f64,
    /// Bytes of the process's memory; 0 if unknown.
    pub memory: u64,
    /// The peak of the bytes allocated on its GPU, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory: Option<u64>,
}

impl RanksMeasured {
    /// The event, with the lags of the ranks; only those with the longest lags if there are too many.
    pub fn new(step: u64, elapsed: f64, mut ranks: Vec<RankMeasured>) -> Self {
        let (world_size, first) = (ranks.len(), ranks.first().map_or(0.0, |first| first.computed));
        for (rank, number) in ranks.iter_mut().zip(0..) {
            rank.rank = number;
            rank.lag = (rank.computed - first).max(0.0);
        }
        if world_size > MAX_LISTED_RANKS {
            ranks[1..].sort_by(|a, b| b.lag.total_cmp(&a.lag));
            ranks.truncate(MAX_LISTED_RANKS);
            ranks.sort_by_key(|rank| rank.rank);
        }
        Self { step, elapsed, world_size, ranks }
    }

    /// The number of ranks that are not listed.
    pub fn unlisted(&self) -> usize {
        self.world_size.saturating_sub(self.ranks.len())
    }
}

impl RankMeasured {
    /// Its memory, and that of its GPU, for example `0.4 GiB, GPU 3.1 GiB`.
    pub fn memory_text(&self) -> String {
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
        match self.gpu_memory {
            Some(gpu) => format!("{}, GPU {}", gib(self.memory), gib(gpu)),
            None => gib(self.memory),
        }
    }
}

impl std::fmt::Display for RankMeasured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "rank {}  {:.1} samples/s  {}  lag {:.1} ms",
            self.rank,
            self.samples_per_second,
            self.memory_text(),
            1e3 * self.lag
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_lags_by_the_time_that_it_computes_longer_than_the_first() {
        let of = |computed| RankMeasured { computed, memory: 1 << 29, ..RankMeasured::default() };
        let measured = RanksMeasured::new(7, 1.0, vec![of(0.5), of(0.25), of(0.625)]);
        let lags: Vec<f64> = measured.ranks.iter().map(|rank| rank.lag).collect();
        assert_eq!((lags, measured.unlisted()), (vec![0.0, 0.0, 0.125], 0));
        assert_eq!(measured.ranks[2].to_string(), "rank 2  0.0 samples/s  0.5 GiB  lag 125.0 ms");
        let many = (0..100).map(|rank| of(f64::from(rank % 50))).collect();
        let measured = RanksMeasured::new(7, 1.0, many);
        assert_eq!((measured.ranks.len(), measured.unlisted()), (MAX_LISTED_RANKS, 36));
        assert_eq!(measured.ranks[0].rank, 0);
        assert!(measured.ranks.is_sorted_by_key(|rank| rank.rank));
        assert!(measured.ranks[1..].iter().all(|rank| rank.lag >= 18.0));
    }
}
