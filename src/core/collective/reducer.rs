//! Sums over all ranks that a thread of its own computes while the training thread continues.

use super::{Collective, CollectiveError};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Values that are added up, and how long that took.
type Sum = (Result<Vec<f32>, CollectiveError>, Duration);

/// The times of the sums of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReducerTimes {
    /// How long the exchange took in all.
    pub exchange: Duration,
    /// For how much of it the training thread waited.
    pub waited: Duration,
}

/// Adds up values over all ranks in the order in which they are given, on a thread of its own. Between
/// [`Self::begin`] and the last [`Self::next_sum`] of a step, no other operation of the ranks may begin.
pub struct Reducer {
    collective: Arc<dyn Collective>,
    /// `None` once the thread is to end.
    jobs: Option<Sender<Vec<f32>>>,
    sums: Receiver<Sum>,
    thread: Option<JoinHandle<()>>,
    /// The sums that have not been returned.
    pending: usize,
    /// Memory for later values.
    spare: Vec<Vec<f32>>,
    times: ReducerTimes,
}

impl Reducer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn new(collective: Arc<dyn Collective>) -> std::io::Result<Self> {
        let (jobs, received) = unbounded::<Vec<f32>>();
        let (sender, sums) = unbounded();
        let of_thread = Arc::clone(&collective);
        let thread = std::thread::Builder::new().name("exchange".to_owned()).spawn(move || {
            for mut values in received {
                let began = Instant::now();
                let sum = of_thread.all_reduce_sum(&mut values).map(|()| values);
                // After an error the ranks are no longer at the same operation.
                let has_failed = sum.is_err();
                if sender.send((sum, began.elapsed())).is_err() || has_failed {
                    return;
                }
            }
        })?;
        let times = ReducerTimes::default();
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok(Self { collective, jobs, sums, thread, pending: 0, spare: Vec::new(), times })
    }

    /// The ranks.
    pub fn collective(&self) -> &dyn Collective {
        &*self.collective
    }

    /// Begins a step, without the sums of one that has failed.
    ///
    /// # Errors
    /// If a thread is needed and cannot be started.
    pub fn begin(&mut self) -> std::io::Result<()> {
        if self.pending > 0 {
            *self = Self::new(Arc::clone(&self.collective))?;
        }
        self.times = ReducerTimes::default();
        Ok(())
    }

    /// An empty vector, which may have memory already.
    pub fn buffer(&mut self) -> Vec<f32> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Keeps the memory of values that are no longer needed.
    pub fn recycle(&mut self, values: Vec<f32>) {
        self.spare.push(values);
    }

    /// Starts to add up values, after those that were given before.
    ///
    /// # Errors
    /// If a rank is lost or has failed.
    pub fn start(&mut self, values: Vec<f32>) -> Result<(), CollectiveError> {
        self.pending += 1;
        if self.jobs.as_ref().is_some_and(|jobs| jobs.send(values).is_ok()) {
            return Ok(());
        }
        // The thread has ended with an error, after the sums before it.
        let error = self.sums.iter().find_map(|(sum, _)| sum.err());
        Err(error.unwrap_or_else(ended))
    }

    /// Waits for the earliest sum that was not returned yet.
    ///
    /// # Errors
    /// If a rank is lost or has failed.
    pub fn next_sum(&mut self) -> Result<Vec<f32>, CollectiveError> {
        let began = Instant::now();
        let (sum, took) = self.sums.recv().map_err(|_| ended())?;
        self.times.waited += began.elapsed();
        self.times.exchange += took;
        // After an error, sums are pending for ever, so that the next step has another thread.
        let sum = sum?;
        self.pending -= 1;
        Ok(sum)
    }

    /// Adds the time of an exchange that the training thread waited for.
    pub fn add_waited(&mut self, time: Duration) {
        self.times.exchange += time;
        self.times.waited += time;
    }

    /// The times of the sums since [`Self::begin`].
    pub fn times(&self) -> ReducerTimes {
        self.times
    }
}

impl Drop for Reducer {
    /// Ends the thread, so that no part of the connection to the ranks is in use any more: a process
    /// that `mpirun` has started must not exit before it has left MPI. A thread whose sums are pending
    /// is not waited for, because ranks may be lost; its operation fails later.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take().filter(|_| self.pending == 0) {
            // Its panic was reported by its message.
            let _ = thread.join();
        }
    }
}

fn ended() -> CollectiveError {
    CollectiveError::OutOfStep("the thread that adds up gradients has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::collective::Single;
    use std::sync::Mutex;

    /// A rank that is lost after some sums; until then, the others have the same values.
    struct Two(Mutex<u32>);

    impl Collective for Two {
        fn rank(&self) -> usize {
            0
        }

        fn world_size(&self) -> usize {
            2
        }

        fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
            let mut left = self.0.lock().map_err(|_| ended())?;
            *left = left.checked_sub(1).ok_or_else(|| CollectiveError::Lost {
                rank: 1,
                reason: "it is gone".to_owned(),
            })?;
            for value in values {
                *value *= 2.0;
            }
            Ok(())
        }

        fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
            Single.broadcast_bytes(bytes)
        }

        fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
            Single.all_gather_bytes(bytes)
        }

        fn failure(&self) -> Option<CollectiveError> {
            None
        }

        fn fail(&self, _: &str) {}
    }

    #[test]
    fn sums_are_returned_in_order_and_a_failed_step_leaves_none_behind() -> anyhow::Result<()> {
        let mut reducer = Reducer::new(Arc::new(Two(Mutex::new(3))))?;
        reducer.begin()?;
        for first in [1.0, 5.0] {
            let mut values = reducer.buffer();
            values.extend([first, 0.5]);
            reducer.start(values)?;
        }
        assert_eq!(reducer.next_sum()?, [2.0, 1.0]);
        let last = reducer.next_sum()?;
        assert_eq!(last, [10.0, 1.0]);
        reducer.recycle(last);
        assert!(reducer.buffer().capacity() >= 2);
        assert!(reducer.times().exchange > Duration::ZERO);

        reducer.begin()?;
        for value in [1.0, 2.0, 3.0] {
            reducer.start(vec![value])?;
        }
        assert_eq!(reducer.next_sum()?, [2.0]);
        assert!(matches!(reducer.next_sum(), Err(CollectiveError::Lost { rank: 1, .. })));
        reducer.begin()?;
        assert!(reducer.sums.is_empty() && reducer.pending == 0);
        Ok(())
    }

    #[test]
    fn a_dropped_reducer_has_let_go_of_the_ranks() -> anyhow::Result<()> {
        for _ in 0..100 {
            let ranks = Arc::new(Two(Mutex::new(1)));
            let mut reducer = Reducer::new(Arc::clone(&ranks) as Arc<dyn Collective>)?;
            reducer.begin()?;
            reducer.start(vec![1.0])?;
            assert_eq!(reducer.next_sum()?, [2.0]);
            drop(reducer);
            assert_eq!(Arc::strong_count(&ranks), 1);
        }
        Ok(())
    }
}
