//! The connection to a hub. Redirects are followed here: the hub announces a large file's commit,
//! name and size on the redirect itself, and the token goes to the hub's own host alone.

use super::error::{cause, heard};
use super::progress::Report;
use super::{HubError, Patience, Repo};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use std::time::Duration;

/// Redirects in a row before they are taken for a trap.
const HOPS: usize = 10;

/// The connection to one hub.
pub(super) struct Wire {
    client: Client,
    /// hf-hub's client, which lists what a repository holds.
    pub(super) lister: hf_hub::HFClient,
    pub(super) endpoint: Url,
    bearer: Option<HeaderValue>,
    runtime: Option<tokio::runtime::Runtime>,
    pub(super) patience: Patience,
}

impl Wire {
    /// Sets everything up without asking anything.
    pub(super) fn new(endpoint: Url, token: Option<&str>) -> Result<Self, HubError> {
        let bearer = match token {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| HubError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        // No proxy leads to this machine itself.
        let is_here = matches!(endpoint.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        let client = |redirect| {
            let client = Client::builder()
                .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect)
                .connect_timeout(Duration::from_secs(10));
            let client = if is_here { client.no_proxy() } else { client };
            client.build().map_err(|error| HubError::Setup { reason: cause(error) })
        };
        let lister = lister(&endpoint, token, client(Policy::limited(HOPS))?)?;
        let client = client(Policy::none())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| HubError::Setup { reason: error.to_string() })?;
        Ok(Self {
            client,
            lister,
            endpoint,
            bearer,
            runtime: Some(runtime),
            patience: Patience::default(),
        })
    }

    /// Runs the future to its end on this thread.
    pub(super) fn run<T>(
        &self,
        future: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => Err(HubError::Setup { reason: "the connection is closed".to_owned() }),
        }
    }

    /// The file at the commit from this byte on: an answer of 200, 206 or 416.
    pub(super) async fn get(
        &self,
        repo: &Repo,
        commit: &str,
        file: &str,
        from: u64,
    ) -> Result<Response, HubError> {
        let url = self.file_url(repo, commit, file);
        let response = self.send(Method::GET, url, (from > 0).then_some(from)).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(response)
            }
            _ => Err(self.refusal(repo, &response)),
        }
    }

    /// The words for a connection over which nothing comes.
    pub(super) fn stalled(&self) -> String {
        format!("nothing came for {} s", self.patience.stall.as_secs_f64())
    }

    pub(super) async fn in_time<T>(
        &self,
        request: impl Future<Output = Result<T, HubError>>,
        report: &mut Report<'_>,
    ) -> Result<T, HubError> {
        let answer = report.wait(self.patience.stall, request).await?;
        answer.unwrap_or_else(|| Err(self.unreachable(self.stalled())))
    }

    /// Sends and follows redirects, up to the one that announces a file where it is only asked
    /// about. The answer may have any status but those of a hub that is not well.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        from: Option<u64>,
    ) -> Result<Response, HubError> {
        let mut url = url;
        for _ in 0..=HOPS {
            let mut request = self.client.request(method.clone(), url.clone());
            // Sizes and hashes are of what is sent, so it must not be packed on the way.
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(bearer) = self.bearer.as_ref().filter(|_| same_place(&url, &self.endpoint))
            {
                request = request.header(AUTHORIZATION, bearer.clone());
            }
            if let Some(from) = from {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.send().await.map_err(|error| self.unreachable(cause(error)))?;
            let status = response.status();
            if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
                return Err(self.unreachable(format!("it answered {}", told(&response))));
            }
            let next = header(&response, LOCATION.as_str()).filter(|_| status.is_redirection());
            let Some(next) = next else { return Ok(response) };
            if method == Method::HEAD && announces(&response) {
                return Ok(response);
            }
            let next = url.join(next);
            let next = next.map_err(|_| self.strange("it redirects to what is no address"))?;
            if !matches!(
                (url.scheme(), next.scheme()),
                ("https", "https") | ("http", "http" | "https")
            ) {
                return Err(self.strange("it redirects from https to another protocol"));
            }
            url = next;
        }
        Err(self.strange("it redirects without an end"))
    }

    /// What a status that is no success means.
    pub(super) fn refusal(&self, repo: &Repo, response: &Response) -> HubError {
        let (name, endpoint) = (repo.to_string(), shown(&self.endpoint));
        let answer = told(response);
        match response.status().as_u16() {
            401 | 403 => {
                let page = shown(&self.url(&repo.path()));
                HubError::Denied { repo: name, page, answer }
            }
            404 if header(response, "x-error-code") == Some("RevisionNotFound") => {
                HubError::NoRevision { repo: name, revision: repo.revision.clone() }
            }
            404 if header(response, "x-error-code") != Some("EntryNotFound") => {
                HubError::NoRepository { repo: name, endpoint }
            }
            _ => HubError::Refused { endpoint, repo: name, answer },
        }
    }

    pub(super) fn unreachable(&self, reason: String) -> HubError {
        HubError::Unreachable { endpoint: shown(&self.endpoint), reason }
    }

    pub(super) fn strange(&self, reason: &str) -> HubError {
        HubError::Strange { endpoint: shown(&self.endpoint), reason: reason.to_owned() }
    }

    pub(super) fn file_url(&self, repo: &Repo, revision: &str, file: &str) -> Url {
        let mut parts = repo.path();
        parts.extend(["resolve", revision]);
        parts.extend(file.split('/'));
        self.url(&parts)
    }

    /// The endpoint with these parts, in each of which a slash is written as `%2F`.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }
}

/// hf-hub's client, with our address and token instead of those it finds for itself.
fn lister(
    endpoint: &Url,
    token: Option<&str>,
    client: Client,
) -> Result<hf_hub::HFClient, HubError> {
    let builder = hf_hub::HFClient::builder()
        .endpoint(endpoint.as_str())
        .client(client)
        .retry_max_attempts(1)
        .cache_enabled(false);
    let builder = match token {
        Some(token) => builder.token(token),
        None => builder,
    };
    builder.build().map_err(|error| HubError::Setup { reason: heard(&error.to_string()) })
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A look-up of a host that never ends must not keep the program from ending.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The address without a user's name and password, which must not be shown.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail for an address with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether both are on the same port of the same host.
fn same_place(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether a redirect says all there is to say of the file that it leads to.
pub(super) fn announces(response: &Response) -> bool {
    let needed = ["x-repo-commit", "x-linked-etag", "x-linked-size"];
    response.status().is_redirection() && needed.iter().all(|name| header(response, name).is_some())
}

pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The status and the hub's own words.
fn told(response: &Response) -> String {
    match header(response, "x-error-message") {
        Some(message) => format!("{}: {}", response.status(), heard(message)),
        None => response.status().to_string(),
    }
}
