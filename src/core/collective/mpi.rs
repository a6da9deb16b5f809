//! Sums of gradients by MPI; everything else by TCP, which notices ranks that are lost.
//!
//! An operation of MPI waits for all ranks without a limit. A thread of its own therefore has MPI, and
//! the training thread gives up when the TCP connection of a rank fails.

use super::{Collective, CollectiveError, Placement, Rendezvous, TcpCollective, Waiting};
use crate::core::collective::tcp::Limits;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use mpi::collective::SystemOperation;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::{CommunicatorCollectives, Root};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a rank that waits for a sum looks at whether another one has failed.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The longest name of a machine, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// What the thread that has MPI does.
enum Job {
    /// Adds up values.
    Sum(Vec<f32>),
    /// Distributes the address of rank 0.
    Address(Vec<u8>),
}

/// Ranks that `mpirun` has started.
pub struct MpiCollective {
    control: TcpCollective,
    thread: MpiThread,
}

/// The thread that has MPI, and the ends of its channels.
struct MpiThread {
    jobs: Option<Sender<Job>>,
    results: Receiver<Job>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl MpiThread {
    fn start() -> Result<Self, CollectiveError> {
        let (jobs, received) = bounded::<Job>(0);
        let (sender, results) = bounded(1);
        let handle = std::thread::Builder::new().name("mpi".to_owned()).spawn(move || {
            // The thread ends without a result if MPI cannot be used; dropped, it is finalized.
            let Some(universe) = mpi::initialize() else { return };
            let world = universe.world();
            for job in received {
                if sender.send(run(job, &world)).is_err() {
                    return;
                }
            }
        });
        let failed = |error: std::io::Error| CollectiveError::Join(error.to_string());
        let handle = Mutex::new(Some(handle.map_err(failed)?));
        Ok(Self { jobs: Some(jobs), results, handle })
    }

    /// Waits for the result of a job, or until `check` has an error.
    fn run(
        &self,
        job: Job,
        check: impl Fn() -> Option<CollectiveError>,
    ) -> Result<Job, CollectiveError> {
        let ended = || CollectiveError::Join("MPI cannot be used".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())?;
        loop {
            match self.results.recv_timeout(CHECK_INTERVAL) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(failure) = check() {
                        return Err(failure);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
    }

    /// Lets MPI end, unless it waits for a rank that is lost.
    fn end(&mut self, waits: bool) {
        drop(self.jobs.take());
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle.filter(|_| !waits) {
            // Its panic was reported by MPI.
            let _ = handle.join();
        }
    }
}

fn run(job: Job, world: &SimpleCommunicator) -> Job {
    match job {
        Job::Sum(values) => {
            let mut sums = vec![0f32; values.len()];
            world.all_reduce_into(&values[..], &mut sums[..], SystemOperation::sum());
            Job::Sum(sums)
        }
        Job::Address(mut name) => {
            world.process_at_rank(0).broadcast_into(&mut name[..]);
            Job::Address(name)
        }
    }
}

impl MpiCollective {
    /// Joins the ranks that `mpirun` has started. `check` is called while they wait for each other.
    ///
    /// # Errors
    /// If MPI cannot be used, or the ranks do not connect.
    pub fn join(
        mut placement: Placement,
        rendezvous: Option<Rendezvous>,
        limits: Limits,
        check: impl FnMut(&Waiting) -> Result<(), CollectiveError>,
    ) -> Result<Self, CollectiveError> {
        let thread = MpiThread::start()?;
        if placement.address.is_none() {
            // All ranks have a buffer of the same length.
            let mut name = rustix::system::uname().nodename().to_bytes().to_vec();
            name.resize(MAX_NAME_BYTES, 0);
            if let Job::Address(name) = thread.run(Job::Address(name), || None)? {
                let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
                placement.address = Some(String::from_utf8_lossy(name).into_owned());
            }
        }
        let control = if placement.rank == 0 {
            let rendezvous = match rendezvous {
                Some(rendezvous) => rendezvous,
                None => Rendezvous::bind(&placement)?,
            };
            rendezvous.accept(&placement, limits, check)?
        } else {
            TcpCollective::connect(&placement, limits, check)?
        };
        Ok(Self { control, thread })
    }
}

impl Collective for MpiCollective {
    fn rank(&self) -> usize {
        self.control.rank()
    }

    fn world_size(&self) -> usize {
        self.control.world_size()
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let result = self.thread.run(Job::Sum(values.to_vec()), || self.failure())?;
        match result {
            Job::Sum(sums) if sums.len() == values.len() => values.copy_from_slice(&sums),
            _ => return Err(CollectiveError::OutOfStep("MPI has another result".to_owned())),
        }
        Ok(())
    }

    fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CollectiveError> {
        self.control.broadcast_bytes(bytes)
    }

    fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CollectiveError> {
        self.control.all_gather_bytes(bytes)
    }

    fn failure(&self) -> Option<CollectiveError> {
        self.control.failure()
    }

    fn check(&self) -> Result<(), CollectiveError> {
        self.control.check()
    }

    fn fail(&self, message: &str) {
        self.control.fail(message);
    }
}

impl Drop for MpiCollective {
    fn drop(&mut self) {
        let waits = self.failure().is_some() || std::thread::panicking();
        self.thread.end(waits);
    }
}
