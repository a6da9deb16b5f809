//! Lists a repository's files.

use super::client::{HubClient, header};
use super::error::sanitize_message;
use super::limits::{LIST_TIMEOUTS, MAX_ENTRIES, MAX_LIST_BYTES, MAX_PAGE_BYTES, MAX_PAGES};
use super::progress::ProgressReporter;
use super::{HubError, Repo, names};
use reqwest::header::LINK;
use reqwest::{Method, Url};
use serde::Deserialize;
use std::collections::HashSet;
use std::time::Instant;

/// An entry of the list.
#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    entry_type: EntryType,
    /// The path in the repository.
    path: String,
}

/// A page of the list.
struct TreePage {
    entries: Vec<TreeEntry>,
    /// The URL of the next page.
    next: Option<Url>,
    /// The size of this page.
    bytes: usize,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum EntryType {
    File,
    #[serde(other)]
    Other,
}

impl HubClient {
    /// The repository's files at its revision, sorted. A name that leads out of the cache or that
    /// could control a terminal makes the whole list invalid: without that file, a split would lack
    /// rows.
    pub(super) async fn list_files(
        &self,
        repo: &Repo,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<Vec<String>, HubError> {
        let (mut files, mut count, mut bytes) = (Vec::<String>::new(), 0, 0);
        let (mut next, mut seen) = (Some(self.tree_url(repo)), HashSet::new());
        let (began, time) = (Instant::now(), LIST_TIMEOUTS * self.timeouts.read);
        while let Some(url) = next {
            if !seen.insert(url.clone()) {
                return Err(self.unexpected("its list of files leads back to an earlier page"));
            }
            let page = self.tree_page(repo, url, progress).await?;
            next = page.next;
            count += page.entries.len();
            bytes += page.bytes;
            for entry in page.entries.into_iter().filter(|e| e.entry_type == EntryType::File) {
                if let Some(reason) = names::file_name_error(&entry.path) {
                    let name = sanitize_message(&entry.path);
                    let reason = format!("its list of files names {name:?}; {reason}");
                    return Err(self.unexpected(reason));
                }
                files.push(entry.path);
            }
            if count > MAX_ENTRIES || seen.len() >= MAX_PAGES || bytes > MAX_LIST_BYTES {
                return Err(self.unexpected(format!(
                    "its list of files has more than {MAX_ENTRIES} entries, {MAX_PAGES} pages or \
                     {MAX_LIST_BYTES} bytes"
                )));
            }
            if began.elapsed() > time {
                let seconds = time.as_secs_f64();
                return Err(self.unexpected(format!("its list takes more than {seconds} s")));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn tree_url(&self, repo: &Repo) -> Url {
        let mut segments = vec!["api", repo.api_type()];
        segments.extend(repo.id.split('/'));
        segments.extend(["tree", &repo.revision]);
        let mut url = self.url(&segments);
        url.set_query(Some("recursive=true"));
        url
    }

    /// Requests one page of the list.
    async fn tree_page(
        &self,
        repo: &Repo,
        url: Url,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<TreePage, HubError> {
        let request = self.send(Method::GET, url, None);
        let response = self.with_timeout(request, progress).await?;
        if !response.status().is_success() {
            return Err(self.status_error(repo, &response));
        }
        let next = header(&response, LINK.as_str()).and_then(next_link);
        let next = next.map(|next| self.resolve_own(response.url(), next)).transpose()?;
        let body = self.read_body(response, MAX_PAGE_BYTES, progress).await?;
        match serde_json::from_slice(&body) {
            Ok(entries) => Ok(TreePage { entries, next, bytes: body.len() }),
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
