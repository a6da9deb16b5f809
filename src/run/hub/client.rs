//! The HTTP client of a hub, through which all requests go.
//!
//! It follows redirects itself: the hub announces the commit, the name and the size of a large file
//! on the redirect, and the token may be sent only to the hub's own origin.

use super::error::{root_cause, sanitize_message};
use super::limits::BODY_TIMEOUTS;
use super::progress::ProgressReporter;
use super::{HubError, Repo};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue, LOCATION, RANGE,
};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode, Url};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const MAX_REDIRECTS: usize = 10;

/// Timeouts for slow or broken connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// A response begins at most this long after its request, and a download counts as broken after this long
    /// without enough data.
    pub(super) read: Duration,
    /// The delay before the first retry; it doubles with each further retry.
    pub(super) retry_delay: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { read: Duration::from_secs(30), retry_delay: Duration::from_secs(1) }
    }
}

/// The client of one hub.
pub(super) struct HubClient {
    http: Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    /// `None` only while the client is dropped.
    runtime: Option<tokio::runtime::Runtime>,
    pub(super) timeouts: Timeouts,
    /// The size of each blob that the hub has named.
    pub(super) blobs: Mutex<HashMap<String, u64>>,
}

impl HubClient {
    /// Creates the client without sending a request.
    pub(super) fn new(endpoint: Url, token: Option<&str>) -> Result<Self, HubError> {
        let authorization = match token {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| HubError::InvalidToken)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let http = builder(&endpoint).build();
        let http = http.map_err(|error| HubError::Setup { reason: root_cause(error) })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| HubError::Setup { reason: error.to_string() })?;
        let timeouts = Timeouts::default();
        let (runtime, blobs) = (Some(runtime), Mutex::default());
        Ok(Self { http, endpoint, authorization, runtime, timeouts, blobs })
    }

    /// Runs the future to completion on this thread.
    pub(super) fn run<T>(
        &self,
        future: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => Err(HubError::Setup { reason: "the connection is closed".to_owned() }),
        }
    }

    /// Requests the content of a file from byte `start` on: a response with status 200, 206 or
    /// 416.
    pub(super) async fn content(
        &self,
        repo: &Repo,
        commit: &str,
        file: &str,
        start: u64,
    ) -> Result<Response, HubError> {
        let url = self.file_url(repo, commit, file);
        let response = self.send(Method::GET, url, (start > 0).then_some(start)).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(response)
            }
            _ => Err(self.status_error(repo, &response)),
        }
    }

    /// The result of a small request, or an error after the read timeout, however much of it has
    /// been received.
    pub(super) async fn with_timeout<T>(
        &self,
        request: impl Future<Output = Result<T, HubError>>,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<T, HubError> {
        let result = progress.wait(self.timeouts.read, request).await?;
        result.unwrap_or_else(|| Err(self.unreachable(self.timed_out())))
    }

    /// The body of a response, of at most `limit` bytes and within a limited time.
    pub(super) async fn read_body(
        &self,
        mut response: Response,
        limit: usize,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<Vec<u8>, HubError> {
        let (mut body, began) = (Vec::new(), Instant::now());
        let time = BODY_TIMEOUTS * self.timeouts.read;
        loop {
            let chunk = async {
                response.chunk().await.map_err(|error| self.unreachable(root_cause(error)))
            };
            let Some(chunk) = self.with_timeout(chunk, progress).await? else { return Ok(body) };
            if body.len() + chunk.len() > limit {
                return Err(self.unexpected(format!("a response of more than {limit} bytes")));
            }
            if began.elapsed() > time {
                let reason = format!("a response takes more than {} s", time.as_secs_f64());
                return Err(self.unreachable(reason));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// The description of a read timeout.
    pub(super) fn timed_out(&self) -> String {
        format!("no data for {} s", self.timeouts.read.as_secs_f64())
    }

    /// Sends a request and follows redirects; a `HEAD` request stops at a redirect that has the
    /// file's metadata. The response may have any status except those of an overloaded or failing
    /// server.
    pub(super) async fn send(
        &self,
        method: Method,
        mut url: Url,
        range_start: Option<u64>,
    ) -> Result<Response, HubError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.http.request(method.clone(), url.clone());
            // Sizes and hashes are those of the uncompressed content.
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(authorization) =
                self.authorization.as_ref().filter(|_| is_same_origin(&url, &self.endpoint))
            {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if let Some(start) = range_start {
                request = request.header(RANGE, format!("bytes={start}-"));
            }
            let response =
                request.send().await.map_err(|error| self.unreachable(root_cause(error)))?;
            self.check_encoding(&response)?;
            let status = response.status();
            if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
                return Err(self.unreachable(format!("it answered {}", describe_status(&response))));
            }
            let location = header(&response, LOCATION.as_str()).filter(|_| status.is_redirection());
            let Some(location) = location else { return Ok(response) };
            if method == Method::HEAD && has_file_metadata(&response) {
                return Ok(response);
            }
            url = self.follow(&url, location)?;
        }
        Err(self.unexpected("it redirects endlessly"))
    }

    /// Checks that the content is not compressed: its size and hash would be others, and nothing
    /// decompresses it.
    fn check_encoding(&self, response: &Response) -> Result<(), HubError> {
        match response.headers().get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" && !encoding.is_empty() => Err(self
                .unexpected(
                    "it compresses the content (Content-Encoding), which was not requested",
                )),
            _ => Ok(()),
        }
    }

    /// The URL that a response from `url` refers to, which must have the hub's own origin.
    pub(super) fn resolve_own(&self, url: &Url, reference: &str) -> Result<Url, HubError> {
        match url.join(reference) {
            Ok(next) if is_same_origin(&next, &self.endpoint) => Ok(next),
            _ => Err(self.unexpected("it refers to a page on another host")),
        }
    }

    /// The target of a redirect from `url`, which may not downgrade https to http.
    fn follow(&self, url: &Url, reference: &str) -> Result<Url, HubError> {
        let next =
            url.join(reference).map_err(|_| self.unexpected("it redirects to an invalid URL"))?;
        match (url.scheme(), next.scheme()) {
            ("https", "https") | ("http", "http" | "https") => Ok(next),
            _ => Err(self.unexpected("it redirects to a less secure or another protocol")),
        }
    }

    /// The error of a response whose status is not a success.
    pub(super) fn status_error(&self, repo: &Repo, response: &Response) -> HubError {
        let (name, endpoint) = (repo.to_string(), display_url(&self.endpoint));
        let status = describe_status(response);
        match response.status().as_u16() {
            401 | 403 => {
                let page = display_url(&self.url(&repo.page_path()));
                HubError::Denied { repo: name, page, status }
            }
            404 if header(response, "x-error-code") == Some("RevisionNotFound") => {
                HubError::RevisionNotFound { repo: name, revision: repo.revision.clone() }
            }
            404 if header(response, "x-error-code") != Some("EntryNotFound") => {
                HubError::RepositoryNotFound { repo: name, endpoint }
            }
            _ => HubError::Rejected { endpoint, repo: name, status },
        }
    }

    pub(super) fn unreachable(&self, reason: String) -> HubError {
        HubError::Unreachable { endpoint: display_url(&self.endpoint), reason }
    }

    pub(super) fn unexpected(&self, reason: impl Into<String>) -> HubError {
        let endpoint = display_url(&self.endpoint);
        HubError::UnexpectedResponse { endpoint, reason: reason.into() }
    }

    pub(super) fn file_url(&self, repo: &Repo, revision: &str, file: &str) -> Url {
        let mut segments = repo.page_path();
        segments.extend(["resolve", revision]);
        segments.extend(file.split('/'));
        self.url(&segments)
    }

    /// The endpoint with these path segments, in which a slash is written as `%2F`.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl Drop for HubClient {
    fn drop(&mut self) {
        // A DNS lookup that hangs must not delay the exit of the program.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The builder of a client for a server: it follows no redirects.
pub(super) fn builder(server: &Url) -> ClientBuilder {
    // An error means that a provider has been installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(10));
    // A proxy cannot reach a server on the local host.
    let is_local = matches!(server.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    if is_local { http.no_proxy() } else { http }
}

/// The URL without a user name and password, which must not be displayed.
pub(super) fn display_url(url: &Url) -> String {
    let mut url = url.clone();
    // Neither call can fail for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether both URLs have the same scheme, host and port.
fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether a redirect announces the commit, name and size of the file that it leads to.
pub(super) fn has_file_metadata(response: &Response) -> bool {
    let required = ["x-repo-commit", "x-linked-etag", "x-linked-size"];
    response.status().is_redirection()
        && required.iter().all(|name| header(response, name).is_some())
}

pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The status and the hub's error message.
fn describe_status(response: &Response) -> String {
    match header(response, "x-error-message") {
        Some(message) => format!("{}: {}", response.status(), sanitize_message(message)),
        None => response.status().to_string(),
    }
}
