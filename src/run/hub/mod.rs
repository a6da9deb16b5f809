//! Files of models and datasets from the Hugging Face hub, kept where Python's
//! `huggingface_hub` keeps them, so that what either downloaded is there for both.
//!
//! Blocking, and not to be called from async code. A download can be cancelled at any moment and
//! is taken up where it broke off; nothing is offered under a file's name before its size and,
//! where the hub announces it, its sha256 were compared.

mod error;
mod fetch;
mod http;
mod listing;
mod metadata;
mod names;
mod partial;
mod progress;
mod repo_cache;
mod settings;

pub use error::HubError;

use fetch::{Wanted, is_there};
use http::Wire;
use metadata::Found;
use progress::Report;
use repo_cache::{Cached, RepoCache};
use reqwest::Url;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoKind {
    /// A model and its tokenizer.
    Model,
    /// A dataset.
    Dataset,
}

/// A repository of the hub at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// What it holds.
    pub kind: RepoKind,
    /// `owner/name`, or `name` alone for the oldest models.
    pub id: String,
    /// A branch, a tag or a commit; most often `main`.
    pub revision: String,
}

impl Repo {
    /// A model at its branch `main`.
    pub fn model(id: impl Into<String>) -> Self {
        Self { kind: RepoKind::Model, id: id.into(), revision: "main".to_owned() }
    }

    /// A dataset at its branch `main`.
    pub fn dataset(id: impl Into<String>) -> Self {
        Self { kind: RepoKind::Dataset, id: id.into(), revision: "main".to_owned() }
    }

    /// The same repository at another branch, tag or commit.
    #[must_use]
    pub fn at(mut self, revision: impl Into<String>) -> Self {
        self.revision = revision.into();
        self
    }

    /// Checks the names, so that they cannot lead out of the cache.
    ///
    /// # Errors
    /// Says which of the hub's rules is broken.
    pub fn check(&self) -> Result<(), HubError> {
        names::check_repository(&self.id)?;
        names::check_revision(&self.revision)
    }

    /// The parts of its page's address.
    fn path(&self) -> Vec<&str> {
        let prefix = (self.kind == RepoKind::Dataset).then_some("datasets");
        prefix.into_iter().chain(self.id.split('/')).collect()
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RepoKind::Model => "model",
            RepoKind::Dataset => "dataset",
        };
        write!(f, "{kind} {}", self.id)?;
        if self.revision == "main" { Ok(()) } else { write!(f, " at {}", self.revision) }
    }
}

/// How far one file has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The file's path in its repository.
    pub file: String,
    /// The bytes that are there.
    pub done: u64,
    /// The bytes of the whole, 0 while that is not known.
    pub total: u64,
    /// The bytes that were there already when it began.
    pub resumed: u64,
}

/// How long to wait for a hub that is slow or gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// After this long without a byte the connection counts as broken.
    stall: Duration,
    /// The time before a broken connection is first taken up again; it doubles each time.
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), pause: Duration::from_secs(1) }
    }
}

/// A hub and the cache of what came from it.
pub struct Hub {
    cache: PathBuf,
    /// None when offline.
    wire: Option<Wire>,
    shown: String,
    has_token: bool,
}

impl fmt::Debug for Hub {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.shown)
            .field("cache", &self.cache)
            .field("has_token", &self.has_token)
            .field("offline", &self.wire.is_none())
            .finish()
    }
}

impl Hub {
    /// The hub that the environment names: `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`
    /// or the token that `hf auth login` left, and `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`.
    ///
    /// # Errors
    /// If a variable holds what cannot be used, or there is no place for the cache.
    pub fn from_environment() -> Result<Self, HubError> {
        let settings = settings::Settings::read(&|name| std::env::var_os(name))?;
        Self::new(settings.endpoint, settings.cache, settings.token.as_deref(), settings.offline)
    }

    /// A hub at this address, its cache, and a token for what not everybody may read. Offline,
    /// only the cache is looked at.
    ///
    /// # Errors
    /// If the address or the token cannot be used, or connections cannot be set up.
    pub fn new(
        endpoint: impl AsRef<str>,
        cache: impl Into<PathBuf>,
        token: Option<&str>,
        offline: bool,
    ) -> Result<Self, HubError> {
        // The value is not repeated: it may hold a password.
        let endpoint = Url::parse(endpoint.as_ref())
            .map_err(|error| HubError::Endpoint { reason: error.to_string() })?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.query().is_some() {
            let reason = "it must begin with https:// or http:// and hold no '?'".to_owned();
            return Err(HubError::Endpoint { reason });
        }
        let shown = http::shown(&endpoint);
        let has_token = token.is_some();
        let wire = if offline { None } else { Some(Wire::new(endpoint, token)?) };
        Ok(Self { cache: cache.into(), wire, shown, has_token })
    }

    /// Waits this long for a byte (30 s unless set), and this long before a broken connection is
    /// first taken up again (1 s, doubled each time).
    #[must_use]
    pub fn patience(mut self, stall: Duration, pause: Duration) -> Self {
        if let Some(wire) = &mut self.wire {
            wire.patience = Patience { stall, pause };
        }
        self
    }

    /// The file's place in the cache, after it was downloaded if need be; nothing if the
    /// repository does not have it. `watch` hears of progress about ten times a second while
    /// anything is waited for, and at the end of a download; its `false` cancels.
    ///
    /// # Errors
    /// Says what went wrong and what can be done about it.
    pub fn file(
        &self,
        repo: &Repo,
        name: &str,
        watch: &mut dyn FnMut(&Transfer) -> bool,
    ) -> Result<Option<PathBuf>, HubError> {
        repo.check()?;
        names::check_file(name)?;
        let place = RepoCache::new(&self.cache, repo);
        let cached = match place.look(&repo.revision, name) {
            Cached::Here(path) => Some(Some(path)),
            Cached::Absent => Some(None),
            Cached::Unknown => None,
        };
        let Some(wire) = &self.wire else {
            return cached.ok_or_else(|| HubError::offline(Some(name), repo, &self.cache));
        };
        match cached {
            // What a commit holds never changes: there is nothing to ask.
            Some(known) if names::is_commit(&repo.revision) => Ok(known),
            cached => {
                let mut report = Report::new(name, watch);
                let found =
                    wire.run(bring(wire, &place, repo, name, cached.is_some(), &mut report));
                match (found, cached) {
                    // The hub is gone, or somebody else answers in its place.
                    (Err(HubError::Unreachable { .. } | HubError::Strange { .. }), Some(known)) => {
                        Ok(known)
                    }
                    (found, _) => found,
                }
            }
        }
    }

    /// The repository's files at the revision, sorted: all of them as the hub lists them, or
    /// those in the cache when offline or out of the hub's reach. `watch` may cancel, as for a file.
    ///
    /// # Errors
    /// Says what went wrong and what can be done about it.
    pub fn list(
        &self,
        repo: &Repo,
        watch: &mut dyn FnMut(&Transfer) -> bool,
    ) -> Result<Vec<String>, HubError> {
        repo.check()?;
        let cached = || RepoCache::new(&self.cache, repo).files(&repo.revision);
        let Some(wire) = &self.wire else {
            return cached().ok_or_else(|| HubError::offline(None, repo, &self.cache));
        };
        let mut report = Report::new("", watch);
        match wire.run(wire.tree(repo, &mut report)) {
            Err(error @ (HubError::Unreachable { .. } | HubError::Strange { .. })) => {
                cached().ok_or(error)
            }
            listed => listed,
        }
    }
}

/// Asks the hub for the file, and has it come unless its content is here already.
async fn bring(
    wire: &Wire,
    place: &RepoCache,
    repo: &Repo,
    name: &str,
    has_cached: bool,
    report: &mut Report<'_>,
) -> Result<Option<PathBuf>, HubError> {
    let mut found = wire.head(repo, name, report).await;
    // Without anything to fall back to, a second attempt is worth the wait.
    if matches!(found, Err(HubError::Unreachable { .. })) && !has_cached {
        report.sleep(wire.patience.pause).await?;
        found = wire.head(repo, name, report).await;
    }
    let metadata = match found? {
        Found::File(metadata) => metadata,
        Found::Absent(commit) => {
            if let Some(commit) = commit {
                // The answer is right without the marks, and a cache may be for reading only.
                let _ = place.mark_absent(&commit, name);
                let _ = place.remember(&repo.revision, &commit);
            }
            return Ok(None);
        }
    };
    let pointer = place.pointer(&metadata.commit, name);
    if is_there(&pointer, metadata.size) {
        let _ = place.remember(&repo.revision, &metadata.commit);
        return Ok(Some(pointer));
    }
    Wanted { repo, file: name, metadata: &metadata }.fetch(wire, place, report).await?;
    let pointer = place.point(&metadata.commit, name, &metadata.blob)?;
    place.remember(&repo.revision, &metadata.commit)?;
    Ok(Some(pointer))
}
