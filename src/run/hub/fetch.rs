//! One blob: fetched under a lock, taken up where it broke off, and checked before it counts.

use super::http::Wire;
use super::metadata::Metadata;
use super::partial::Partial;
use super::progress::{ASK, Report};
use super::repo_cache::{RepoCache, make_parent};
use super::{HubError, Repo, error};
use reqwest::{Response, StatusCode};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// How often a broken connection is taken up again within one call.
const RETRIES: u32 = 4;

/// What is wanted: a file of a repository, and what the hub said of it.
pub(super) struct Wanted<'a> {
    pub(super) repo: &'a Repo,
    pub(super) file: &'a str,
    pub(super) metadata: &'a Metadata,
}

/// How a request for the rest of a blob ended.
enum End {
    /// All has come.
    Whole,
    /// The connection broke, for this reason.
    Cut(String),
}

/// Whether something of the size announced is there.
pub(super) fn is_there(path: &Path, size: Option<u64>) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && size.is_none_or(|s| s == found.len()))
}

impl Wanted<'_> {
    /// Sees to it that the blob is in the cache.
    pub(super) async fn fetch(
        &self,
        wire: &Wire,
        place: &RepoCache,
        report: &mut Report<'_>,
    ) -> Result<(), HubError> {
        let Metadata { blob, size, .. } = self.metadata;
        let target = place.blob(blob);
        if is_there(&target, *size) {
            return Ok(());
        }
        report.transfer.total = size.unwrap_or(0);
        let _lock = lock(&place.lock(blob), report).await?;
        // Whoever held the lock may have fetched it.
        if is_there(&target, *size) {
            return Ok(());
        }
        let mut part = Partial::open(place.incomplete(blob), report)?;
        if size.is_some_and(|size| part.done > size) {
            part.clear()?;
        }
        part.joined = part.done > 0;
        report.transfer.resumed = part.done;
        report.transfer.done = part.done;
        report.tell()?;
        match self.pour(wire, &mut part, report).await {
            Ok(()) => part.keep(&target)?,
            Err(error @ (HubError::WrongHash { .. } | HubError::WrongSize { .. })) => {
                part.delete()?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        // All is there: nobody is asked any more.
        let _ = report.tell();
        Ok(())
    }

    /// Fills the part until it is whole and right, over as many connections as allowed.
    async fn pour(
        &self,
        wire: &Wire,
        part: &mut Partial,
        report: &mut Report<'_>,
    ) -> Result<(), HubError> {
        let Metadata { blob, size, .. } = self.metadata;
        let mut cuts = 0;
        loop {
            let end = if *size == Some(part.done) {
                End::Whole
            } else {
                self.answer(wire, part, report).await?
            };
            let End::Cut(reason) = end else {
                match part.check(self.file, blob, *size) {
                    Err(_) if part.joined => {
                        begin_anew(part, report)?;
                        continue;
                    }
                    checked => return checked,
                }
            };
            cuts += 1;
            if cuts > RETRIES {
                let (file, done) = (self.file.to_owned(), part.done);
                return Err(HubError::Interrupted { file, done, reason });
            }
            report.sleep(wire.patience.pause * 2_u32.pow(cuts - 1)).await?;
        }
    }

    /// One request for what is missing.
    async fn answer(
        &self,
        wire: &Wire,
        part: &mut Partial,
        report: &mut Report<'_>,
    ) -> Result<End, HubError> {
        let size = self.metadata.size;
        let request = wire.get(self.repo, &self.metadata.commit, self.file, part.done);
        let mut response = match report.wait(wire.patience.stall, request).await? {
            Some(Ok(response)) => response,
            Some(Err(HubError::Unreachable { reason, .. })) => return Ok(End::Cut(reason)),
            Some(Err(error)) => return Err(error),
            None => return Ok(End::Cut(wire.stalled())),
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(part.done) => {
                part.joined |= part.done > 0;
            }
            // The whole, although a part was asked for.
            StatusCode::OK => {
                if part.done > 0 {
                    begin_anew(part, report)?;
                }
            }
            status => {
                begin_anew(part, report)?;
                return Ok(End::Cut(format!("the wrong part came ({status})")));
            }
        }
        loop {
            let chunk = match report.wait(wire.patience.stall, response.chunk()).await? {
                Some(Ok(Some(chunk))) => chunk,
                Some(Ok(None)) => break,
                Some(Err(error)) => return Ok(End::Cut(error::cause(error))),
                None => return Ok(End::Cut(wire.stalled())),
            };
            part.add(&chunk, size)?;
            report.transfer.done = part.done;
            report.tell_in_time()?;
            // More than announced need not be waited for: it is wrong already.
            if size.is_some_and(|size| part.done > size) {
                break;
            }
        }
        match size {
            Some(size) if part.done < size => {
                Ok(End::Cut(format!("the connection ended at {} of {size} bytes", part.done)))
            }
            _ => Ok(End::Whole),
        }
    }
}

/// Throws away what came, and says so.
fn begin_anew(part: &mut Partial, report: &mut Report<'_>) -> Result<(), HubError> {
    part.clear()?;
    report.transfer.done = 0;
    report.transfer.resumed = 0;
    Ok(())
}

/// Where the part begins that the answer holds.
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(reqwest::header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// Waits for the lock, which goes with the file's handle. There are file systems without locks:
/// nothing comes back, and hashes still tell if two have written at once.
async fn lock(path: &Path, report: &mut Report<'_>) -> Result<Option<File>, HubError> {
    make_parent(path)?;
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    let file = file.map_err(HubError::at(path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => report.sleep(ASK).await?,
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(None);
            }
            Err(TryLockError::Error(error)) => return Err(HubError::at(path)(error)),
        }
    }
}
