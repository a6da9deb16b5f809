//! Sends a JSON object to an address that is not a hub's: without the hub's token, and without
//! following redirects.

use super::client::builder;
use super::error::root_cause;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;

/// Sends a JSON object with POST, and waits for the status of the response, at most `limit`. The
/// response's body is not read.
///
/// # Errors
/// If the address is invalid, does not respond in time, redirects or responds with an error. The
/// message does not have the address, which may be a secret.
pub fn post_json(url: &str, body: &str, limit: Duration) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let http = builder(&url).build().map_err(root_cause)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let request = http.post(url).header(CONTENT_TYPE, "application/json").body(body.to_owned());
    let response = runtime.block_on(async { tokio::time::timeout(limit, request.send()).await });
    // A DNS lookup that hangs must not delay the caller.
    runtime.shutdown_background();
    let response = response.map_err(|_| format!("no response in {} s", limit.as_secs_f64()))?;
    let status = response.map_err(root_cause)?.status();
    if status.is_redirection() {
        return Err(format!("it answered {status}: pass the address that it redirects to"));
    }
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}
