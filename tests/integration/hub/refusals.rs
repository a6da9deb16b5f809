//! Refusals of the hub, offline mode and invalid names.

use super::{FOLDER, Fixture, MODEL, WEIGHTS, get, write};
use crate::hub_server::{COMMIT, HubServer, Storage};
use nsmc_tui::run::hub::{Hub, HubError, Repo};
use std::fs;
use std::time::Duration;

#[test]
fn a_token_gives_access_and_is_never_printed() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.token = Some("hf_secret".to_owned()));
    for token in [None, Some("hf_wrong")] {
        let hub = fixture.hub_with(token);
        let error = get(&hub, WEIGHTS).expect_err("denied");
        let text = format!("{error} {error:?} {hub:?}");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
        assert!(text.contains("HF_TOKEN") && text.contains("Access is restricted"), "{text}");
        assert!(!text.contains("hf_wrong"), "{text}");
        let error = hub.list(&Repo::model(MODEL), &mut |_| true).expect_err("denied");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
    }
    let hub = fixture.hub_with(Some("hf_secret"));
    get(&hub, WEIGHTS).expect("no error");
    fixture.assert_complete();
    assert!(!format!("{hub:?}").contains("hf_secret"));

    let error = Hub::new(fixture.server.endpoint(), "", Some("hf_\nsecret"), false);
    let error = error.expect_err("an invalid header");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[test]
fn the_token_is_not_sent_to_another_host() {
    let (fixture, other) = (Fixture::new(), HubServer::start().expect("a server"));
    other.add(MODEL, WEIGHTS, &fixture.content, Storage::Lfs);
    fixture.server.faults(|faults| {
        faults.token = Some("hf_secret".to_owned());
        faults.lfs_host = Some(other.endpoint());
    });
    fixture.leave(&fixture.content[..100_000]);
    get(&fixture.hub_with(Some("hf_secret")), WEIGHTS).expect("no error");
    fixture.assert_complete();
    let requests = other.requests();
    let [request] = &requests[..] else { unreachable!("{requests:?}") };
    assert_eq!(request.range.as_deref(), Some("bytes=100000-"));
    assert_eq!(request.authorization, None);
}

#[test]
fn a_missing_file_is_remembered() {
    let fixture = Fixture::new();
    assert_eq!(get(&fixture.hub(), "a/vocab.txt").expect("no error"), None);
    let marker = fixture.in_cache(&format!(".no_exist/{COMMIT}/a/vocab.txt"));
    assert_eq!(fs::read(marker).expect("the marker"), b"");
    // Without the hub, the marker file answers.
    assert_eq!(get(&fixture.offline(), "a/vocab.txt").expect("no error"), None);
    assert_eq!(get(&fixture.unreachable(), "a/vocab.txt").expect("no error"), None);
}

#[test]
fn a_missing_repository_or_revision_is_an_error() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let missing = Repo::model("nobody/nothing");
    for error in
        [hub.file(&missing, WEIGHTS, &mut |_| true).err(), hub.list(&missing, &mut |_| true).err()]
    {
        let error = error.expect("an error");
        assert!(matches!(error, HubError::NoRepository { .. }), "{error}");
        assert!(error.to_string().contains("model nobody/nothing"), "{error}");
    }
    let old = Repo::model(MODEL).at("v0/none");
    let error = hub.file(&old, WEIGHTS, &mut |_| true).expect_err("an error");
    assert!(matches!(&error, HubError::NoRevision { revision, .. } if revision == "v0/none"));
    assert!(!fixture.cache.path().join(FOLDER).exists(), "nothing is left in the cache");
}

#[test]
fn an_error_page_is_not_stored_as_content() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.deny_content = true);
    for file in [WEIGHTS, "config.json"] {
        let error = get(&fixture.hub(), file).expect_err("denied");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
        assert!(!fixture.pointer(file).exists());
    }
    fixture.server.faults(|faults| faults.deny_content = false);
    get(&fixture.hub(), WEIGHTS).expect("no error");
    fixture.assert_complete();
}

#[test]
fn offline_only_the_cache_is_read() {
    let fixture = Fixture::new();
    get(&fixture.hub(), "config.json").expect("no error");
    let before = fixture.server.requests().len();
    let offline = fixture.offline();
    let path = get(&offline, "config.json").expect("no error");
    assert_eq!(path, Some(fixture.pointer("config.json")));
    assert_eq!(offline.list(&Repo::model(MODEL), &mut |_| true).expect("a list"), ["config.json"]);
    for error in
        [get(&offline, WEIGHTS).err(), offline.list(&Repo::model("a/b"), &mut |_| true).err()]
    {
        let error = error.expect("an error");
        assert!(matches!(error, HubError::Offline { .. }), "{error}");
        assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    }
    assert_eq!(fixture.server.requests().len(), before);
}

#[test]
fn an_unreachable_hub_falls_back_to_the_cache() {
    let fixture = Fixture::new();
    let error = get(&fixture.unreachable(), "config.json").expect_err("no answer");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    let message = error.to_string();
    for part in ["http://127.0.0.1:", "refused", "HF_HUB_OFFLINE=1", "HF_ENDPOINT"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    get(&fixture.hub(), "config.json").expect("no error");
    let path = get(&fixture.unreachable(), "config.json").expect("no error");
    assert_eq!(path, Some(fixture.pointer("config.json")));
    let list = fixture.unreachable().list(&Repo::model(MODEL), &mut |_| true);
    assert_eq!(list.expect("a list"), ["config.json"]);

    // A hub that answers with 503.
    fixture.server.faults(|faults| faults.unavailable = true);
    assert_eq!(get(&fixture.hub(), "config.json").expect("no error"), path);
    let error = get(&fixture.hub(), WEIGHTS).expect_err("unavailable");
    assert!(error.to_string().contains("503"), "{error}");
}

#[test]
fn a_hub_that_never_answers_times_out() {
    let fixture = Fixture::new();
    // Connections wait in the queue and are never accepted.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let hub = Hub::new(endpoint, fixture.cache.path(), None, false).expect("a hub");
    let hub = hub.patience(Duration::from_millis(150), Duration::from_millis(2));
    let error = get(&hub, WEIGHTS).expect_err("no answer");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn downloads_of_python_are_found() {
    let fixture = Fixture::new();
    // The files that huggingface_hub writes; it also requests only metadata the next time.
    write(&fixture.in_cache("blobs").join(&fixture.blob), &fixture.content);
    write(&fixture.in_cache("refs/main"), COMMIT.as_bytes());
    let pointer = fixture.pointer(WEIGHTS);
    fs::create_dir_all(pointer.parent().expect("a folder")).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("../../blobs/{}", fixture.blob), &pointer).expect("a link");
    #[cfg(not(unix))]
    write(&pointer, &fixture.content);
    assert_eq!(get(&fixture.hub(), WEIGHTS).expect("no error"), Some(pointer.clone()));
    assert_eq!(get(&fixture.offline(), WEIGHTS).expect("no error"), Some(pointer.clone()));
    assert_eq!(fixture.server.ranges(), []);

    // A commit never changes, so that no request is needed.
    let before = fixture.server.requests().len();
    let pinned = Repo::model(MODEL).at(COMMIT);
    let path = fixture.hub().file(&pinned, WEIGHTS, &mut |_| true).expect("no error");
    assert_eq!((path, fixture.server.requests().len()), (Some(pointer.clone()), before));

    // A damaged blob, as other programs may leave it, is replaced.
    write(&fixture.in_cache("blobs").join(&fixture.blob), b"<html>denied</html>");
    get(&fixture.hub(), WEIGHTS).expect("no error");
    fixture.assert_complete();
}

#[test]
fn names_outside_the_cache_are_refused_without_a_request() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    for id in ["../../etc", "/etc", "a/b/c", "a/..", "-x/y", "a/b?x=1", ""] {
        let error = hub.file(&Repo::model(id), "x", &mut |_| true);
        assert!(matches!(error, Err(HubError::Name { .. })), "{id:?}");
        assert!(
            matches!(hub.list(&Repo::dataset(id), &mut |_| true), Err(HubError::Name { .. })),
            "{id:?}"
        );
    }
    for file in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "\u{1b}[2J", ""] {
        assert!(matches!(get(&hub, file), Err(HubError::Name { .. })), "{file:?}");
    }
    let error = hub.file(&Repo::model(MODEL).at("../x"), "x", &mut |_| true);
    assert!(matches!(error, Err(HubError::Name { .. })));
    assert!(fixture.server.requests().is_empty());
}

#[test]
fn a_list_has_all_pages_and_no_names_outside_the_cache() {
    let fixture = Fixture::new();
    fixture.server.add(MODEL, "../evil.txt", b"", Storage::Git);
    fixture.server.add(MODEL, "1_Pooling/config.json", b"{}", Storage::Git);
    fixture.server.faults(|faults| faults.page = Some(2));
    let expected = ["1_Pooling/config.json", "config.json", WEIGHTS];
    assert_eq!(fixture.hub().list(&Repo::model(MODEL), &mut |_| true).expect("a list"), expected);
    assert_eq!(fixture.server.requests().len(), 2);
    assert!(fixture.server.requests()[0].path.ends_with("/tree/main?recursive=true"));

    fixture.server.add("datasets/e9t/nsmc", "ratings_test.txt", b"id", Storage::Git);
    let list = fixture.hub().list(&Repo::dataset("e9t/nsmc"), &mut |_| true).expect("a list");
    assert_eq!(list, ["ratings_test.txt"]);
}

#[test]
fn invalid_endpoints_are_errors() {
    for endpoint in ["", "huggingface.co", "ftp://x", "https://x/?a=b"] {
        let error = Hub::new(endpoint, "", None, false).expect_err("an invalid endpoint");
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
    let hub = Hub::new("https://user:password@host.example/hf/", "", None, true).expect("a hub");
    let text = format!("{hub:?}");
    assert!(text.contains("https://host.example/hf\"") && !text.contains("password"), "{text}");
}
