//! All files of a repository, through hf-hub.

use super::error::heard;
use super::http::{Wire, shown};
use super::progress::Report;
use super::{HubError, Repo, RepoKind, names};
use futures::StreamExt;
use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFError, HFRepository, RepoType, split_id};

/// More files than any model or dataset in Parquet has.
const FILES: usize = 100_000;

impl Wire {
    /// The repository's files at its revision, sorted.
    pub(super) async fn tree(
        &self,
        repo: &Repo,
        report: &mut Report<'_>,
    ) -> Result<Vec<String>, HubError> {
        let (owner, name) = split_id(&repo.id);
        match repo.kind {
            RepoKind::Model => self.listed(&self.lister.model(owner, name), repo, report).await,
            RepoKind::Dataset => self.listed(&self.lister.dataset(owner, name), repo, report).await,
        }
    }

    async fn listed<T: RepoType>(
        &self,
        repository: &HFRepository<T>,
        repo: &Repo,
        report: &mut Report<'_>,
    ) -> Result<Vec<String>, HubError> {
        let refused = |error: HFError| self.refused(repo, &error);
        let entries = repository
            .list_tree()
            .revision(repo.revision.clone())
            .recursive(true)
            .limit(FILES)
            .send()
            .map_err(refused)?;
        let mut entries = std::pin::pin!(entries);
        let mut files = Vec::new();
        loop {
            let next = async { entries.next().await.transpose().map_err(refused) };
            let Some(entry) = self.in_time(next, report).await? else {
                files.sort_unstable();
                return Ok(files);
            };
            // A name that could leave the folder is none that anybody can ask for.
            if let RepoTreeEntry::File { path, .. } = entry
                && names::file_fault(&path).is_none()
            {
                files.push(path);
            }
        }
    }

    /// hf-hub's errors in our words, which say what to do.
    fn refused(&self, repo: &Repo, error: &HFError) -> HubError {
        let (name, endpoint) = (repo.to_string(), shown(&self.endpoint));
        let context = match error {
            HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::Http { context } => context,
            HFError::RepoNotFound { .. } | HFError::EntryNotFound { .. } => {
                return HubError::NoRepository { repo: name, endpoint };
            }
            HFError::RevisionNotFound { .. } => {
                return HubError::NoRevision { repo: name, revision: repo.revision.clone() };
            }
            HFError::Request { .. } | HFError::RateLimited { .. } => {
                return self.unreachable(heard(&error.to_string()));
            }
            _ => return self.strange("its list of files cannot be read"),
        };
        let answer = match &context.server_message {
            Some(message) => format!("{}: {}", context.status, heard(message)),
            None => context.status.to_string(),
        };
        match (context.status.as_u16(), context.error_code.as_deref()) {
            (401 | 403, _) => {
                HubError::Denied { repo: name, page: shown(&self.url(&repo.path())), answer }
            }
            (404, Some("RevisionNotFound")) => {
                HubError::NoRevision { repo: name, revision: repo.revision.clone() }
            }
            (404, _) => HubError::NoRepository { repo: name, endpoint },
            (408 | 429 | 500.., _) => self.unreachable(format!("it answered {answer}")),
            _ => HubError::Refused { endpoint, repo: name, answer },
        }
    }
}
