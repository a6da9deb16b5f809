//! The processes that train one model together: where each of them is, and what they exchange.
//!
//! Each process is a *rank*, numbered from 0; their number is the *world size*. All ranks have the
//! same weights and compute other examples of the same step. Operations are collective: every rank
//! calls the same ones in the same order.

#[cfg(test)]
pub mod fixtures;
pub mod launch;
#[cfg(feature = "mpi")]
pub mod mpi;
mod reducer;
mod settings;
mod single;
pub mod tcp;

pub use launch::{LaunchError, Launcher, Placement};
pub use reducer::{Reducer, ReducerTimes};
pub use settings::{Facts, check_equal};
pub use single::Single;
pub use tcp::{Limits, Rendezvous, TcpCollective, Waiting};

/// The processes of a run, as one of them sees them.
pub trait Collective: Send + Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn world_size(&self) -> usize;

    /// Replaces each value by its sum over all ranks. All ranks get the same bits, and the same ones
    /// in every run.
    ///
    /// # Errors
    /// If a rank is lost or has failed.
    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError>;

    /// Returns the bytes of rank 0; those of the others are ignored.
    ///
    /// # Errors
    /// As [`Self::all_reduce_sum`].
    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError>;

    /// Returns the bytes of each rank, on every rank.
    ///
    /// # Errors
    /// As [`Self::all_reduce_sum`].
    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError>;

    /// Waits until all ranks are here.
    ///
    /// # Errors
    /// As [`Self::all_reduce_sum`].
    fn barrier(&self) -> Result<(), CollectiveError> {
        self.all_gather_bytes(&[]).map(drop)
    }

    /// Why operations fail, once a rank is lost or has failed.
    fn failure(&self) -> Option<CollectiveError>;

    /// Checks, while this rank waits for something else, that no rank is lost or has failed.
    ///
    /// # Errors
    /// As [`Self::all_reduce_sum`].
    fn check(&self) -> Result<(), CollectiveError> {
        self.failure().map_or(Ok(()), Err)
    }

    /// Lets the other ranks know that this one ends with an error. It does not wait for them.
    fn fail(&self, message: &str);
}

/// Whether this process has the screen, the journal and the checkpoints.
pub fn is_first(collective: &dyn Collective) -> bool {
    collective.rank() == 0
}

/// Whether there are other ranks.
pub fn is_shared(collective: &dyn Collective) -> bool {
    collective.world_size() > 1
}

/// Why an exchange between ranks failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectiveError {
    /// The process of a rank has ended, or its connection is interrupted.
    #[error("rank {rank} was lost: {reason}")]
    Lost {
        /// The rank.
        rank: usize,
        /// How this was noticed.
        reason: String,
    },
    /// A rank has ended with an error.
    #[error("rank {rank} failed: {message}")]
    Failed {
        /// The rank.
        rank: usize,
        /// Its error.
        message: String,
    },
    /// The ranks did not find each other.
    #[error("{0}")]
    Join(String),
    /// The ranks do not train the same model on the same data with the same settings.
    #[error("{0}")]
    Different(String),
    /// The ranks are not at the same operation, which is an error of the program.
    #[error("{0}")]
    OutOfStep(String),
}

/// The values of a message of [`floats_to_bytes`]; `None` if it has a fraction of a value.
pub fn floats_of_bytes(bytes: &[u8]) -> Option<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Values as bytes, in little-endian order on every machine.
pub fn floats_to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
