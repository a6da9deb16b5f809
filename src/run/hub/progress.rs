//! Telling how far a file has come, and asking whether to go on, also while nothing comes.

use super::{HubError, Transfer};
use std::pin::pin;
use std::time::{Duration, Instant};

/// How often the watcher is asked.
pub(super) const ASK: Duration = Duration::from_millis(100);

/// One file's progress and who wants to hear of it.
pub(super) struct Report<'a> {
    /// What the watcher is told.
    pub(super) transfer: Transfer,
    told: Option<Instant>,
    watch: &'a mut dyn FnMut(&Transfer) -> bool,
}

impl<'a> Report<'a> {
    /// A report of a file of which nothing is known yet.
    pub(super) fn new(file: &str, watch: &'a mut dyn FnMut(&Transfer) -> bool) -> Self {
        let transfer = Transfer { file: file.to_owned(), done: 0, total: 0, resumed: 0 };
        Self { transfer, told: None, watch }
    }

    /// Tells and asks now.
    pub(super) fn tell(&mut self) -> Result<(), HubError> {
        self.told = Some(Instant::now());
        if (self.watch)(&self.transfer) { Ok(()) } else { Err(HubError::Cancelled) }
    }

    /// Tells and asks unless it has just been done.
    pub(super) fn tell_in_time(&mut self) -> Result<(), HubError> {
        match self.told {
            Some(told) if told.elapsed() < ASK => Ok(()),
            _ => self.tell(),
        }
    }

    /// The future's value, or nothing if it does not come within the limit.
    pub(super) async fn wait<T>(
        &mut self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<Option<T>, HubError> {
        let mut future = pin!(future);
        let began = Instant::now();
        loop {
            if let Ok(value) = tokio::time::timeout(ASK, future.as_mut()).await {
                return Ok(Some(value));
            }
            self.tell()?;
            if began.elapsed() >= limit {
                return Ok(None);
            }
        }
    }

    /// Lets time pass.
    pub(super) async fn sleep(&mut self, time: Duration) -> Result<(), HubError> {
        self.wait(time + ASK, tokio::time::sleep(time)).await?;
        self.tell_in_time()
    }
}
