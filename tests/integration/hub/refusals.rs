//! Denied, missing and unreachable files, offline use, and lists of files.

use super::{FOLDER, Fixture, MODEL, WEIGHTS, get, write};
use crate::hub_server::{COMMIT, HubServer, Storage};
use nsmc_tui::run::hub::{Hub, HubError, Repo};
use std::fs;
use std::time::Duration;

#[test]
fn a_token_grants_access_and_is_never_displayed() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.token = Some("hf_secret".to_owned()));
    for token in [None, Some("hf_wrong")] {
        let hub = fixture.hub_with(token);
        let error = get(&hub, WEIGHTS).expect_err("access is denied");
        let text = format!("{error} {error:?} {hub:?}");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
        assert!(text.contains("HF_TOKEN") && text.contains("Access is restricted"), "{text}");
        assert!(!text.contains("hf_wrong"), "{text}");
        let error = hub.list(&Repo::model(MODEL), &mut |_| true).expect_err("access is denied");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
    }
    let hub = fixture.hub_with(Some("hf_secret"));
    get(&hub, WEIGHTS).expect("an answer");
    fixture.assert_complete();
    assert!(!format!("{hub:?}").contains("hf_secret"));

    let error = Hub::new(fixture.server.endpoint(), "", Some("hf_\nsecret"), false);
    let error = error.expect_err("no header may hold that");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[test]
fn the_token_is_not_sent_to_the_host_of_a_redirect() {
    let (fixture, other) = (Fixture::new(), HubServer::start().expect("a server"));
    other.add(MODEL, WEIGHTS, &fixture.content, Storage::Lfs);
    fixture.server.faults(|faults| {
        faults.token = Some("hf_secret".to_owned());
        faults.elsewhere = Some(other.endpoint());
    });
    fixture.leave(&fixture.content[..100_000]);
    get(&fixture.hub_with(Some("hf_secret")), WEIGHTS).expect("an answer");
    fixture.assert_complete();
    let requests = other.requests();
    let [requests] = &requests[..] else { unreachable!("{requests:?}") };
    assert_eq!(requests.range.as_deref(), Some("bytes=100000-"));
    assert_eq!(requests.authorization, None);
}

#[test]
fn a_file_that_the_repository_does_not_have() {
    let fixture = Fixture::new();
    assert_eq!(get(&fixture.hub(), "a/vocab.txt").expect("an answer"), None);
    let mark = fixture.in_cache(&format!(".no_exist/{COMMIT}/a/vocab.txt"));
    assert_eq!(fs::read(mark).expect("the mark"), b"");
    // The missing file is recorded in the cache: no request is needed.
    assert_eq!(get(&fixture.offline(), "a/vocab.txt").expect("an answer"), None);
    assert_eq!(get(&fixture.unreachable(), "a/vocab.txt").expect("an answer"), None);
}

#[test]
fn a_missing_repository_or_revision_is_an_error() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let nobody = Repo::model("nobody/nothing");
    for error in
        [hub.file(&nobody, WEIGHTS, &mut |_| true).err(), hub.list(&nobody, &mut |_| true).err()]
    {
        let error = error.expect("an error");
        assert!(matches!(error, HubError::RepositoryNotFound { .. }), "{error}");
        assert!(error.to_string().contains("model nobody/nothing"), "{error}");
    }
    let old = Repo::model(MODEL).at("v0/none");
    let error = hub.file(&old, WEIGHTS, &mut |_| true).expect_err("there is none");
    assert!(matches!(&error, HubError::RevisionNotFound { revision, .. } if revision == "v0/none"));
    assert!(!fixture.cache.path().join(FOLDER).exists(), "nothing is left in the cache");
}

#[test]
fn a_denied_response_is_not_stored_as_content() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.deny_content = true);
    for file in [WEIGHTS, "config.json"] {
        let error = get(&fixture.hub(), file).expect_err("it is denied");
        assert!(matches!(error, HubError::Denied { .. }), "{error}");
        assert!(!fixture.pointer(file).exists());
    }
    fixture.server.faults(|faults| faults.deny_content = false);
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
}

#[test]
fn offline_only_the_cache_is_used() {
    let fixture = Fixture::new();
    get(&fixture.hub(), "config.json").expect("an answer");
    let before = fixture.server.requests().len();
    let offline = fixture.offline();
    let path = get(&offline, "config.json").expect("an answer");
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
fn the_cache_is_used_if_the_hub_is_unreachable() {
    let fixture = Fixture::new();
    let error = get(&fixture.unreachable(), "config.json").expect_err("no server answers");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    for word in ["http://127.0.0.1:", "refused", "HF_HUB_OFFLINE=1", "HF_ENDPOINT"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    get(&fixture.hub(), "config.json").expect("an answer");
    let path = get(&fixture.unreachable(), "config.json").expect("an answer");
    assert_eq!(path, Some(fixture.pointer("config.json")));
    let list = fixture.unreachable().list(&Repo::model(MODEL), &mut |_| true);
    assert_eq!(list.expect("a list"), ["config.json"]);

    // A failing hub.
    fixture.server.faults(|faults| faults.unavailable = true);
    assert_eq!(get(&fixture.hub(), "config.json").expect("an answer"), path);
    let error = get(&fixture.hub(), WEIGHTS).expect_err("it is unavailable");
    assert!(error.to_string().contains("503"), "{error}");
}

#[test]
fn a_hub_that_does_not_respond_times_out() {
    let fixture = Fixture::new();
    // Connections are queued but never accepted.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let hub = Hub::new(endpoint, fixture.cache.path(), None, false).expect("a hub");
    let hub = hub.with_timeouts(Duration::from_millis(150), Duration::from_millis(2));
    let error = get(&hub, WEIGHTS).expect_err("no server answers");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn files_downloaded_by_huggingface_hub_are_found() {
    let fixture = Fixture::new();
    // The layout of huggingface_hub.
    write(&fixture.in_cache("blobs").join(&fixture.blob), &fixture.content);
    write(&fixture.in_cache("refs/main"), COMMIT.as_bytes());
    let pointer = fixture.pointer(WEIGHTS);
    fs::create_dir_all(pointer.parent().expect("a folder")).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("../../blobs/{}", fixture.blob), &pointer).expect("a link");
    #[cfg(not(unix))]
    write(&pointer, &fixture.content);
    assert_eq!(get(&fixture.hub(), WEIGHTS).expect("an answer"), Some(pointer.clone()));
    assert_eq!(get(&fixture.offline(), WEIGHTS).expect("an answer"), Some(pointer.clone()));
    assert_eq!(fixture.server.ranges(), []);

    // A commit never changes: no request is needed.
    let before = fixture.server.requests().len();
    let pinned = Repo::model(MODEL).at(COMMIT);
    let path = fixture.hub().file(&pinned, WEIGHTS, &mut |_| true).expect("an answer");
    assert_eq!((path, fixture.server.requests().len()), (Some(pointer.clone()), before));

    // An incomplete blob, as other programs may leave it, is replaced.
    write(&fixture.in_cache("blobs").join(&fixture.blob), b"<html>denied</html>");
    get(&fixture.hub(), WEIGHTS).expect("an answer");
    fixture.assert_complete();
}

#[test]
fn names_that_lead_out_of_the_cache_are_rejected_without_a_request() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    for id in ["../../etc", "/etc", "a/b/c", "a/..", "-x/y", "a/b?x=1", ""] {
        let error = hub.file(&Repo::model(id), "x", &mut |_| true);
        assert!(matches!(error, Err(HubError::InvalidName { .. })), "{id:?}");
        assert!(
            matches!(
                hub.list(&Repo::dataset(id), &mut |_| true),
                Err(HubError::InvalidName { .. })
            ),
            "{id:?}"
        );
    }
    for file in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "\u{1b}[2J", ""] {
        assert!(matches!(get(&hub, file), Err(HubError::InvalidName { .. })), "{file:?}");
    }
    let error = hub.file(&Repo::model(MODEL).at("../x"), "x", &mut |_| true);
    assert!(matches!(error, Err(HubError::InvalidName { .. })));
    assert!(fixture.server.requests().is_empty());
}

#[test]
fn a_list_contains_all_pages() {
    let fixture = Fixture::new();
    fixture.server.add(MODEL, "1_Pooling/config.json", b"{}", Storage::Git);
    // Directories are not counted.
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
fn a_list_with_a_name_that_leads_out_of_the_cache_is_refused_by_name() {
    for name in ["../evil.txt", "default/train/../../evil", "/etc/x.parquet", "a\u{1b}[2J"] {
        let fixture = Fixture::new();
        fixture.server.add(MODEL, name, b"", Storage::Git);
        let error = fixture.hub().list(&Repo::model(MODEL), &mut |_| true);
        let error = error.expect_err("an invalid list").to_string();
        let shown = name.replace('\u{1b}', "\u{fffd}");
        assert!(error.contains(&shown) && !error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn a_next_page_on_another_host_is_not_requested() {
    let (fixture, other) = (Fixture::new(), HubServer::start().expect("a server"));
    other.add(MODEL, WEIGHTS, &fixture.content, Storage::Lfs);
    fixture.server.faults(|faults| {
        faults.token = Some("hf_secret".to_owned());
        faults.page = Some(1);
        faults.next_page_host = Some(other.endpoint());
    });
    let error = fixture.hub_with(Some("hf_secret")).list(&Repo::model(MODEL), &mut |_| true);
    let error = error.expect_err("the list is incomplete");
    assert!(matches!(error, HubError::UnexpectedResponse { .. }), "{error}");
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn an_endless_or_oversized_list_is_an_error() {
    for body in [None, Some(vec![b' '; 17 << 20]), Some(b"<html>".to_vec())] {
        let fixture = Fixture::new();
        fixture.server.faults(|faults| {
            faults.endless_list = body.is_none();
            faults.list_body.clone_from(&body);
        });
        let error = fixture.hub().list(&Repo::model(MODEL), &mut |_| true);
        let error = error.expect_err("not a list");
        assert!(matches!(error, HubError::UnexpectedResponse { .. }), "{error}");
        assert!(fixture.server.requests().len() <= 1000);
    }
}

#[test]
fn invalid_endpoints_are_errors() {
    for endpoint in ["", "huggingface.co", "ftp://x", "https://x/?a=b"] {
        let error = Hub::new(endpoint, "", None, false).expect_err("not a URL");
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
    let hub = Hub::new("https://user:password@host.example/hf/", "", None, true).expect("a hub");
    let text = format!("{hub:?}");
    assert!(text.contains("https://host.example/hf\"") && !text.contains("password"), "{text}");
}
