//! A hub that misbehaves: the token stays at the hub, and every response is bounded in size and time.

use nsmc_tui::run::hub::{Hub, HubError, Repo};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TAG: &str = "00112233445566778899aabbccddeeff00112233";
const TOKEN: &str = "Bearer hf_secret";

/// A response: its head, its body, and what is then sent again and again, with pauses.
#[derive(Clone, Default)]
struct Reply {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    repeated: Vec<u8>,
    pause: Duration,
}

/// An answer to `HEAD` with these headers, and to `GET` with this body.
fn reply(status: &'static str, headers: &[(&'static str, &str)], body: &[u8]) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply { status, headers, body: body.to_vec(), ..Reply::default() }
}

/// The headers of a file of this size.
fn file_headers(size: &str) -> [(&'static str, &str); 3] {
    [("X-Repo-Commit", COMMIT), ("ETag", TAG), ("Content-Length", size)]
}

/// A server that answers each request, given its method and path, as a function says.
struct EvilHub {
    address: String,
    /// The method, path and `Authorization` of each request.
    requests: Arc<Mutex<Vec<[String; 3]>>>,
    cache: TempDir,
}

impl EvilHub {
    fn start(answer: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (requests, answer) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(answer));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // The client may close the connection early.
                std::thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { address, requests, cache: tempfile::tempdir().expect("a folder") }
    }

    fn requests(&self) -> Vec<[String; 3]> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hub(&self) -> Hub {
        let endpoint = format!("http://{}", self.address);
        let hub = Hub::new(endpoint, self.cache.path(), Some("hf_secret"), false);
        hub.expect("a hub").with_timeouts(Duration::from_millis(250), Duration::from_millis(2))
    }

    fn file(&self, name: &str) -> Result<Option<PathBuf>, HubError> {
        self.hub().file(&Repo::model("m/evil"), name, &mut |_| true)
    }

    fn list(&self) -> Result<Vec<String>, HubError> {
        self.hub().list(&Repo::dataset("m/evil"), &mut |_| true)
    }

    /// The message of a request that fails before any content is requested.
    fn refusal(&self, file: &str) -> String {
        let error = self.file(file).expect_err("it is refused");
        let contents = self.requests().into_iter().filter(|request| request[0] == "GET");
        assert_eq!(contents.count(), 0, "nothing is downloaded");
        error.to_string()
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<[String; 3]>>,
    answer: &(dyn Fn(&str, &str) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut authorization = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if line.to_ascii_lowercase().starts_with("authorization: ") {
            line["authorization: ".len()..].clone_into(&mut authorization);
        }
    }
    let mut words = first.split(' ');
    let [method, path] = [(); 2].map(|()| words.next().unwrap_or_default().to_owned());
    let reply = answer(&method, &path);
    let request = [method.clone(), path, authorization];
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if method == "HEAD" {
        return Ok(());
    }
    stream.write_all(&reply.body)?;
    while !reply.repeated.is_empty() {
        stream.write_all(&reply.repeated)?;
        std::thread::sleep(reply.pause);
    }
    Ok(())
}

#[test]
fn the_token_follows_no_redirect_or_link_to_another_origin() {
    let other = EvilHub::start(|_, _| reply("200 OK", &[("Content-Length", "2")], b"[]"));
    let there = format!("http://{}/tree", other.address);
    let port = there.clone();
    let redirecting = EvilHub::start(move |_, _| reply("302 Found", &[("Location", &port)], b""));
    assert_eq!(redirecting.list().expect("an empty list"), [""; 0]);
    let requests = other.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0][2], "", "the token was sent to another port");
    assert_eq!(redirecting.requests()[0][2], TOKEN);

    // Another port, another scheme, and a host that only begins like the hub.
    let host = |hub: &EvilHub| hub.address.clone();
    let ports: [fn(&str, &str) -> String; 3] = [
        |_, other| other.to_owned(),
        |own, _| own.replace("http://", "https://"),
        |own, other| format!("{}@{}", own, other.trim_start_matches("http://")),
    ];
    for target in ports {
        let address = Arc::new(Mutex::new(String::new()));
        let (known, there) = (Arc::clone(&address), there.clone());
        let linking = EvilHub::start(move |_, _| {
            let own = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let link = format!("<{}>; rel=\"next\"", target(&own, &there));
            reply("200 OK", &[("Link", &link), ("Content-Length", "2")], b"[]")
        });
        *address.lock().expect("no panic") = format!("http://{}", host(&linking));
        let error = linking.list().expect_err("a page elsewhere");
        assert!(error.to_string().contains("a page on another host"), "{error}");
    }
    assert_eq!(other.requests().len(), 1, "no link was followed");
}

#[test]
fn redirects_end_and_lead_to_the_web_only() {
    for (target, reason) in
        [("/m/evil/resolve/main/x", "endlessly"), ("file:///etc/passwd", "or another protocol")]
    {
        let hub = EvilHub::start(move |_, _| reply("302 Found", &[("Location", target)], b""));
        let error = hub.refusal("x");
        assert!(error.contains(reason), "{error}");
        assert!(hub.requests().len() <= 22);
    }
}

#[test]
fn a_list_is_bounded_in_bytes_pages_and_time() {
    let entry = b"{\"type\":\"file\",\"path\":\"default/train/0000.parquet\"},".repeat(1000);
    let endless = Reply { repeated: entry, ..reply("200 OK", &[], b"[") };
    let hub = EvilHub::start(move |_, _| endless.clone());
    let error = hub.list().expect_err("it never ends");
    assert!(error.to_string().contains("16777216 bytes"), "{error}");

    let circle = EvilHub::start(|_, path| {
        let link = format!("<{path}>; rel=\"next\"");
        reply("200 OK", &[("Link", &link), ("Content-Length", "2")], b"[]")
    });
    let error = circle.list().expect_err("it never ends");
    assert!(error.to_string().contains("an earlier page"), "{error}");
    assert_eq!(circle.requests().len(), 1);

    // A byte now and then, always before the read timeout.
    let pause = Duration::from_millis(100);
    let drip = Reply { repeated: b" ".to_vec(), pause, ..reply("200 OK", &[], b"[") };
    let hub = EvilHub::start(move |_, _| drip.clone());
    let began = Instant::now();
    let error = hub.list().expect_err("it never ends");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_file_is_bounded_before_it_is_downloaded() {
    let without = [("X-Repo-Commit", COMMIT), ("ETag", TAG), ("Transfer-Encoding", "chunked")];
    let hub = EvilHub::start(move |_, _| reply("200 OK", &without, b""));
    assert!(hub.refusal("model.safetensors").contains("size of the file is not announced"));

    let huge = (1_u64 << 60).to_string();
    let hub = EvilHub::start(move |_, _| reply("200 OK", &file_headers(&huge), b""));
    let error = hub.file("model.safetensors").expect_err("no disk is that large");
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(hub.requests().iter().all(|request| request[0] == "HEAD"));

    let hub = EvilHub::start(|_, _| reply("200 OK", &file_headers("50000000"), b""));
    let error = hub.refusal("config.json");
    assert!(error.contains("config.json has 50000000 bytes"), "{error}");

    let headers = [&file_headers("3")[..], &[("Content-Encoding", "gzip")]].concat();
    let hub = EvilHub::start(move |_, _| reply("200 OK", &headers, b"xxx"));
    let error = hub.refusal("config.json");
    assert!(error.contains("compresses the content"), "{error}");

    let flood: Vec<_> = (0..3000).map(|_| ("X-Flood", "y".repeat(8000))).collect();
    let hub =
        EvilHub::start(move |_, _| Reply { headers: flood.clone(), ..reply("200 OK", &[], b"") });
    assert!(matches!(hub.file("config.json"), Err(HubError::Unreachable { .. })));
}

#[test]
fn a_file_that_drips_has_stalled() {
    let pause = Duration::from_millis(50);
    let hub = EvilHub::start(move |_, _| Reply {
        repeated: b" ".to_vec(),
        pause,
        ..reply("200 OK", &file_headers("100000"), b"")
    });
    let began = Instant::now();
    let error = hub.file("config.json").expect_err("it would take hours");
    assert!(matches!(error, HubError::Interrupted { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn names_that_the_hub_chooses_lead_to_no_other_file() {
    let size = ("Content-Length", "2");
    for (headers, reason) in [
        ([("X-Repo-Commit", COMMIT), ("ETag", "\"../../../x\""), size], "ETag"),
        ([("X-Repo-Commit", COMMIT), ("ETag", "\"..%2f..%2fx\""), size], "ETag"),
        ([("X-Repo-Commit", COMMIT), ("ETag", "\"abc.incomplete\""), size], "ETag"),
        ([("X-Repo-Commit", "../../../x"), ("ETag", TAG), size], "X-Repo-Commit"),
        ([("X-Repo-Commit", "main"), ("ETag", TAG), size], "X-Repo-Commit"),
    ] {
        let hub = EvilHub::start(move |_, _| reply("200 OK", &headers, b"{}"));
        let error = hub.refusal("config.json");
        assert!(error.contains(reason), "{error}");
        assert_eq!(std::fs::read_dir(hub.cache.path()).expect("a folder").count(), 0);
    }
}

#[test]
fn files_with_the_same_tag_do_not_replace_each_other() {
    let evil = EvilHub::start(|_, path| {
        let body: &[u8] = if path.ends_with("config.json") { b"{}" } else { b"abc" };
        reply("200 OK", &file_headers(&body.len().to_string()), body)
    });
    let (hub, repo) = (evil.hub(), Repo::model("m/evil"));
    let config = hub.file(&repo, "config.json", &mut |_| true).expect("an answer");
    let error = hub.file(&repo, "vocab.txt", &mut |_| true).expect_err("the same tag");
    assert!(error.to_string().contains("the same ETag"), "{error}");
    assert_eq!(std::fs::read(config.expect("a file")).expect("content"), b"{}");
}

#[test]
fn a_pointer_of_git_lfs_is_not_stored_as_the_file() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 700000\n";
    let size = pointer.len().to_string();
    let hub = EvilHub::start(move |_, _| reply("200 OK", &file_headers(&size), pointer.as_bytes()));
    let error = hub.file("model.safetensors").expect_err("it is not the file");
    assert!(matches!(error, HubError::Pointer { .. }), "{error}");
    let blobs = hub.cache.path().join("models--m--evil/blobs");
    assert_eq!(std::fs::read_dir(blobs).expect("a folder").count(), 0);
}
