//! What can go wrong between the hub and its cache; each message says what to do about it.

use super::Repo;
use crate::core::text;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong. No message ever holds a token.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A repository, revision or file named in a way that the hub does not allow.
    #[error("{name:?} is no {what}: {reason}.")]
    Name {
        /// What it should have been.
        what: &'static str,
        /// The name as given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The endpoint is no web address.
    #[error(
        "the hub's address cannot be used: {reason}. Set HF_ENDPOINT to one such as \
         https://huggingface.co, or unset it."
    )]
    Endpoint {
        /// What is wrong with it.
        reason: String,
    },
    /// The token cannot be sent.
    #[error(
        "the token holds characters that no token has. Set HF_TOKEN anew, without quotes or line \
         ends, or unset it."
    )]
    Token,
    /// It is not known where the cache is.
    #[error("no place for the hub's cache: there is no home folder. Set HF_HOME to a folder.")]
    NoCache,
    /// The machinery for connections does not start.
    #[error("connections cannot be set up: {reason}. Set HF_HUB_OFFLINE=1 to use the cache alone.")]
    Setup {
        /// What the system said.
        reason: String,
    },
    /// No answer, or none but that the hub is not well.
    #[error(
        "{endpoint} cannot be reached: {reason}. Check the network; set HF_HUB_OFFLINE=1 to use \
         what was downloaded before, or HF_ENDPOINT to a mirror."
    )]
    Unreachable {
        /// The hub's address.
        endpoint: String,
        /// What happened instead of an answer.
        reason: String,
    },
    /// 401 or 403.
    #[error(
        "{repo} may not be read ({answer}). Check the name, since the hub says the same of what \
         does not exist. If it asks for its terms to be accepted, do so at {page}, and set \
         HF_TOKEN to a token that may read it; a wrong one is worse than none."
    )]
    Denied {
        /// The repository.
        repo: String,
        /// Where its terms are.
        page: String,
        /// The status and the hub's own words.
        answer: String,
    },
    /// 404 for the repository.
    #[error(
        "there is no {repo} at {endpoint}. Check the name: it is what follows the host in the \
         address of its page."
    )]
    NoRepository {
        /// The repository.
        repo: String,
        /// The hub's address.
        endpoint: String,
    },
    /// 404 for the revision.
    #[error("{repo} has no revision {revision:?}. Give a branch, a tag or a commit of it.")]
    NoRevision {
        /// The repository.
        repo: String,
        /// The revision asked for.
        revision: String,
    },
    /// Another status that is no success.
    #[error("{endpoint} refused to hand out {repo}: {answer}.")]
    Refused {
        /// The hub's address.
        endpoint: String,
        /// The repository.
        repo: String,
        /// The status and the hub's own words.
        answer: String,
    },
    /// An answer that no hub gives.
    #[error(
        "{endpoint} does not answer like a hub: {reason}. Check HF_ENDPOINT, and whether a proxy \
         stands in between."
    )]
    Strange {
        /// The hub's address.
        endpoint: String,
        /// What is missing or odd.
        reason: String,
    },
    /// Offline, and not in the cache.
    #[error(
        "{what} is not in the cache {}, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids to \
         ask the hub. Unset it, or download the files first.",
        cache.display()
    )]
    Offline {
        /// The file and its repository.
        what: String,
        /// The cache's folder.
        cache: PathBuf,
    },
    /// The content is not what its name says.
    #[error(
        "{file} arrived spoilt: its sha256 is {found} and should be {expected}. It was thrown \
         away; try again, or without the mirror or proxy in between."
    )]
    WrongHash {
        /// The file.
        file: String,
        /// The sha256 that the hub announced.
        expected: String,
        /// The sha256 of what came.
        found: String,
    },
    /// The content is longer or shorter than announced.
    #[error(
        "{file} arrived spoilt: {found} bytes came of {expected}. It was thrown away; try again, \
         or without the mirror or proxy in between."
    )]
    WrongSize {
        /// The file.
        file: String,
        /// The size that the hub announced, in bytes.
        expected: u64,
        /// The bytes that came.
        found: u64,
    },
    /// The connection broke again and again.
    #[error(
        "the download of {file} broke off after {done} bytes: {reason}. What came is kept; run \
         the same again to go on from there."
    )]
    Interrupted {
        /// The file.
        file: String,
        /// The bytes that are kept.
        done: u64,
        /// What the last break was.
        reason: String,
    },
    /// The watcher said to stop.
    #[error("the download was cancelled. What came is kept; run the same again to go on.")]
    Cancelled,
    /// The disk, or the share of it that one may use, is full.
    #[error(
        "{}: the disk is full, and {needed} more bytes are needed. Free some space, or set \
         HF_HOME to a folder on another disk.",
        path.display()
    )]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// The bytes still to come, 0 if that is not known.
        needed: u64,
    },
    /// The cache cannot be read or written.
    #[error("{}: {error}. Check its permissions, or set HF_HOME to another folder.", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl HubError {
    /// Turns the system's word about this path into an error, as `map_err` wants it.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.clone(), needed: 0 }
            }
            _ => Self::Io { path: path.clone(), error },
        }
    }

    /// A file that cannot be had offline.
    pub(super) fn offline(file: Option<&str>, repo: &Repo, cache: &Path) -> Self {
        let what = file.map_or_else(|| repo.to_string(), |file| format!("{file} of {repo}"));
        Self::Offline { what, cache: cache.to_path_buf() }
    }
}

/// Words that came from outside, short and fit to be shown.
pub(super) fn heard(words: &str) -> String {
    text::truncate_width(words, 300)
}

/// What is at the bottom of an error, without the layers that only say that something failed,
/// and without addresses, which may be signed.
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    heard(&deepest.to_string())
}
