//! Sums of gradients over the GPUs of several ranks by NCCL, in the memory of the GPUs.
//!
//! A bucket is added up in a queue of its own, which begins when the backward pass has computed the
//! bucket, while the device's queue continues. NCCL's functions can wait for other ranks without a
//! limit: a thread of their own calls them, and the training thread ends the communicator when a rank
//! is lost.

mod library;
#[cfg(test)]
#[cfg(unix)]
mod stand_in;

pub use library::{Library, UniqueId};
#[cfg(test)]
#[cfg(unix)]
pub(crate) use stand_in::stand_in;

use super::driver::Driver;
use super::memory::{DeviceSliceMut, GpuContext};
use crate::core::collective::{Collective, CollectiveError};
use candle_core::{Error, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use library::RawCommunicator;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the training thread looks at whether another rank was lost.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// How often it looks at whether the GPU is done.
const POLL_INTERVAL: Duration = Duration::from_micros(50);

/// How long the ranks wait for each other at the beginning.
const JOIN_TIME: Duration = Duration::from_mins(2);

/// Values to add up: addresses and numbers of `f32`.
type Job = Vec<(u64, usize)>;

/// The ranks of a run whose GPUs add up gradients.
pub(super) struct DeviceSums<D: Driver> {
    context: Arc<GpuContext<D>>,
    library: Arc<Library>,
    communicator: RawCommunicator,
    collective: Arc<dyn Collective>,
    side: Arc<D::SideQueue>,
    jobs: Option<Sender<Job>>,
    results: Receiver<std::result::Result<(), String>>,
    /// The jobs whose results were not received.
    pending: AtomicUsize,
    /// Whether the communicator has ended.
    has_ended: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<D: Driver> DeviceSums<D> {
    /// Joins the other ranks with the id of rank 0.
    pub fn join(
        context: &Arc<GpuContext<D>>,
        library: Arc<Library>,
        id: UniqueId,
        collective: Arc<dyn Collective>,
    ) -> Result<Self> {
        let (rank, world_size) = (collective.rank(), collective.world_size());
        let side = Arc::new(context.driver().create_side()?);
        let (jobs, received) = unbounded::<Job>();
        let (sender, results) = unbounded();
        let (joining, joined) = unbounded();
        let has_ended = Arc::new(AtomicBool::new(false));
        let of_thread = (Arc::clone(context), Arc::clone(&library), Arc::clone(&side));
        let has_ended_there = Arc::clone(&has_ended);
        let thread = std::thread::Builder::new().name("nccl".to_owned()).spawn(move || {
            let (context, library, side) = of_thread;
            let communicator = match context.driver().make_current() {
                Ok(()) => library.join(id, rank, world_size),
                Err(error) => Err(error.to_string()),
            };
            let own = communicator.as_ref().ok().copied();
            if joining.send(communicator).is_err() {
                return;
            }
            let Some(own) = own else { return };
            for values in received {
                if has_ended_there.load(Ordering::Acquire) {
                    return;
                }
                let stream = context.driver().side_stream(&side);
                if sender.send(all_reduce(&library, own, &values, stream)).is_err() {
                    return;
                }
            }
        });
        let thread = thread.map_err(Error::wrap)?;
        let began = Instant::now();
        let communicator = loop {
            match joined.recv_timeout(CHECK_INTERVAL) {
                Ok(communicator) => break communicator.map_err(Error::msg)?,
                Err(RecvTimeoutError::Disconnected) => {
                    candle_core::bail!("the thread of NCCL has ended")
                }
                Err(RecvTimeoutError::Timeout) => {
                    collective.check().map_err(Error::wrap)?;
                    if began.elapsed() > JOIN_TIME {
                        candle_core::bail!("NCCL: the ranks did not find each other in time");
                    }
                }
            }
        };
        Ok(Self {
            context: Arc::clone(context),
            library,
            communicator,
            collective,
            side,
            jobs: Some(jobs),
            results,
            pending: AtomicUsize::new(0),
            has_ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Starts to replace values by their sums over all ranks, after the work that is queued now.
    pub fn start(&self, values: &[DeviceSliceMut<'_, f32>]) -> Result<()> {
        self.context.submitted()?.side_follows(&self.side)?;
        let job = values.iter().map(DeviceSliceMut::address).collect();
        self.pending.fetch_add(1, Ordering::Relaxed);
        // If the thread has ended, waiting for the result fails.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
        Ok(())
    }

    /// Waits for all sums.
    ///
    /// # Errors
    /// If a rank is lost, or NCCL fails: the communicator has then ended.
    pub fn wait(&self) -> Result<()> {
        let outcome = self.wait_for_calls().and_then(|()| self.wait_for_queue());
        if outcome.is_err() {
            self.abort();
        }
        self.pending.store(0, Ordering::Relaxed);
        outcome
    }

    fn check(&self) -> Result<()> {
        self.collective.check().map_err(Error::wrap)
    }

    /// Waits until NCCL has queued everything.
    fn wait_for_calls(&self) -> Result<()> {
        while self.pending.load(Ordering::Relaxed) > 0 {
            match self.results.recv_timeout(CHECK_INTERVAL) {
                Ok(result) => {
                    result.map_err(Error::msg)?;
                    self.pending.fetch_sub(1, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let problem = "the communicator of NCCL has ended".to_owned();
                    return Err(Error::wrap(CollectiveError::OutOfStep(problem)));
                }
            }
        }
        Ok(())
    }

    /// Waits until the GPU has done what is queued.
    fn wait_for_queue(&self) -> Result<()> {
        let mut checked = Instant::now();
        while !self.context.driver().is_side_done(&self.side)? {
            std::thread::sleep(POLL_INTERVAL);
            if checked.elapsed() >= CHECK_INTERVAL {
                checked = Instant::now();
                self.check()?;
                async_error(&self.library, self.communicator)?;
            }
        }
        Ok(())
    }

    /// Ends the communicator, and what waits for other ranks.
    fn abort(&self) {
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            end(&self.library, self.communicator, true);
        }
    }
}

impl<D: Driver> Drop for DeviceSums<D> {
    fn drop(&mut self) {
        if self.collective.failure().is_some() || std::thread::panicking() {
            self.abort();
        }
        drop(self.jobs.take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its calls have ended: none waits after the communicator has.
            let _ = thread.join();
        }
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            end(&self.library, self.communicator, false);
        }
    }
}

mod calls {
    #![expect(unsafe_code, reason = "NCCL is a C library")]

    use super::{Error, Library, RawCommunicator, Result};
    use std::ffi::c_void;

    pub(super) fn all_reduce(
        library: &Library,
        communicator: RawCommunicator,
        values: &[(u64, usize)],
        stream: *mut c_void,
    ) -> std::result::Result<(), String> {
        // SAFETY: the values are slices of gradients, which nothing uses until `DeviceSums::wait`
        // returns: the backward pass has ended with them, and the gradients outlive the step. The
        // stream is that of the side queue, and the communicator has not ended, unless the training
        // thread ends it meanwhile, for which NCCL has no other way.
        unsafe { library.all_reduce(communicator, values, stream) }
    }

    pub(super) fn async_error(library: &Library, communicator: RawCommunicator) -> Result<()> {
        // SAFETY: only the training thread ends the communicator, after this.
        unsafe { library.async_error(communicator) }.map_err(Error::msg)
    }

    pub(super) fn end(library: &Library, communicator: RawCommunicator, aborts: bool) {
        // SAFETY: the caller has noted that the communicator ends, which it does once.
        unsafe { if aborts { library.abort(communicator) } else { library.destroy(communicator) } }
    }
}
use calls::{all_reduce, async_error, end};
