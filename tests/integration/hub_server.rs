//! A local server with the API of the Hugging Face hub for models and datasets, and with faults
//! that tests can enable.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The commit that `main` of every repository refers to.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The branch of a dataset's Parquet files, with the same commit.
const PARQUET: &str = "refs/convert/parquet";

/// How a file is served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// By the hub itself, with a git object id as its `ETag`.
    Git,
    /// Through a redirect, with its sha256 as its `ETag`.
    Lfs,
}

/// Faults, which are all disabled by default.
#[derive(Default)]
pub struct Faults {
    /// Requests without this token get status 401.
    pub token: Option<String>,
    /// Requests for the content of a file get status 403.
    pub deny_content: bool,
    /// All requests get status 503.
    pub unavailable: bool,
    /// The content that is sent instead of the file's.
    pub content: Option<Vec<u8>>,
    /// The bytes after which each of the next responses with content is cut off.
    pub cuts: VecDeque<usize>,
    /// The bytes after which all later responses with content are cut off.
    pub cut_always: Option<usize>,
    /// The bytes after which a response stalls.
    pub stall: Option<usize>,
    /// The complete content is sent, whatever range is requested.
    pub ignore_range: bool,
    /// The host that redirects lead to, if not this one.
    pub elsewhere: Option<String>,
    /// The number of files on a page of a list.
    pub page: Option<usize>,
    /// The host of the next page of a list, if not this one.
    pub next_page_host: Option<String>,
    /// Every page of a list has a next one.
    pub endless_list: bool,
    /// The body that is sent instead of a list.
    pub list_body: Option<Vec<u8>>,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `HEAD` or `GET`.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The header `Range`.
    pub range: Option<String>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

#[derive(Clone)]
struct Stored {
    content: Vec<u8>,
    storage: Storage,
}

impl Stored {
    fn name(&self) -> String {
        let whole = sha256(&self.content);
        match self.storage {
            Storage::Lfs => whole,
            // 40 digits, the length of a git object id.
            Storage::Git => whole[..40].to_owned(),
        }
    }
}

#[derive(Default)]
struct State {
    /// By `owner/name` and `datasets/owner/name`.
    repositories: HashMap<String, BTreeMap<String, Stored>>,
    faults: Faults,
    requests: Vec<Request>,
}

/// The state that the server shares with its connections.
struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
    stop: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server, which stops when this value is dropped.
pub struct HubServer(Arc<Shared>);

impl HubServer {
    /// A hub without repositories.
    ///
    /// # Errors
    /// If no port is available.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, state) = (listener.local_addr()?, Mutex::default());
        let shared = Arc::new(Shared { address, state, stop: AtomicBool::new(false) });
        let server = Self(Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // The client may close the connection early.
                std::thread::spawn(move || Connection::serve(stream, &shared));
            }
        });
        Ok(server)
    }

    /// The address of the server, for `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Adds a file to `owner/name` or `datasets/owner/name`. Returns the name of its blob.
    pub fn add(&self, repository: &str, file: &str, content: &[u8], storage: Storage) -> String {
        let stored = Stored { content: content.to_vec(), storage };
        let name = stored.name();
        let mut state = self.0.state();
        let files = state.repositories.entry(repository.to_owned()).or_default();
        files.insert(file.to_owned(), stored);
        name
    }

    /// Changes the faults.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.state().faults);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.0.state().requests.clone()
    }

    /// The ranges requested so far, one for each request for content; a redirect does not count
    /// twice.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let requests = self.requests().into_iter();
        let content = requests
            .filter(|request| request.method == "GET" && request.path.contains("/resolve/"));
        content.map(|request| request.range).collect()
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it checks the flag that ends it.
        let _ = TcpStream::connect(self.0.address);
    }
}

/// The sha256 in hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// A request and its response.
struct Connection<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    request: Request,
}

impl<'a> Connection<'a> {
    fn serve(stream: TcpStream, shared: &'a Shared) -> io::Result<()> {
        let Some(request) = read_request(&stream)? else { return Ok(()) };
        shared.state().requests.push(request.clone());
        Self { stream, shared, request }.route()
    }

    fn route(&mut self) -> io::Result<()> {
        let path = self.request.path.split('?').next().unwrap_or_default().to_owned();
        let parts: Vec<String> = path.split('/').skip(1).map(|p| p.replace("%2F", "/")).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if self.shared.state().faults.unavailable {
            return self.answer("503 Service Unavailable", &[], b"unavailable");
        }
        if let ["cdn", name] = parts[..] {
            return self.elsewhere(name);
        }
        let token = self.shared.state().faults.token.clone();
        let wanted = token.map(|token| format!("Bearer {token}"));
        if wanted.is_some() && wanted != self.request.authorization {
            let words = "Access is restricted".to_owned();
            return self.answer("401 Unauthorized", &[("X-Error-Message", words)], b"denied");
        }
        let parts = match &parts[..] {
            ["api", "models", rest @ ..] | ["api", rest @ ..] => rest,
            parts => parts,
        };
        let verb = parts.iter().position(|part| ["resolve", "tree"].contains(part));
        let Some(verb) = verb else { return self.missing("RepoNotFound") };
        let files = self.shared.state().repositories.get(&parts[..verb].join("/")).cloned();
        let Some(files) = files else { return self.missing("RepoNotFound") };
        if !parts.get(verb + 1).is_some_and(|revision| ["main", COMMIT, PARQUET].contains(revision))
        {
            return self.missing("RevisionNotFound");
        }
        if parts[verb] == "tree" {
            return self.list(&files, &path);
        }
        match files.get(&parts[verb + 2..].join("/")) {
            Some(stored) => self.file(stored),
            None => self.missing("EntryNotFound"),
        }
    }

    fn missing(&mut self, code: &str) -> io::Result<()> {
        let mut headers = vec![("X-Error-Code", code.to_owned())];
        if code == "EntryNotFound" {
            headers.push(("X-Repo-Commit", COMMIT.to_owned()));
        }
        self.answer("404 Not Found", &headers, code.as_bytes())
    }

    fn list(&mut self, files: &BTreeMap<String, Stored>, path: &str) -> io::Result<()> {
        let (page, host, endless, body) = {
            let faults = &self.shared.state().faults;
            let host = faults.next_page_host.clone();
            let page = faults.page.unwrap_or(files.len());
            (page, host, faults.endless_list, faults.list_body.clone())
        };
        let host = host.unwrap_or_else(|| format!("http://{}", self.shared.address));
        let cursor = self.request.path.split("cursor=").nth(1);
        let begin = cursor.and_then(|at| at.parse().ok()).unwrap_or(0);
        let entry = |(path, stored): (&String, &Stored)| {
            let (oid, size) = (stored.name(), stored.content.len());
            serde_json::json!({"type": "file", "oid": oid, "size": size, "path": path})
        };
        let mut entries: Vec<_> = files.iter().skip(begin).take(page).map(entry).collect();
        entries.push(serde_json::json!({"type": "directory", "oid": "0", "path": "a-folder"}));
        let mut headers = Vec::new();
        if endless || begin + page < files.len() {
            let next = format!("{path}?recursive=true&cursor={}", begin + page);
            headers.push(("Link", format!("<{host}{next}>; rel=\"next\"")));
        }
        let body =
            body.unwrap_or_else(|| serde_json::Value::from(entries).to_string().into_bytes());
        self.answer("200 OK", &headers, &body)
    }

    /// Sends a small file, or the redirect of a large one.
    fn file(&mut self, stored: &Stored) -> io::Result<()> {
        let commit = ("X-Repo-Commit", COMMIT.to_owned());
        let etag = format!("\"{}\"", stored.name());
        if stored.storage == Storage::Git {
            return self.content(stored, vec![commit, ("ETag", etag)]);
        }
        let here = || format!("http://{}", self.shared.address);
        let host = self.shared.state().faults.elsewhere.clone().unwrap_or_else(here);
        let headers = [
            commit,
            // The ETag of the redirect itself.
            ("ETag", "W/\"redirect\"".to_owned()),
            ("X-Linked-ETag", etag),
            ("X-Linked-Size", stored.content.len().to_string()),
            ("Location", format!("{host}/cdn/{}", stored.name())),
        ];
        self.answer("302 Found", &headers, b"Found. Redirecting")
    }

    /// Sends the content of a large file, without the hub's headers.
    fn elsewhere(&mut self, name: &str) -> io::Result<()> {
        let repositories = self.shared.state().repositories.clone();
        let mut files = repositories.values().flat_map(BTreeMap::values);
        match files.find(|stored| stored.name() == name) {
            Some(stored) => self.content(stored, vec![("ETag", format!("\"{name}\""))]),
            None => self.answer("404 Not Found", &[], b"no such content"),
        }
    }

    fn answer(&mut self, status: &str, headers: &[(&str, String)], body: &[u8]) -> io::Result<()> {
        self.head(status, headers, body.len())?;
        if self.request.method == "HEAD" { Ok(()) } else { self.stream.write_all(body) }
    }

    fn head(&mut self, status: &str, headers: &[(&str, String)], length: usize) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {length}\r\n\r\n");
        self.stream.write_all(head.as_bytes())
    }

    /// Sends a file's content, subject to the faults.
    fn content(&mut self, stored: &Stored, mut headers: Vec<(&str, String)>) -> io::Result<()> {
        let size = stored.content.len();
        if self.request.method == "HEAD" {
            return self.head("200 OK", &headers, size);
        }
        let (denied, content, cut, stall, ignore_range) = {
            let faults = &mut self.shared.state().faults;
            let content = faults.content.clone().unwrap_or_else(|| stored.content.clone());
            let cut = faults.cuts.pop_front().or(faults.cut_always);
            (faults.deny_content, content, cut, faults.stall, faults.ignore_range)
        };
        if denied {
            return self.answer("403 Forbidden", &[], b"<html>denied</html>");
        }
        let range = self.request.range.as_deref().filter(|_| !ignore_range);
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let from: Option<usize> = from.and_then(|(from, _)| from.parse().ok());
        let body = content.get(from.unwrap_or(0)..).unwrap_or_default();
        if let Some(from) = from {
            headers.push(("Content-Range", format!("bytes {from}-{}/{size}", size - 1)));
        }
        self.head(if from.is_some() { "206 Part" } else { "200 OK" }, &headers, body.len())?;
        let sent = stall.or(cut).map_or(body.len(), |bytes| bytes.min(body.len()));
        self.stream.write_all(&body[..sent])?;
        while stall.is_some() && !self.shared.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn read_request(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request = Request { method, path, range: None, authorization: None };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(Some(request))
}
