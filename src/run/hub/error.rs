//! Errors of the hub and its cache.

use super::Repo;
use crate::core::text;
use crate::core::write_advice::advice;
use std::io;
use std::path::{Path, PathBuf};

/// An error of the hub or its cache. No message contains a token.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// An invalid name of a repository, revision or file.
    #[error("{name:?} is not a valid {what} name: {reason}.")]
    InvalidName {
        /// "repository", "revision" or "file".
        what: &'static str,
        /// The name.
        name: String,
        /// The rule that it violates.
        reason: &'static str,
    },
    /// The endpoint is not a valid URL.
    #[error(
        "the hub's URL is invalid: {reason}. Set HF_ENDPOINT to a URL such as \
         https://huggingface.co, or unset it."
    )]
    InvalidEndpoint {
        /// What is wrong with it.
        reason: String,
    },
    /// The token cannot be sent in a header.
    #[error(
        "the token contains invalid characters. Set HF_TOKEN without quotes or line ends, or unset \
         it."
    )]
    InvalidToken,
    /// There is no cache folder.
    #[error("no folder for the hub's cache: there is no home folder. Set HF_HOME to a folder.")]
    NoCache,
    /// The HTTP client or its runtime cannot be created.
    #[error("cannot set up the HTTP client: {reason}. Set HF_HUB_OFFLINE=1 to use only the cache.")]
    Setup {
        /// The cause.
        reason: String,
    },
    /// No response, or the response of an overloaded or failing server.
    #[error(
        "{endpoint} cannot be reached: {reason}. Check the network connection, set \
         HF_HUB_OFFLINE=1 to use downloaded files, or set HF_ENDPOINT to a mirror."
    )]
    Unreachable {
        /// The hub's URL.
        endpoint: String,
        /// The cause.
        reason: String,
    },
    /// Access denied: status 401 or 403.
    #[error(
        "access to {repo} is denied ({status}). Check the name: the hub answers the same for a \
         repository that does not exist. If it is gated, accept its terms at {page}. Set HF_TOKEN \
         to a token with read access, or unset an invalid one."
    )]
    Denied {
        /// The repository.
        repo: String,
        /// The URL of its page.
        page: String,
        /// The status and the hub's error message.
        status: String,
    },
    /// The repository does not exist: status 404.
    #[error(
        "there is no {repo} at {endpoint}. Check the name: it is owner/name, as in the URL of its \
         page."
    )]
    RepositoryNotFound {
        /// The repository.
        repo: String,
        /// The hub's URL.
        endpoint: String,
    },
    /// The revision does not exist: status 404.
    #[error("{repo} has no revision {revision:?}. Pass one of its branches, tags or commits.")]
    RevisionNotFound {
        /// The repository.
        repo: String,
        /// The requested revision.
        revision: String,
    },
    /// Another error status.
    #[error("{endpoint} rejected the request for {repo}: {status}. Try again later.")]
    Rejected {
        /// The hub's URL.
        endpoint: String,
        /// The repository.
        repo: String,
        /// The status and the hub's error message.
        status: String,
    },
    /// A response that does not come from a hub.
    #[error("unexpected response from {endpoint}: {reason}. Check HF_ENDPOINT and any proxy.")]
    UnexpectedResponse {
        /// The hub's URL.
        endpoint: String,
        /// What is missing or invalid.
        reason: String,
    },
    /// Offline mode is on, and the file is not in the cache.
    #[error(
        "{what} is not in the cache {}, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set. Unset \
         it, or download the files first.",
        cache.display()
    )]
    Offline {
        /// The file and its repository.
        what: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// The downloaded content does not have the announced hash.
    #[error(
        "{file} is corrupt: its sha256 is {found}, expected {expected}. The download was deleted; \
         try again, or without a mirror or proxy."
    )]
    HashMismatch {
        /// The file.
        file: String,
        /// The sha256 that the hub announced.
        expected: String,
        /// The sha256 of the downloaded content.
        found: String,
    },
    /// The downloaded content is longer or shorter than announced.
    #[error(
        "{file} is corrupt: {found} bytes instead of {expected}. The download was deleted; try \
         again, or without a mirror or proxy."
    )]
    SizeMismatch {
        /// The file.
        file: String,
        /// The size that the hub announced, in bytes.
        expected: u64,
        /// The bytes downloaded.
        found: u64,
    },
    /// A Git LFS pointer in the place of a large file.
    #[error(
        "{file} is a Git LFS pointer instead of the file itself. The download was deleted; set \
         HF_ENDPOINT to a hub that serves the files, or unset it."
    )]
    Pointer {
        /// The file.
        file: String,
    },
    /// The connection broke more often than the retry limit.
    #[error(
        "the download of {file} was interrupted after {done} bytes: {reason}. Run the same command \
         again to resume it."
    )]
    Interrupted {
        /// The file.
        file: String,
        /// The bytes downloaded so far, which stay on disk.
        done: u64,
        /// The cause of the last interruption.
        reason: String,
    },
    /// The progress callback cancelled the download.
    #[error("the download was cancelled. Run the same command again to resume it.")]
    Cancelled,
    /// The disk is full, or a quota is reached.
    #[error(
        "{}: the disk is full, and {needed} more bytes are needed. Free some space, or set \
         HF_HOME to a folder on another disk.",
        path.display()
    )]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// The bytes still to be written, 0 if unknown.
        needed: u64,
    },
    /// The cache cannot be read or written.
    #[error("{}: {error}. {}, or set HF_HOME to another folder.", path.display(), advice(error))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl HubError {
    /// Converts an I/O error of this path, for `map_err`.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.clone(), needed: 0 }
            }
            _ => Self::Io { path: path.clone(), error },
        }
    }

    /// The error for a file or list that is not in the cache when offline.
    pub(super) fn offline(file: Option<&str>, repo: &Repo, cache: &Path) -> Self {
        let what = file.map_or_else(|| repo.to_string(), |file| format!("{file} of {repo}"));
        Self::Offline { what, cache: cache.to_path_buf() }
    }
}

/// A message of the hub or a library, shortened and safe to print.
pub(super) fn sanitize_message(message: &str) -> String {
    text::truncate_width(message, 300)
}

/// The innermost cause of an error, without URLs, which may contain signatures.
pub(super) fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    sanitize_message(&deepest.to_string())
}
