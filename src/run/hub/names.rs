//! Names that become paths: checked, so that none can leave the cache's folder.

use super::HubError;
use crate::core::text;
use std::borrow::Cow;

/// The hub's rules for `name` and `owner/name`.
pub(super) fn check_repository(id: &str) -> Result<(), HubError> {
    let fail = |reason| Err(HubError::Name { what: "repository", name: id.to_owned(), reason });
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 {
        return fail("it has more parts than owner/name");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for part in parts {
        if part.is_empty() || part.len() > 96 {
            return fail("each part has 1 to 96 characters");
        }
        if !part.chars().all(|c| plain(c) || c == '-' || c == '.') {
            return fail("only letters, digits, '-', '_' and '.' may stand in it");
        }
        if !part.starts_with(plain) || !part.ends_with(plain) {
            return fail("no part begins or ends with '-' or '.'");
        }
        if part.contains("..") || part.contains("--") {
            return fail("neither '..' nor '--' may stand in it");
        }
    }
    Ok(())
}

/// A branch, tag, commit or `refs/pr/1`.
pub(super) fn check_revision(revision: &str) -> Result<(), HubError> {
    let fail = |reason| Err(HubError::Name { what: "revision", name: revision.to_owned(), reason });
    if revision.is_empty() || revision.len() > 255 {
        return fail("it has 1 to 255 bytes");
    }
    if !revision.chars().all(|c| c.is_alphanumeric() || "-_./+@=#".contains(c)) {
        return fail("only letters, digits and -_./+@=# may stand in it");
    }
    if revision.contains("..") || revision.split('/').any(|part| part.is_empty() || part == ".") {
        return fail("it must not lead out of its folder");
    }
    if revision.starts_with(['-', '.']) {
        return fail("it does not begin with '-' or '.'");
    }
    Ok(())
}

/// A file's path in its repository: relative, with `/` between its parts.
pub(super) fn check_file(name: &str) -> Result<(), HubError> {
    match file_fault(name) {
        Some(reason) => Err(HubError::Name { what: "file", name: name.to_owned(), reason }),
        None => Ok(()),
    }
}

/// What is wrong with a file's path in its repository.
pub(super) fn file_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 1024 {
        return Some("it has 1 to 1024 bytes");
    }
    if matches!(text::sanitize_for_terminal(name), Cow::Owned(_)) {
        return Some("it holds characters that cannot be shown");
    }
    if name.contains('\\') || (cfg!(windows) && name.contains(':')) {
        return Some("only '/' may stand between its parts");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("it must not lead out of its folder");
    }
    None
}

/// Whether this is a whole commit, which never changes, and not a branch or tag.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The name of the blob with this `ETag`, without quotes and the mark of a weak one; nothing if
/// no character of it is fit for a name.
pub(super) fn blob_name(etag: &str) -> Option<String> {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = etag.chars().filter(fit).take(128).collect();
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

/// The sha256 that a blob's name is, if it is one. Other names are git's and say nothing that
/// could be compared without git's header.
pub(super) fn sha256_of(blob_name: &str) -> Option<&str> {
    (blob_name.len() == 64 && blob_name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(blob_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_hubs_rules() {
        for good in ["klue/bert-base", "bert-base-multilingual-cased", "e9t/nsmc", "a_b/c.d-1_"] {
            assert!(check_repository(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/b", "a/b/c", "../x", "a/..", "a/.b", "-a/b", "a/b-", "a b/c"] {
            assert!(check_repository(bad).is_err(), "{bad:?}");
        }
        for bad in ["a/b\n", "a\\b", "한글/모델", "a--b/c", "a/b..c", "/etc"] {
            assert!(check_repository(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn revisions_stay_in_their_folder() {
        for good in ["main", "v1.0", "refs/pr/1", "feature/x", "0f9cbbf1"] {
            assert!(check_revision(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "a/../b", "/main", "main/", "-x", ".git", "a b", "a\\b", "a/./b"] {
            assert!(check_revision(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_stay_in_their_folder() {
        for good in ["config.json", "1_Pooling/config.json", ".gitattributes", "데이터.tsv"] {
            assert!(check_file(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a\u{1b}[2J"]
        {
            assert!(check_file(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_blob_is_named_by_what_is_fit_of_its_etag() {
        assert_eq!(blob_name("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(blob_name("W/\"abc\"").as_deref(), Some("abc"));
        assert_eq!(blob_name("\"../../x y\"").as_deref(), Some("xy"));
        assert_eq!(blob_name("\"//\""), None);
        assert_eq!(blob_name(".."), None);
    }
}
