//! The server: connections, routes, who may ask, and the limits of a request.

use super::ServeLimits;
use super::batcher::{self, Answered, Job};
use super::metrics::Metrics;
use super::types::{ErrorType, Failure, Input, ModelInfo, PredictRequest, answer};
use crate::run::worker::asked_model::AskedModel;
use crossbeam_channel::{Sender, TrySendError};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// How often it is checked whether the server is to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How long requests under way may take once the server stops.
const STOP_TIME: Duration = Duration::from_secs(10);

/// The pause after a failed accept, for example without a free file descriptor.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The most bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;

/// The most bytes of all bodies that are read or wait for an answer.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// A server that listens, but does not answer yet.
pub struct Server {
    /// Where it listens.
    pub listener: TcpListener,
    /// The model.
    pub model: AskedModel,
    /// What `/info` says.
    pub info: ModelInfo,
    /// The key that clients have to send as `Authorization: Bearer KEY`, if there is one.
    pub api_key: Option<String>,
    /// The limits.
    pub limits: ServeLimits,
}

/// Answers requests until `stopping` is set, and then those that are under way.
///
/// # Errors
/// If a thread cannot be started or the listener fails.
pub fn serve(server: Server, stopping: &AtomicBool) -> std::io::Result<()> {
    let Server { listener, model, info, api_key, limits } = server;
    listener.set_nonblocking(true)?;
    let is_local = listener.local_addr()?.ip().is_loopback();
    let service = Arc::new(Service {
        info,
        limits,
        is_browser_safe: !is_local || api_key.is_some(),
        key: api_key.map(|key| digest(key.as_bytes())),
        metrics: Metrics::default(),
        jobs: batcher::start(model, limits.max_concurrent_requests)?,
        under_way: Semaphore::new(limits.max_concurrent_requests),
        bytes: Semaphore::new(MAX_WAITING_BYTES.max(limits.payload_limit)),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(accept(listener, &service, stopping))
}

async fn accept(
    listener: TcpListener,
    service: &Arc<Service>,
    stopping: &AtomicBool,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let open = Arc::new(Semaphore::new(service.limits.max_connections));
    let graceful = GracefulShutdown::new();
    let mut free = None;
    while !stopping.load(Ordering::Relaxed) {
        if free.is_none() {
            free = timeout(STOP_INTERVAL, Arc::clone(&open).acquire_owned()).await.ok();
        }
        if free.is_none() {
            continue;
        }
        let Ok(accepted) = timeout(STOP_INTERVAL, listener.accept()).await else { continue };
        let Ok((stream, _)) = accepted else {
            sleep(RETRY_PAUSE).await;
            continue;
        };
        let (place, service) = (free.take(), Arc::clone(service));
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(service.limits.read_time);
        builder.max_buf_size(MAX_HEAD);
        let respond = service_fn(move |request| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(service.respond(request).await) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), respond));
        tokio::spawn(async move {
            // A client that speaks no HTTP or has gone is no error of the server.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(STOP_TIME, graceful.shutdown()).await;
    Ok(())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

type Answer = Response<Full<Bytes>>;

struct Service {
    info: ModelInfo,
    limits: ServeLimits,
    /// The digest of the key: comparing digests takes no time that depends on the key.
    key: Option<[u8; 32]>,
    /// Whether requests need no protection from pages in a browser of this computer, which could
    /// reach a server without a key under a name of their own.
    is_browser_safe: bool,
    metrics: Metrics,
    jobs: Sender<Job>,
    under_way: Semaphore,
    bytes: Semaphore,
}

impl Service {
    async fn respond(&self, request: Request<Incoming>) -> Answer {
        match self.route(request).await {
            Ok(response) => response,
            Err(failure) => {
                self.metrics.failure(failure.error_type.metric_name());
                let mut response = json_response(failure.status, &failure.to_json());
                if failure.status == 401 {
                    let bearer = HeaderValue::from_static("Bearer");
                    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
                }
                response
            }
        }
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        self.check_host(request.headers())?;
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path();
        if is_get && matches!(path, "/health" | "/ping" | "/") {
            return Ok(text_response(String::new()));
        }
        self.check_key(request.headers())?;
        match path {
            "/predict" if request.method() == Method::POST => self.predict(request).await,
            "/info" if is_get => Ok(json_response(200, &self.info.to_json(&self.limits))),
            "/metrics" if is_get => Ok(text_response(self.metrics.render(self.jobs.len()))),
            "/predict" | "/info" | "/metrics" | "/health" | "/ping" | "/" => {
                let allowed = if path == "/predict" { "POST" } else { "GET, HEAD" };
                let failure = Failure::validation(405, format!("use {allowed}"));
                self.metrics.failure(failure.error_type.metric_name());
                let mut response = json_response(405, &failure.to_json());
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                Ok(response)
            }
            _ => Err(Failure::validation(
                404,
                "there are /predict, /health, /info and /metrics here",
            )),
        }
    }

    fn check_host(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(host) = headers.get(HOST).filter(|_| !self.is_browser_safe) else { return Ok(()) };
        let host = host.to_str().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => host.split(':').next(),
        };
        let name = name.unwrap_or_default();
        let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if is_loopback || name.eq_ignore_ascii_case("localhost") {
            return Ok(());
        }
        Err(Failure::new(
            403,
            ErrorType::Unauthorized,
            "without a key, only requests to localhost are answered",
        ))
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(key) = &self.key else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, given) = given.split_at_checked(7).unwrap_or_default();
        if scheme.eq_ignore_ascii_case(b"bearer ") && digest(given) == *key {
            return Ok(());
        }
        let message = "a request needs the header Authorization: Bearer KEY";
        Err(Failure::new(401, ErrorType::Unauthenticated, message))
    }

    async fn predict(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let began = Instant::now();
        check_content_type(request.headers())?;
        let length = self.length(request.headers())?;
        let permits = u32::try_from(length.max(1)).unwrap_or(u32::MAX);
        let overloaded = |_| Failure::overloaded();
        let _bytes = self.bytes.try_acquire_many(permits).map_err(overloaded)?;
        let _place = self.under_way.try_acquire().map_err(overloaded)?;
        let body = self.read(request.into_body()).await?;
        let request = PredictRequest::parse(&body).map_err(|why| Failure::validation(422, why))?;
        drop(body);
        let kind = if request.is_batch { "batch" } else { "single" };
        self.metrics.request(kind);
        let (size, limit) = (request.inputs.len(), self.limits.max_client_batch_size);
        if size > limit {
            let message = format!("batch size {size} > maximum allowed batch size {limit}");
            return Err(Failure::validation(413, message));
        }
        let answered = self.ask(&request).await?;
        self.check_lengths(&request, &answered)?;
        let value = answer(&request, &answered.predictions, &self.info.labels)
            .map_err(|why| Failure::new(424, ErrorType::Backend, why))?;
        self.metrics.success(kind, began.elapsed(), &answered);
        let mut response = json_response(200, &value);
        let tokens: usize = answered.predictions.iter().map(|found| found.tokens.len()).sum();
        for (name, value) in [
            ("x-compute-tokens", tokens as u128),
            ("x-total-time", began.elapsed().as_millis()),
            ("x-queue-time", answered.queued.as_millis()),
            ("x-inference-time", answered.inference.as_millis()),
        ] {
            let value = HeaderValue::from(u64::try_from(value).unwrap_or(u64::MAX));
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        Ok(response)
    }

    /// The most bytes that the body may have by its header.
    fn length(&self, headers: &HeaderMap) -> Result<usize, Failure> {
        let limit = self.limits.payload_limit;
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        match length.map(str::parse::<usize>) {
            Some(Ok(length)) if length <= limit => Ok(length),
            Some(_) => Err(too_large(limit)),
            // Its length is known at its end.
            None => Ok(limit),
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Failure> {
        let limit = self.limits.payload_limit;
        let collected = timeout(self.limits.read_time, Limited::new(body, limit).collect()).await;
        match collected {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
            Ok(Err(error)) => Err(Failure::validation(400, error.to_string())),
            Err(_) => Err(Failure::validation(408, "the body has not arrived in time")),
        }
    }

    async fn ask(&self, request: &PredictRequest) -> Result<Answered, Failure> {
        if request.inputs.is_empty() || request.inputs.iter().any(Input::is_empty) {
            return Err(Failure::empty());
        }
        let gone = || Failure::new(424, ErrorType::Backend, "the model has failed");
        let (sender, receiver) = oneshot::channel();
        let (inputs, arrived) = (request.inputs.clone(), Instant::now());
        match self.jobs.try_send(Job { inputs, arrived, answer: sender }) {
            Ok(()) => receiver.await.map_err(|_| gone())?,
            Err(TrySendError::Full(_)) => Err(Failure::overloaded()),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }

    /// Refuses texts that were cut, unless they may be.
    fn check_lengths(&self, request: &PredictRequest, answered: &Answered) -> Result<(), Failure> {
        let is_cut = answered.predictions.iter().any(|prediction| prediction.truncated);
        if !is_cut || request.truncate.unwrap_or(self.info.auto_truncate) {
            return Ok(());
        }
        let most = self.info.max_input_length;
        let message = format!(
            "`inputs` must have at most {most} tokens; \"truncate\": true cuts longer texts"
        );
        Err(Failure::validation(413, message))
    }
}

/// A page in a browser cannot send this type to another origin without asking first.
fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::validation(415, "the header Content-Type: application/json is expected"))
}

fn too_large(limit: usize) -> Failure {
    Failure::validation(413, format!("the body has more than {limit} bytes"))
}

fn json_response(status: u16, value: &serde_json::Value) -> Answer {
    response(status, "application/json", value.to_string())
}

fn text_response(text: String) -> Answer {
    response(200, "text/plain; charset=utf-8", text)
}

fn response(status: u16, content_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
