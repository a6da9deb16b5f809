//! Files from the hub: downloads, resuming, verification, the cache, and errors.

mod hostile;
mod refusals;

use crate::hub_server::{COMMIT, HubServer, Storage, sha256};
use nsmc_tui::run::hub::{DownloadProgress, Hub, HubError, Repo};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MODEL: &str = "klue/tiny-bert";
const FOLDER: &str = "models--klue--tiny-bert";
const WEIGHTS: &str = "model.safetensors";

/// A server, an empty cache, and large content without repetition.
struct Fixture {
    server: HubServer,
    cache: TempDir,
    content: Vec<u8>,
    /// The name of the content's blob.
    blob: String,
}

impl Fixture {
    fn new() -> Self {
        let server = HubServer::start().expect("a server");
        let content: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).collect();
        let blob = server.add(MODEL, WEIGHTS, &content, Storage::Lfs);
        server.add(MODEL, "config.json", b"{}", Storage::Git);
        Self { server, cache: tempfile::tempdir().expect("a folder"), content, blob }
    }

    fn hub(&self) -> Hub {
        self.hub_with(None)
    }

    fn hub_with(&self, token: Option<&str>) -> Hub {
        let hub = Hub::new(self.server.endpoint(), self.cache.path(), token, false);
        hub.expect("a hub").with_timeouts(Duration::from_millis(250), Duration::from_millis(2))
    }

    fn offline(&self) -> Hub {
        Hub::new(self.server.endpoint(), self.cache.path(), None, true).expect("a hub")
    }

    /// A hub at an address where no server listens.
    fn unreachable(&self) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let hub = Hub::new(endpoint, self.cache.path(), None, false).expect("a hub");
        hub.with_timeouts(Duration::from_millis(250), Duration::from_millis(2))
    }

    fn in_cache(&self, path: &str) -> PathBuf {
        self.cache.path().join(FOLDER).join(path)
    }

    fn pointer(&self, file: &str) -> PathBuf {
        self.in_cache(&format!("snapshots/{COMMIT}/{file}"))
    }

    fn incomplete(&self) -> PathBuf {
        self.in_cache(&format!("blobs/{}.incomplete", self.blob))
    }

    /// Creates the file that an interrupted download leaves.
    fn leave(&self, content: &[u8]) {
        write(&self.incomplete(), content);
    }

    fn assert_complete(&self) {
        assert!(fs::read(self.pointer(WEIGHTS)).expect("the file") == self.content);
        assert!(!self.incomplete().exists(), "the partial file is renamed to the blob");
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn get(hub: &Hub, file: &str) -> Result<Option<PathBuf>, HubError> {
    hub.file(&Repo::model(MODEL), file, &mut |_| true)
}

#[test]
fn a_file_is_downloaded_once_and_then_cached() {
    let fixture = Fixture::new();
    let mut reports: Vec<DownloadProgress> = Vec::new();
    let mut on_progress = |progress: &DownloadProgress| {
        reports.push(progress.clone());
        true
    };
    let path =
        fixture.hub().file(&Repo::model(MODEL), WEIGHTS, &mut on_progress).expect("an answer");
    assert_eq!(path, Some(fixture.pointer(WEIGHTS)));
    fixture.assert_complete();
    let size = fixture.content.len() as u64;
    let last = reports.last().expect("the end is reported");
    assert_eq!((last.file.as_str(), last.done, last.total, last.resumed), (WEIGHTS, size, size, 0));

    // The layout of huggingface_hub.
    assert!(fixture.in_cache("blobs").join(&fixture.blob).is_file());
    assert_eq!(fs::read_to_string(fixture.in_cache("refs/main")).expect("a ref"), COMMIT);
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(fixture.pointer(WEIGHTS)).expect("a link"),
        Path::new("../../blobs").join(&fixture.blob)
    );

    assert_eq!(get(&fixture.hub(), WEIGHTS).expect("an answer"), path);
    assert_eq!(fixture.server.ranges(), [None], "the second time nothing is downloaded");
}

#[test]
fn a_file_in_a_folder_of_a_dataset() {
    let fixture = Fixture::new();
    let text = "아 더빙.. 진짜 짜증나네요".as_bytes();
    fixture.server.add("datasets/e9t/nsmc", "data/train.txt", text, Storage::Git);
    let path = fixture.hub().file(&Repo::dataset("e9t/nsmc"), "data/train.txt", &mut |_| true);
    let path = path.expect("an answer").expect("a file");
    assert!(path.ends_with(format!("datasets--e9t--nsmc/snapshots/{COMMIT}/data/train.txt")));
    assert_eq!(fs::read(path).expect("the file"), text);
}

#[test]
fn an_empty_file_and_a_repository_without_an_owner() {
    let fixture = Fixture::new();
    fixture.server.add("tiny-bert", "empty.txt", b"", Storage::Git);
    let path = fixture.hub().file(&Repo::model("tiny-bert"), "empty.txt", &mut |_| true);
    assert_eq!(fs::read(path.expect("an answer").expect("a file")).expect("the file"), b"");
}

#[test]
fn an_interrupted_download_is_resumed() {
    let fixture = Fixture::new();
    fixture.leave(&fixture.content[..100_000]);
    let mut first = None;
    let mut on_progress = |progress: &DownloadProgress| {
        if progress.resumed > 0 && first.is_none() {
            first = Some((progress.done, progress.resumed));
        }
        true
    };
    fixture.hub().file(&Repo::model(MODEL), WEIGHTS, &mut on_progress).expect("an answer");
    fixture.assert_complete();
    assert_eq!(fixture.server.ranges(), [Some("bytes=100000-".to_owned())]);
    assert_eq!(first, Some((100_000, 100_000)));
}

#[test]
fn a_complete_partial_file_is_only_verified() {
    let fixture = Fixture::new();
    fixture.leave(&fixture.content);
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    assert_eq!(fixture.server.ranges(), []);
}

#[test]
fn a_corrupt_or_overlong_partial_file_is_discarded() {
    for corrupt in [vec![7; 100_000], vec![7; 500_000]] {
        let fixture = Fixture::new();
        fixture.leave(&corrupt);
        get(&fixture.hub(), WEIGHTS).expect("an answer");
        fixture.assert_complete();
        assert_eq!(
            fixture.server.ranges().last(),
            Some(&None),
            "the last request is for the complete file"
        );
    }
}

#[test]
fn a_server_without_range_requests_is_supported() {
    let fixture = Fixture::new();
    fixture.leave(&fixture.content[..100_000]);
    fixture.server.faults(|faults| faults.ignore_range = true);
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    assert_eq!(fixture.server.ranges().len(), 1, "the complete response is used");
}

#[test]
fn a_broken_connection_is_retried() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.cuts = [90_000, 50_000].into());
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    let ranges = fixture.server.ranges();
    let expected = [None, Some("bytes=90000-".to_owned()), Some("bytes=140000-".to_owned())];
    assert_eq!(ranges, expected);
}

#[test]
fn after_too_many_interruptions_the_partial_file_is_kept() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.cut_always = Some(10_000));
    let error = get(&fixture.hub(), WEIGHTS).expect_err("it is interrupted");
    assert!(matches!(&error, HubError::Interrupted { done: 50_000, .. }), "{error}");
    assert!(error.to_string().contains("Run the same command again"), "{error}");
    assert_eq!(fs::metadata(fixture.incomplete()).expect("the part").len(), 50_000);
    assert!(!fixture.pointer(WEIGHTS).exists());

    fixture.server.faults(|faults| faults.cut_always = None);
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    assert_eq!(fixture.server.ranges().last(), Some(&Some("bytes=50000-".to_owned())));
}

#[test]
fn a_stalled_connection_counts_as_broken() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.stall = Some(1_000));
    let hub = fixture.hub().with_timeouts(Duration::from_millis(100), Duration::from_millis(2));
    let error = get(&hub, WEIGHTS).expect_err("it stalls");
    assert!(matches!(&error, HubError::Interrupted { done: 5_000, .. }), "{error}");
    assert!(error.to_string().contains("no data for 0.1 s"), "{error}");
}

#[test]
fn a_stalled_download_can_be_cancelled() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.stall = Some(20_000));
    let hub = fixture.hub().with_timeouts(Duration::from_mins(1), Duration::from_mins(1));
    let began = Instant::now();
    let mut on_progress = |progress: &DownloadProgress| progress.done < 20_000;
    let error = hub.file(&Repo::model(MODEL), WEIGHTS, &mut on_progress);
    let error = error.expect_err("it is cancelled");
    assert!(matches!(error, HubError::Cancelled), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(fs::metadata(fixture.incomplete()).expect("the part").len(), 20_000);
    assert!(!fixture.pointer(WEIGHTS).exists());
}

#[test]
fn a_download_waits_for_the_lock_of_another_process() {
    let fixture = Fixture::new();
    let lock =
        fixture.cache.path().join(".locks").join(FOLDER).join(format!("{}.lock", fixture.blob));
    write(&lock, b"");
    let lock = fs::File::open(lock).expect("the lock");
    lock.lock().expect("the lock");
    let mut reports = 0;
    let mut on_progress = |_: &DownloadProgress| {
        reports += 1;
        reports < 4
    };
    let error = fixture.hub().file(&Repo::model(MODEL), WEIGHTS, &mut on_progress);
    assert!(matches!(error, Err(HubError::Cancelled)), "{error:?}");
    assert_eq!(fixture.server.ranges(), []);

    // The other process has finished.
    write(&fixture.in_cache("blobs").join(&fixture.blob), &fixture.content);
    lock.unlock().expect("the lock");
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    assert_eq!(fixture.server.ranges(), []);
}

#[test]
fn content_with_a_wrong_hash_or_size_is_deleted() {
    let fixture = Fixture::new();
    let mut wrong = fixture.content.clone();
    wrong[7] ^= 1;
    fixture.server.faults(|faults| faults.content = Some(wrong.clone()));
    let error = get(&fixture.hub(), WEIGHTS).expect_err("it is corrupt");
    let HubError::HashMismatch { expected, found, .. } = &error else {
        unreachable!("{error}");
    };
    assert_eq!((expected, found), (&fixture.blob, &sha256(&wrong)));
    assert!(!fixture.incomplete().exists() && !fixture.pointer(WEIGHTS).exists());
    assert_eq!(fixture.server.ranges().len(), 1, "a complete response is not requested again");

    // Longer than announced.
    fixture.server.faults(|faults| faults.content = Some([&fixture.content[..], b"more"].concat()));
    let error = get(&fixture.hub(), WEIGHTS).expect_err("it is too long");
    assert!(matches!(error, HubError::SizeMismatch { .. }), "{error}");
    assert!(!fixture.incomplete().exists() && !fixture.pointer(WEIGHTS).exists());
}
