//! A server on the loopback interface, asked over real connections.

use super::*;
use crate::core::engine::EngineOptions;
use crate::core::model::{ModelConfig, SequenceClassifier, Weights};
use crate::core::predict::TextInput;
use crate::core::tokenizer::Tokenizer;
use crate::run::worker::asked_model::AskedModel;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The most tokens of a text.
const LONGEST: usize = 16;

fn asked_model() -> anyhow::Result<AskedModel> {
    let (model, _) = SequenceClassifier::new(ModelConfig::small()?, Weights::none(), 7)?;
    Ok(AskedModel {
        is_untrained: false,
        name: "outputs".to_owned(),
        engine: crate::core::engine::build(&model, &EngineOptions::default())?,
        model,
        tokenizer: Tokenizer::small()?,
        max_length: LONGEST,
        temperature: None,
    })
}

/// A server, which stops when it is dropped.
struct Running {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    fn start(api_key: Option<&str>, limits: ServeLimits) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let model = asked_model()?;
        let info = ModelInfo {
            model_id: model.name.clone(),
            labels: model.labels().to_vec(),
            max_input_length: LONGEST,
            auto_truncate: false,
            device: "cpu".to_owned(),
        };
        let api_key = api_key.map(str::to_owned);
        let server = Server { listener, model, info, api_key, limits };
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || serve(server, &stop));
        Ok(Self { address, stopping, thread: Some(thread) })
    }

    /// Sends bytes and returns the status and the body.
    fn send(&self, request: &[u8]) -> anyhow::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok((status.unwrap_or_default(), body.unwrap_or_default()))
    }

    fn get(&self, path: &str, headers: &str) -> anyhow::Result<(u16, String)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        self.send(format!("{head}{headers}\r\n").as_bytes())
    }

    fn post(&self, body: &str, headers: &str) -> anyhow::Result<(u16, String)> {
        let length = body.len();
        self.send(
            format!(
                "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
            )
            .as_bytes(),
        )
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or_else(|| anyhow::anyhow!("it has stopped"))?;
        thread.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// The answer that the model itself gives, the most probable class first.
fn expected(text: &str, logits: bool) -> anyhow::Result<Value> {
    let mut own = asked_model()?;
    let found = &own.classify(&[TextInput::single(text)])?[0];
    let scores: Vec<f64> = if logits {
        found.logits.iter().map(|&logit| f64::from(logit)).collect()
    } else {
        found.probabilities.clone()
    };
    let mut classes: Vec<(f64, &String)> = scores.into_iter().zip(own.labels()).collect();
    classes.sort_by(|one, other| other.0.total_cmp(&one.0));
    Ok(classes.iter().map(|(score, label)| json!({"score": score, "label": label})).collect())
}

#[test]
fn answers_are_those_of_the_model_in_the_shape_of_tei() -> anyhow::Result<()> {
    let mut running = Running::start(None, ServeLimits::default())?;
    let ask = |body: &Value| -> anyhow::Result<Value> {
        let (status, body) = running.post(&body.to_string(), "")?;
        anyhow::ensure!(status == 200, "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    };
    assert_eq!(ask(&json!({"inputs": "정말 최고"}))?, expected("정말 최고", false)?);
    let raw = json!({"inputs": ["정말 최고"], "raw_scores": true});
    assert_eq!(ask(&raw)?, expected("정말 최고", true)?);
    let batch = ask(&json!({"inputs": [["정말 최고"], ["지루하다", "아니다"]]}))?;
    let first = &batch[0][0]["score"];
    let same = expected("정말 최고", false)?[0]["score"].as_f64();
    assert!(first.as_f64().zip(same).is_some_and(|(one, other)| (one - other).abs() < 1e-6));
    assert_eq!(batch[1].as_array().map(Vec::len), Some(2));

    let long = "정말 재미있는 영화 ".repeat(20);
    let (status, refused) = running.post(&json!({"inputs": long}).to_string(), "")?;
    assert!(status == 413 && refused.contains("at most 16 tokens"), "{refused}");
    assert_eq!(ask(&json!({"inputs": long, "truncate": true}))?, expected(&long, false)?);

    assert_eq!(running.get("/health", "")?, (200, String::new()));
    let (status, info) = running.get("/info", "")?;
    let info: Value = serde_json::from_str(&info)?;
    assert_eq!(
        (status, &info["model_type"]["classifier"]["id2label"]["1"]),
        (200, &json!("positive"))
    );
    let (status, metrics) = running.get("/metrics", "")?;
    assert!(
        status == 200 && metrics.contains("te_request_success{method=\"single\"} 3"),
        "{metrics}"
    );
    running.stop()
}

#[test]
fn requests_at_once_share_batches() -> anyhow::Result<()> {
    let running = Running::start(None, ServeLimits::default())?;
    let expected = expected("최고", false)?;
    std::thread::scope(|scope| {
        let ask = || {
            let (status, body) = running.post(r#"{"inputs": "최고"}"#, "")?;
            anyhow::ensure!(status == 200, "{body}");
            Ok(serde_json::from_str::<Value>(&body)?)
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
        for thread in threads {
            let found = thread.join().map_err(|_| anyhow::anyhow!("a panic"))??;
            let difference = |at: usize| {
                let score = |value: &Value| value[at]["score"].as_f64().unwrap_or(f64::NAN);
                (score(&found) - score(&expected)).abs()
            };
            assert!(difference(0) < 1e-6 && difference(1) < 1e-6, "{found}");
        }
        Ok(())
    })
}

#[test]
fn nonsense_is_refused_and_serving_goes_on() -> anyhow::Result<()> {
    let limits = ServeLimits {
        payload_limit: 1000,
        read_time: Duration::from_millis(500),
        ..ServeLimits::default()
    };
    let mut running = Running::start(None, limits)?;
    for (body, status) in [
        ("", 422),
        ("{\"inputs\": [[]]}", 422),
        ("{\"inputs\": []}", 422),
        ("{\"inputs\": \"\"}", 400),
        ("{\"inputs\": [[\"a\"], [\"\"]]}", 400),
        (&format!("{{\"inputs\": \"{}\"}}", "a".repeat(1000)), 413),
        (&format!("{{\"inputs\": [{}]}}", vec!["[\"a\"]"; 33].join(",")), 413),
    ] {
        let (found, answer) = running.post(body, "")?;
        assert_eq!(found, status, "{body}: {answer}");
        let answer: Value = serde_json::from_str(&answer)?;
        assert!(answer["error"].is_string(), "{answer}");
        let expected = if status == 400 { "Empty" } else { "Validation" };
        assert_eq!(answer["error_type"], expected, "{body}");
    }
    let head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let chunked = format!(
        "{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "a".repeat(2000)
    );
    assert_eq!(running.send(chunked.as_bytes())?.0, 413);
    let text = format!("{head}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}");
    assert_eq!(running.send(text.as_bytes())?.0, 415);
    let unfinished = format!("{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{");
    assert_eq!(running.send(unfinished.as_bytes())?.0, 408);
    let elsewhere = "GET /info HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(running.send(elsewhere.as_bytes())?.0, 403);
    assert_eq!((running.get("/predict", "")?.0, running.get("/nowhere", "")?.0), (405, 404));
    // Neither HTTP nor a whole head.
    assert_eq!(running.send(b"\x16\x03\x01\r\n\r\n")?.0, 400);
    assert_eq!(running.send(b"GET / HTTP/1.1\r\n")?.0, 0);
    assert_eq!(running.post("{\"inputs\": \"a\"}", "")?.0, 200);
    running.stop()
}

#[test]
fn a_key_is_needed_where_there_is_one() -> anyhow::Result<()> {
    let running = Running::start(Some("secret"), ServeLimits::default())?;
    let body = "{\"inputs\": \"a\"}";
    for headers in ["", "Authorization: Bearer other\r\n", "Authorization: Basic secret\r\n"] {
        assert_eq!(running.post(body, headers)?.0, 401, "{headers}");
        assert_eq!(
            (running.get("/info", headers)?.0, running.get("/metrics", headers)?.0),
            (401, 401)
        );
    }
    assert_eq!(running.get("/health", "")?.0, 200);
    assert_eq!(running.post(body, "authorization: bearer secret\r\n")?.0, 200);
    let head = "GET /info HTTP/1.1\r\nHost: gpu-box:3000\r\nConnection: close\r\n";
    let with_key = format!("{head}Authorization: Bearer secret\r\n\r\n");
    assert_eq!(running.send(with_key.as_bytes())?.0, 200);
    Ok(())
}

#[test]
fn more_requests_than_the_limit_are_refused() -> anyhow::Result<()> {
    let limits = ServeLimits { max_concurrent_requests: 1, ..ServeLimits::default() };
    let running = Running::start(None, limits)?;
    // One that is under way.
    let mut slow = TcpStream::connect(running.address)?;
    slow.write_all(
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
          Connection: close\r\nContent-Length: 15\r\n\r\n",
    )?;
    std::thread::sleep(Duration::from_millis(200));
    let body = "{\"inputs\": \"a\"}";
    let (status, answer) = running.post(body, "")?;
    assert!(status == 429 && answer.contains("\"Overloaded\""), "{answer}");
    slow.write_all(body.as_bytes())?;
    let mut answer = String::new();
    slow.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(running.post(body, "")?.0, 200);
    Ok(())
}
