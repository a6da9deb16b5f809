//! Lists a repository's files.

use super::client::{HubClient, header};
use super::progress::ProgressReporter;
use super::{HubError, Repo, names};
use reqwest::header::LINK;
use reqwest::{Method, Url};
use serde::Deserialize;

/// The largest number of entries of a list; models and datasets in Parquet have far fewer.
const MAX_ENTRIES: usize = 100_000;

/// The largest number of pages; a page of the hub has 1,000 entries.
const MAX_PAGES: usize = 1000;

/// The largest size of a page in bytes; an entry takes about 300 bytes.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// An entry of the list.
#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    entry_type: EntryType,
    /// The path in the repository.
    path: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum EntryType {
    File,
    #[serde(other)]
    Other,
}

impl HubClient {
    /// The repository's files at its revision, sorted.
    pub(super) async fn list_files(
        &self,
        repo: &Repo,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<Vec<String>, HubError> {
        let (mut entries, mut next) = (Vec::<TreeEntry>::new(), Some(self.tree_url(repo)));
        for _ in 0..MAX_PAGES {
            let Some(url) = next else {
                let files = entries.into_iter().filter(|entry| entry.entry_type == EntryType::File);
                // Other names cannot be requested, because their paths could lead out of the cache.
                let valid = |path: &String| names::file_name_error(path).is_none();
                let mut files: Vec<String> = files.map(|file| file.path).filter(valid).collect();
                files.sort_unstable();
                return Ok(files);
            };
            let page;
            (page, next) = self.tree_page(repo, url, progress).await?;
            entries.extend(page);
            if entries.len() > MAX_ENTRIES {
                break;
            }
        }
        Err(self.unexpected(format!(
            "its list of files has more than {MAX_ENTRIES} entries or {MAX_PAGES} pages"
        )))
    }

    fn tree_url(&self, repo: &Repo) -> Url {
        let mut segments = vec!["api", repo.api_type()];
        segments.extend(repo.id.split('/'));
        segments.extend(["tree", &repo.revision]);
        let mut url = self.url(&segments);
        url.set_query(Some("recursive=true"));
        url
    }

    /// Requests one page of the list; returns it with the URL of the next page.
    async fn tree_page(
        &self,
        repo: &Repo,
        url: Url,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<(Vec<TreeEntry>, Option<Url>), HubError> {
        let request = self.send(Method::GET, url, None);
        let response = self.with_timeout(request, progress).await?;
        if !response.status().is_success() {
            return Err(self.status_error(repo, &response));
        }
        let next = header(&response, LINK.as_str()).and_then(next_link);
        let next = next.map(|next| self.resolve_own(response.url(), next)).transpose()?;
        let body = self.read_body(response, MAX_PAGE_BYTES, progress).await?;
        match serde_json::from_slice(&body) {
            Ok(entries) => Ok((entries, next)),
            Err(_) => Err(self.unexpected("its list of files is not valid")),
        }
    }
}

/// The target of the link `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters.contains("rel=\"next\"").then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let both = "<https://a.example/1>; rel=\"prev\", </api?cursor=2>; rel=\"next\"";
        assert_eq!(next_link(both), Some("/api?cursor=2"));
        for none in ["", "<https://a.example/1>; rel=\"prev\"", "rel=\"next\"", "<x; rel=\"next\""]
        {
            assert_eq!(next_link(none), None, "{none}");
        }
    }
}
