//! Answers questions over HTTP: `POST /predict` with the request and answer of Hugging Face's Text
//! Embeddings Inference, `/health`, `/info` and `/metrics`.
//!
//! One thread computes: it takes all texts that wait, up to a batch. Connections are served by hyper
//! on a runtime of its own. Everything that a client can use up is bounded: connections, requests
//! under way, the size of a body, the time for it, and the texts of a request.

mod batcher;
mod http;
mod metrics;
mod types;

pub use http::{Server, serve};
pub use types::ModelInfo;

use std::time::Duration;

/// The limits of a server; the first three are options of Text Embeddings Inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// The most requests under way; another one is answered with status 429.
    pub max_concurrent_requests: usize,
    /// The most texts of a request.
    pub max_client_batch_size: usize,
    /// The most bytes of a request's body.
    pub payload_limit: usize,
    /// The most open connections; another one waits.
    pub max_connections: usize,
    /// The time within which a request's head, and then its body, has to arrive.
    pub read_time: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_concurrent_requests: 512,
            max_client_batch_size: 32,
            payload_limit: 2_000_000,
            max_connections: 1024,
            read_time: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests;
