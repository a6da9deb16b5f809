//! Reports progress and checks for cancellation while waiting for the network.

use super::{DownloadProgress, HubError};
use std::pin::pin;
use std::time::{Duration, Instant};

/// The interval at which progress is reported.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// Reports the progress of one file to a callback.
pub(super) struct ProgressReporter<'a> {
    /// The current progress.
    pub(super) progress: DownloadProgress,
    reported: Option<Instant>,
    on_progress: &'a mut dyn FnMut(&DownloadProgress) -> bool,
}

impl<'a> ProgressReporter<'a> {
    pub(super) fn new(
        file: &str,
        on_progress: &'a mut dyn FnMut(&DownloadProgress) -> bool,
    ) -> Self {
        let progress = DownloadProgress { file: file.to_owned(), done: 0, total: 0, resumed: 0 };
        Self { progress, reported: None, on_progress }
    }

    /// Reports the progress now.
    ///
    /// # Errors
    /// [`HubError::Cancelled`] if the callback returns `false`.
    pub(super) fn report(&mut self) -> Result<(), HubError> {
        self.reported = Some(Instant::now());
        if (self.on_progress)(&self.progress) { Ok(()) } else { Err(HubError::Cancelled) }
    }

    /// Reports the progress unless the last report is more recent than [`REPORT_INTERVAL`].
    ///
    /// # Errors
    /// The errors of [`Self::report`].
    pub(super) fn report_if_due(&mut self) -> Result<(), HubError> {
        match self.reported {
            Some(reported) if reported.elapsed() < REPORT_INTERVAL => Ok(()),
            _ => self.report(),
        }
    }

    /// The future's value, or `None` after the timeout.
    ///
    /// # Errors
    /// The errors of [`Self::report`].
    pub(super) async fn wait<T>(
        &mut self,
        timeout: Duration,
        future: impl Future<Output = T>,
    ) -> Result<Option<T>, HubError> {
        let mut future = pin!(future);
        let started = Instant::now();
        loop {
            if let Ok(value) = tokio::time::timeout(REPORT_INTERVAL, future.as_mut()).await {
                return Ok(Some(value));
            }
            self.report()?;
            if started.elapsed() >= timeout {
                return Ok(None);
            }
        }
    }

    /// Waits for a duration.
    ///
    /// # Errors
    /// The errors of [`Self::report`].
    pub(super) async fn sleep(&mut self, duration: Duration) -> Result<(), HubError> {
        self.wait(duration + REPORT_INTERVAL, tokio::time::sleep(duration)).await?;
        self.report_if_due()
    }
}
