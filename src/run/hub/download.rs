//! Downloads a blob under a lock, resumes it after an interruption, and verifies it.

use super::client::HubClient;
use super::error::root_cause;
use super::metadata::FileMetadata;
use super::partial::PartialBlob;
use super::progress::{ProgressReporter, REPORT_INTERVAL};
use super::repo_cache::{RepoCache, create_parent};
use super::{HubError, Repo, limits};
use reqwest::{Response, StatusCode};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Instant;

/// The most retries of a broken connection.
const MAX_RETRIES: u32 = 4;

/// The download of a file's blob into the cache.
pub(super) struct BlobDownload<'a> {
    pub(super) repo: &'a Repo,
    pub(super) file: &'a str,
    pub(super) metadata: &'a FileMetadata,
}

/// How a response ended.
enum ResponseEnd {
    /// The blob is complete.
    Complete,
    /// The connection broke, for this reason.
    Interrupted(String),
}

/// Whether there is a file of the announced size.
pub(super) fn has_size(path: &Path, size: u64) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}

impl BlobDownload<'_> {
    /// Downloads the blob unless it is in the cache.
    pub(super) async fn run(
        &self,
        client: &HubClient,
        cache: &RepoCache,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<(), HubError> {
        let FileMetadata { blob, size, .. } = self.metadata;
        let target = cache.blob_path(blob);
        if has_size(&target, *size) {
            return Ok(());
        }
        progress.progress.total = *size;
        let _lock = lock(&cache.lock_path(blob), progress).await?;
        // Another process may have downloaded the blob while it held the lock.
        if has_size(&target, *size) {
            return Ok(());
        }
        let mut partial = PartialBlob::open(cache.partial_path(blob), progress)?;
        if partial.done > *size {
            partial.clear()?;
        }
        limits::check_free_space(&target, size - partial.done)?;
        progress.progress.resumed = partial.done;
        progress.progress.done = partial.done;
        progress.report()?;
        match self.download(client, &mut partial, progress).await {
            Ok(()) => partial.persist(&target)?,
            Err(
                error @ (HubError::HashMismatch { .. }
                | HubError::SizeMismatch { .. }
                | HubError::Pointer { .. }),
            ) => {
                partial.delete()?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        // The file is complete: cancelling now has no effect.
        let _ = progress.report();
        Ok(())
    }

    /// Downloads the missing bytes, with retries, until the blob is complete and valid.
    async fn download(
        &self,
        client: &HubClient,
        partial: &mut PartialBlob,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<(), HubError> {
        let FileMetadata { blob, size, .. } = self.metadata;
        let mut interruptions = 0;
        loop {
            let end = if *size == partial.done {
                ResponseEnd::Complete
            } else {
                self.request_rest(client, partial, progress).await?
            };
            let ResponseEnd::Interrupted(reason) = end else {
                match partial.verify(self.file, blob, *size) {
                    Err(_) if partial.is_resumed => {
                        restart(partial, progress)?;
                        continue;
                    }
                    verified => return verified,
                }
            };
            interruptions += 1;
            if interruptions > MAX_RETRIES {
                let (file, done) = (self.file.to_owned(), partial.done);
                return Err(HubError::Interrupted { file, done, reason });
            }
            let delay = client.timeouts.retry_delay * 2_u32.pow(interruptions - 1);
            progress.sleep(delay).await?;
        }
    }

    /// Requests the missing bytes once and writes the response to the partial file.
    async fn request_rest(
        &self,
        client: &HubClient,
        partial: &mut PartialBlob,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<ResponseEnd, HubError> {
        let size = self.metadata.size;
        let request = client.content(self.repo, &self.metadata.commit, self.file, partial.done);
        let mut response = match progress.wait(client.timeouts.read, request).await? {
            Some(Ok(response)) => response,
            Some(Err(HubError::Unreachable { reason, .. })) => {
                return Ok(ResponseEnd::Interrupted(reason));
            }
            Some(Err(error)) => return Err(error),
            None => return Ok(ResponseEnd::Interrupted(client.timed_out())),
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(partial.done) => {
                partial.is_resumed |= partial.done > 0;
            }
            // The server ignored the range and sends the complete file.
            StatusCode::OK => {
                if partial.done > 0 {
                    restart(partial, progress)?;
                }
            }
            status => {
                restart(partial, progress)?;
                return Ok(ResponseEnd::Interrupted(format!("wrong range ({status})")));
            }
        }
        // When enough bytes were last received, and how many in all at that time.
        let (mut checked, mut before) = (Instant::now(), partial.done);
        loop {
            let chunk = match progress.wait(client.timeouts.read, response.chunk()).await? {
                Some(Ok(Some(chunk))) => chunk,
                Some(Ok(None)) => break,
                Some(Err(error)) => return Ok(ResponseEnd::Interrupted(root_cause(error))),
                None => return Ok(ResponseEnd::Interrupted(client.timed_out())),
            };
            partial.write(&chunk, size)?;
            progress.progress.done = partial.done;
            progress.report_if_due()?;
            // A file with more bytes than announced is invalid, so the download stops early.
            if partial.done > size {
                break;
            }
            let time = checked.elapsed();
            if time >= client.timeouts.read {
                let received = partial.done - before;
                if received < limits::least_bytes(time) {
                    let reason = format!("{received} bytes in {} s", time.as_secs());
                    return Ok(ResponseEnd::Interrupted(reason));
                }
                (checked, before) = (Instant::now(), partial.done);
            }
        }
        if partial.done < size {
            let done = partial.done;
            let reason = format!("the connection was closed after {done} of {size} bytes");
            return Ok(ResponseEnd::Interrupted(reason));
        }
        Ok(ResponseEnd::Complete)
    }
}

/// Discards the bytes downloaded so far.
fn restart(partial: &mut PartialBlob, progress: &mut ProgressReporter<'_>) -> Result<(), HubError> {
    partial.clear()?;
    progress.progress.done = 0;
    progress.progress.resumed = 0;
    Ok(())
}

/// The first byte of the response's `Content-Range`.
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(reqwest::header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// Waits for the lock, which is released when the file is closed. `None` on a file system without
/// locks; the hash then detects two processes writing at the same time.
async fn lock(path: &Path, progress: &mut ProgressReporter<'_>) -> Result<Option<File>, HubError> {
    create_parent(path)?;
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    let file = file.map_err(HubError::at(path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => progress.sleep(REPORT_INTERVAL).await?,
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(None);
            }
            Err(TryLockError::Error(error)) => return Err(HubError::at(path)(error)),
        }
    }
}
