//! `nsmc-tui serve`, asked over HTTP.

use crate::support::{TINY, nsmc_tui, program, stderr, stdout};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A key as `openssl rand -hex 16` makes it.
const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// A server, which is killed with its test.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    /// Serves the model in `outputs`.
    fn start(folder: &Path, arguments: &[&str], key: &str) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", "--port", "0"]).args(arguments).current_dir(folder);
        command.env("NSMC_TUI_API_KEY", key).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("http://").expect("an address").to_owned();
        Self { process, address }
    }

    /// Posts a body to `/predict`; returns the status and the answer.
    fn post(&self, body: &Value, header: &str) -> (u16, Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let head = format!(
            "POST /predict HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{header}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.expect("a status"), serde_json::from_str(body).expect("JSON"))
    }

    /// Sends SIGTERM and returns the exit code.
    fn terminate(mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        self.process.wait().expect("a status").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_saved_model_answers_as_predict_does_until_a_signal_ends_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    nsmc_tui(folder.path()).args(["train", "--plain"]).args(TINY).assert().success();
    let text = "정말 재미있는 영화";
    let predicted = nsmc_tui(folder.path()).args(["predict", "--json", text]).assert().success();
    let predicted: Value = serde_json::from_str(&stdout(&predicted)).expect("JSON");

    let serving = Serving::start(folder.path(), &[], "");
    let (status, answer) = serving.post(&json!({"inputs": text}), "");
    assert_eq!((status, &answer[0]["label"]), (200, &predicted["label"]));
    assert_eq!(answer[0]["score"], predicted["score"]);
    let (status, batch) = serving.post(&json!({"inputs": [[text], ["최악"]]}), "");
    assert_eq!((status, batch.as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(serving.terminate(), Some(0));

    // With a key it may listen at every address.
    let serving = Serving::start(folder.path(), &["--hostname", "127.0.0.1"], KEY);
    assert_eq!(serving.post(&json!({"inputs": text}), "").0, 401);
    let header = format!("Authorization: Bearer {KEY}\r\n");
    assert_eq!(serving.post(&json!({"inputs": text}), &header).0, 200);
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn without_a_key_no_other_computer_can_connect() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, expected) in [
        (&["--hostname", "0.0.0.0"][..], "a key is needed"),
        (&["--hostname", "::"], "a key is needed"),
        (&["--hostname", "no such host"], "no such name"),
        (&["--api-key-file", "missing"], "missing"),
        (&[], "Train a model first"),
    ] {
        let run = nsmc_tui(folder.path()).arg("serve").args(arguments).assert().failure();
        assert!(stderr(&run).contains(expected), "{arguments:?}: {}", stderr(&run));
    }
}
