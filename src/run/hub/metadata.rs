//! The hub's metadata of a file.

use super::client::{HubClient, has_file_metadata, header};
use super::error::sanitize_message;
use super::progress::ProgressReporter;
use super::{HubError, Repo, limits, names};
use reqwest::header::{CONTENT_LENGTH, ETAG};
use reqwest::{Method, StatusCode};
use std::sync::PoisonError;

/// The hub's metadata of a file.
pub(super) struct FileMetadata {
    /// The commit that the revision refers to.
    pub(super) commit: String,
    /// The name of the blob: the sha256 of a large file, the git object id of a small one.
    pub(super) blob: String,
    /// The size in bytes.
    pub(super) size: u64,
}

/// A file on the hub.
pub(super) enum RemoteFile {
    /// The repository has the file.
    Found(FileMetadata),
    /// The repository does not have the file.
    Missing {
        /// The commit that the revision refers to, if it is announced.
        commit: Option<String>,
    },
}

impl HubClient {
    /// Requests the metadata of a file at the repository's revision.
    pub(super) async fn metadata(
        &self,
        repo: &Repo,
        file: &str,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<RemoteFile, HubError> {
        let url = self.file_url(repo, &repo.revision, file);
        let request = self.send(Method::HEAD, url, None);
        let response = self.with_timeout(request, progress).await?;
        let status = response.status();
        let commit = header(&response, "x-repo-commit").filter(|commit| names::is_commit(commit));
        let commit = commit.map(str::to_owned);
        if status == StatusCode::NOT_FOUND {
            let code = header(&response, "x-error-code");
            if code == Some("EntryNotFound") || (code.is_none() && commit.is_some()) {
                return Ok(RemoteFile::Missing { commit });
            }
        }
        if !status.is_success() && !has_file_metadata(&response) {
            return Err(self.status_error(repo, &response));
        }
        // In a redirect, these headers describe the redirect, not the file.
        let of_file = |name| header(&response, name).filter(|_| status.is_success());
        let etag = header(&response, "x-linked-etag").or_else(|| of_file(ETAG.as_str()));
        let size = header(&response, "x-linked-size").or_else(|| of_file(CONTENT_LENGTH.as_str()));
        // Without a size, the length of the download would have no limit.
        let size = size.and_then(|size| size.parse().ok());
        match (commit, etag.and_then(names::blob_name), size) {
            (Some(commit), Some(blob), Some(size)) => match limits::of_file(file) {
                Some(limit) if size > limit => {
                    let file = sanitize_message(file);
                    let reason = format!("{file} has {size} bytes, and {limit} are the limit");
                    Err(self.unexpected(reason))
                }
                _ => {
                    self.check_blob(&blob, size)?;
                    Ok(RemoteFile::Found(FileMetadata { commit, blob, size }))
                }
            },
            (None, ..) => Err(self.unexpected("the header X-Repo-Commit is missing or no commit")),
            (_, None, _) => Err(self.unexpected("the header ETag is missing or no name of a file")),
            (_, _, None) => Err(self.unexpected("the size of the file is not announced")),
        }
    }

    /// Checks that the blob has not been named before with another size: the second file would
    /// replace the content of the first.
    fn check_blob(&self, blob: &str, size: u64) -> Result<(), HubError> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if *blobs.entry(blob.to_owned()).or_insert(size) == size {
            return Ok(());
        }
        Err(self.unexpected("two different files have the same ETag"))
    }
}
