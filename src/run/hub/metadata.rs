//! What a hub says of one of its files.
//!
//! hf-hub 1.0 cannot be asked: it follows the redirect of a large file, on which alone the hub
//! announces the commit and the sha256, and then misses them.

use super::http::{Wire, announces, header};
use super::progress::Report;
use super::{HubError, Repo, names};
use reqwest::header::{CONTENT_LENGTH, ETAG};
use reqwest::{Method, StatusCode};

/// What the hub says of a file.
pub(super) struct Metadata {
    /// The commit that the revision stands for.
    pub(super) commit: String,
    /// The name of the blob: the sha256 of a large file, git's name of a small one.
    pub(super) blob: String,
    /// The bytes, if they were announced.
    pub(super) size: Option<u64>,
}

/// Whether there is such a file.
pub(super) enum Found {
    /// There is.
    File(Metadata),
    /// There is not, as of this commit.
    Absent(Option<String>),
}

impl Wire {
    /// What the hub says of the file at the repository's revision.
    pub(super) async fn head(
        &self,
        repo: &Repo,
        file: &str,
        report: &mut Report<'_>,
    ) -> Result<Found, HubError> {
        let url = self.file_url(repo, &repo.revision, file);
        let request = self.send(Method::HEAD, url, None);
        let response = self.in_time(request, report).await?;
        let status = response.status();
        let commit = header(&response, "x-repo-commit").filter(|commit| names::is_commit(commit));
        let commit = commit.map(str::to_owned);
        if status == StatusCode::NOT_FOUND {
            let code = header(&response, "x-error-code");
            if code == Some("EntryNotFound") || (code.is_none() && commit.is_some()) {
                return Ok(Found::Absent(commit));
            }
        }
        if !status.is_success() && !announces(&response) {
            return Err(self.refusal(repo, &response));
        }
        let own = |name| header(&response, name).filter(|_| status.is_success());
        let etag = header(&response, "x-linked-etag").or_else(|| own(ETAG.as_str()));
        let size = header(&response, "x-linked-size").or_else(|| own(CONTENT_LENGTH.as_str()));
        match (commit, etag.and_then(names::blob_name)) {
            (Some(commit), Some(blob)) => {
                let size = size.and_then(|size| size.parse().ok());
                Ok(Found::File(Metadata { commit, blob, size }))
            }
            (None, _) => Err(self.strange("it names no commit (X-Repo-Commit)")),
            (_, None) => Err(self.strange("it names no content (ETag)")),
        }
    }
}
