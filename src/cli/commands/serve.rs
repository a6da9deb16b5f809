//! `nsmc-tui serve`.

use super::saved;
use crate::cli::flags::ServeFlags;
use crate::cli::output::print_to_stderr;
use crate::core::bounded_file::read_text;
use crate::core::text::sanitize_for_terminal;
use crate::run::serve::{ModelInfo, ServeLimits, Server, serve};
use anyhow::{Context, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The environment variable with the key.
const KEY_VARIABLE: &str = "NSMC_TUI_API_KEY";

/// The fewest characters of a key.
const SHORTEST_KEY: usize = 16;

/// The most bytes of the file with the key.
const MAX_KEY_BYTES: u64 = 4096;

pub fn run(flags: &ServeFlags, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let api_key = api_key(flags.api_key_file.as_deref())?;
    // Before the model is loaded, so that a wrong address is found at once.
    let addresses = addresses(&flags.hostname, flags.port)?;
    if api_key.is_none() && !addresses.iter().all(|address| address.ip().is_loopback()) {
        bail!(
            "--hostname {}: other computers can reach it, so a key is needed: pass \
             --api-key-file FILE or set {KEY_VARIABLE}",
            sanitize_for_terminal(&flags.hostname)
        );
    }
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second one ends the program at once.
        signal_hook::flag::register_conditional_shutdown(
            signal,
            128 + signal,
            Arc::clone(&stopping),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&stopping))?;
    }
    let model = saved::load_to_ask(&flags.model, &flags.compute, flags.int8)?;
    let info = ModelInfo {
        model_id: model.name.clone(),
        labels: model.labels().to_vec(),
        max_input_length: model.max_length,
        auto_truncate: flags.auto_truncate,
        device: model.engine.device(),
    };
    let limits = ServeLimits {
        max_concurrent_requests: flags.max_concurrent_requests,
        max_client_batch_size: flags.max_client_batch_size,
        payload_limit: flags.payload_limit,
        ..ServeLimits::default()
    };
    let listener = TcpListener::bind(addresses.as_slice()).with_context(|| {
        format!(
            "cannot listen at {}, port {}; pass another --port",
            sanitize_for_terminal(&flags.hostname),
            flags.port
        )
    })?;
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    print_to_stderr("Serving; Ctrl-C ends it.");
    serve(Server { listener, model, info, api_key, limits }, &stopping)?;
    Ok(ExitCode::SUCCESS)
}

/// The addresses to listen at; the first one that is free is used.
fn addresses(hostname: &str, port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    let shown = || sanitize_for_terminal(hostname).into_owned();
    let found = (hostname, port).to_socket_addrs();
    let found: Vec<SocketAddr> =
        found.with_context(|| format!("--hostname {}: no such name", shown()))?.collect();
    anyhow::ensure!(!found.is_empty(), "--hostname {}: it has no address", shown());
    Ok(found)
}

/// The key that clients have to send, if there is one.
fn api_key(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let (key, from) = match file {
        Some(file) => {
            let name = sanitize_for_terminal(&file.display().to_string()).into_owned();
            let text = read_text(file, MAX_KEY_BYTES).with_context(|| name.clone())?;
            (text.trim().to_owned(), name)
        }
        None => match std::env::var(KEY_VARIABLE) {
            Ok(key) if !key.is_empty() => (key, KEY_VARIABLE.to_owned()),
            _ => return Ok(None),
        },
    };
    let is_usable = key.len() >= SHORTEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    anyhow::ensure!(
        is_usable,
        "{from}: a key has at least {SHORTEST_KEY} letters, digits or signs and no spaces, as \
         `openssl rand -hex 32` makes it"
    );
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_and_has_no_spaces() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("key");
        let read = |text: &str| {
            std::fs::write(&file, text)?;
            api_key(Some(&file))
        };
        assert_eq!(read("0123456789abcdef\n")?.as_deref(), Some("0123456789abcdef"));
        for text in ["", "short", "0123456789 abcdef", "비밀비밀비밀비밀비밀비밀"] {
            assert!(read(text).is_err_and(|error| error.to_string().contains("openssl")), "{text}");
        }
        assert!(api_key(Some(&folder.path().join("nowhere"))).is_err());
        Ok(())
    }

    #[test]
    fn names_are_resolved() -> anyhow::Result<()> {
        assert!(addresses("127.0.0.1", 0)?.iter().all(|found| found.ip().is_loopback()));
        assert!(addresses("0.0.0.0", 80)?.iter().all(|found| !found.ip().is_loopback()));
        assert!(addresses("no such name", 1).is_err());
        Ok(())
    }
}
