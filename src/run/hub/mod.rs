//! Files of models and datasets from the Hugging Face hub, in the cache of Python's
//! `huggingface_hub`, so that both share their downloads.
//!
//! All calls block; they must not be used in async code. A download can be cancelled at any time
//! and is resumed the next time. A file appears under its name only after its size and, if the hub
//! announces it, its sha256 have been verified.
//!
//! `hf-hub` provides the layout of the cache. Requests are made by `HubClient` alone, so
//! that all of them follow the same rules for tokens, redirects and timeouts. `limits` has the
//! limits of what a response may take.

mod client;
mod download;
mod environment;
mod error;
mod limits;
mod listing;
mod metadata;
mod names;
mod partial;
mod post;
mod progress;
mod repo_cache;

pub use error::HubError;
pub use hf_hub::RepoType;
pub use post::post_json;

use client::{HubClient, Timeouts};
use download::{BlobDownload, has_size};
use environment::HubEnvironment;
use metadata::RemoteFile;
use progress::ProgressReporter;
use repo_cache::{CacheLookup, RepoCache};
use reqwest::Url;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A repository of the hub at one revision.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The type: a model, a dataset or a space.
    pub repo_type: RepoType,
    /// `owner/name`, or `name` alone for the oldest models.
    pub id: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl Repo {
    /// A model at its branch `main`.
    pub fn model(id: impl Into<String>) -> Self {
        Self { repo_type: RepoType::Model, id: id.into(), revision: "main".to_owned() }
    }

    /// A dataset at its branch `main`.
    pub fn dataset(id: impl Into<String>) -> Self {
        Self { repo_type: RepoType::Dataset, id: id.into(), revision: "main".to_owned() }
    }

    /// The same repository at another branch, tag or commit.
    #[must_use]
    pub fn at(mut self, revision: impl Into<String>) -> Self {
        self.revision = revision.into();
        self
    }

    /// Validates the names, so that no path leads out of the cache.
    ///
    /// # Errors
    /// If a name is invalid; the error names the violated rule.
    pub fn validate(&self) -> Result<(), HubError> {
        names::check_repository(&self.id)?;
        names::check_revision(&self.revision)
    }

    /// The repository type as in the URLs of the hub's API.
    fn api_type(&self) -> &'static str {
        match self.repo_type {
            RepoType::Model => "models",
            RepoType::Dataset => "datasets",
            RepoType::Space => "spaces",
        }
    }

    /// The path segments of the repository's page.
    fn page_path(&self) -> Vec<&str> {
        let prefix = Some(self.api_type()).filter(|prefix| *prefix != "models");
        prefix.into_iter().chain(self.id.split('/')).collect()
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_type().trim_end_matches('s'), self.id)?;
        if self.revision == "main" { Ok(()) } else { write!(f, " at {}", self.revision) }
    }
}

/// The progress of one file's download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadProgress {
    /// The file's path in its repository.
    pub file: String,
    /// Bytes downloaded, including those of earlier downloads.
    pub done: u64,
    /// Bytes of the complete file; 0 if not yet known.
    pub total: u64,
    /// Bytes that were already downloaded earlier.
    pub resumed: u64,
}

/// A hub and its local cache.
pub struct Hub {
    cache: PathBuf,
    /// `None` when offline.
    client: Option<HubClient>,
    /// The endpoint without a user name and password.
    display_endpoint: String,
    has_token: bool,
}

impl fmt::Debug for Hub {
    /// Leaves out the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.display_endpoint)
            .field("cache", &self.cache)
            .field("has_token", &self.has_token)
            .field("offline", &self.client.is_none())
            .finish()
    }
}

impl Hub {
    /// The hub that the environment configures: `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`,
    /// `HF_TOKEN` or the token that `hf auth login` stored, and `HF_HUB_OFFLINE` or
    /// `TRANSFORMERS_OFFLINE`.
    ///
    /// # Errors
    /// If a variable has an invalid value, or there is no cache folder.
    pub fn from_environment() -> Result<Self, HubError> {
        let environment = HubEnvironment::read(&|name| std::env::var_os(name))?;
        let HubEnvironment { endpoint, cache, token, offline } = environment;
        Self::new(endpoint, cache, token.as_deref(), offline)
    }

    /// A hub at `endpoint` with a cache folder and, for private and gated repositories, a token.
    /// Offline, only the cache is used.
    ///
    /// # Errors
    /// If the endpoint or the token is invalid, or no HTTP client can be created.
    pub fn new(
        endpoint: impl AsRef<str>,
        cache: impl Into<PathBuf>,
        token: Option<&str>,
        offline: bool,
    ) -> Result<Self, HubError> {
        // The message must not repeat the value: it may contain a password.
        let endpoint = Url::parse(endpoint.as_ref())
            .map_err(|error| HubError::InvalidEndpoint { reason: error.to_string() })?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.query().is_some() {
            let reason = "it must start with https:// or http:// and have no query".to_owned();
            return Err(HubError::InvalidEndpoint { reason });
        }
        let display_endpoint = client::display_url(&endpoint);
        let has_token = token.is_some();
        let client = if offline { None } else { Some(HubClient::new(endpoint, token)?) };
        Ok(Self { cache: cache.into(), client, display_endpoint, has_token })
    }

    /// Sets how long to wait for data (default 30 s), and the delay before the first retry of a
    /// broken connection (default 1 s), which doubles with each further retry.
    #[must_use]
    pub fn with_timeouts(mut self, read: Duration, retry_delay: Duration) -> Self {
        if let Some(client) = &mut self.client {
            client.timeouts = Timeouts { read, retry_delay };
        }
        self
    }

    /// The path of a file in the cache, downloaded if necessary; `None` if the repository does not
    /// have the file. `on_progress` is called about ten times a second, and at the end of a
    /// download; the download is cancelled when it returns `false`.
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn file(
        &self,
        repo: &Repo,
        name: &str,
        on_progress: &mut dyn FnMut(&DownloadProgress) -> bool,
    ) -> Result<Option<PathBuf>, HubError> {
        repo.validate()?;
        names::check_file(name)?;
        let cache = RepoCache::new(&self.cache, repo);
        let cached = match cache.lookup(name) {
            CacheLookup::Found(path) => Some(Some(path)),
            CacheLookup::Missing => Some(None),
            CacheLookup::Unknown => None,
        };
        let Some(client) = &self.client else {
            return cached.ok_or_else(|| HubError::offline(Some(name), repo, &self.cache));
        };
        match cached {
            // The files of a commit never change.
            Some(cached) if names::is_commit(&repo.revision) => Ok(cached),
            cached => {
                let mut progress = ProgressReporter::new(name, on_progress);
                let update =
                    update_file(client, &cache, repo, name, cached.is_some(), &mut progress);
                match (client.run(update), cached) {
                    // The hub cannot be reached, or another server responds in its place.
                    (
                        Err(HubError::Unreachable { .. } | HubError::UnexpectedResponse { .. }),
                        Some(cached),
                    ) => Ok(cached),
                    (result, _) => result,
                }
            }
        }
    }

    /// The sorted names of the repository's files: the hub's list, or the cached files if offline
    /// or if the hub cannot be reached. `on_progress` can cancel, as for [`Self::file`].
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn list(
        &self,
        repo: &Repo,
        on_progress: &mut dyn FnMut(&DownloadProgress) -> bool,
    ) -> Result<Vec<String>, HubError> {
        repo.validate()?;
        let cached = || RepoCache::new(&self.cache, repo).snapshot_files();
        let Some(client) = &self.client else {
            return cached().ok_or_else(|| HubError::offline(None, repo, &self.cache));
        };
        let mut progress = ProgressReporter::new("", on_progress);
        match client.run(client.list_files(repo, &mut progress)) {
            Err(error @ (HubError::Unreachable { .. } | HubError::UnexpectedResponse { .. })) => {
                cached().ok_or(error)
            }
            result => result,
        }
    }
}

/// Requests the file's metadata, and downloads its content unless the cache has it.
async fn update_file(
    client: &HubClient,
    cache: &RepoCache,
    repo: &Repo,
    name: &str,
    has_cached: bool,
    progress: &mut ProgressReporter<'_>,
) -> Result<Option<PathBuf>, HubError> {
    let mut remote = client.metadata(repo, name, progress).await;
    // A retry is worth the wait only if the file is not in the cache.
    if matches!(remote, Err(HubError::Unreachable { .. })) && !has_cached {
        progress.sleep(client.timeouts.retry_delay).await?;
        remote = client.metadata(repo, name, progress).await;
    }
    let metadata = match remote? {
        RemoteFile::Found(metadata) => metadata,
        RemoteFile::Missing { commit } => {
            if let Some(commit) = commit {
                // The result does not depend on these writes, and a cache may be read-only.
                let _ = cache.mark_missing(&commit, name);
                let _ = cache.write_ref(&commit);
            }
            return Ok(None);
        }
    };
    let path = cache.snapshot_path(&metadata.commit, name);
    if has_size(&path, metadata.size) {
        let _ = cache.write_ref(&metadata.commit);
        return Ok(Some(path));
    }
    BlobDownload { repo, file: name, metadata: &metadata }.run(client, cache, progress).await?;
    let path = cache.link_snapshot(&metadata.commit, name, &metadata.blob)?;
    cache.write_ref(&metadata.commit)?;
    Ok(Some(path))
}
