//! Validates names that become paths, so that no path leads out of the cache.

use super::HubError;
use crate::core::text;
use std::borrow::Cow;

/// The end of the name of a blob that is being downloaded.
pub(super) const PARTIAL: &str = ".incomplete";

/// Checks `name` or `owner/name` by the hub's rules.
pub(super) fn check_repository(id: &str) -> Result<(), HubError> {
    let fail =
        |reason| Err(HubError::InvalidName { what: "repository", name: id.to_owned(), reason });
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 {
        return fail("it has more parts than owner/name");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for part in parts {
        if part.is_empty() || part.len() > 96 {
            return fail("each part must have 1 to 96 characters");
        }
        if !part.chars().all(|c| plain(c) || c == '-' || c == '.') {
            return fail("only letters, digits, '-', '_' and '.' are allowed");
        }
        if !part.starts_with(plain) || !part.ends_with(plain) {
            return fail("no part may start or end with '-' or '.'");
        }
        if part.contains("..") || part.contains("--") {
            return fail("'..' and '--' are not allowed");
        }
    }
    Ok(())
}

/// Checks a branch, tag, commit or `refs/pr/1`.
pub(super) fn check_revision(revision: &str) -> Result<(), HubError> {
    let fail =
        |reason| Err(HubError::InvalidName { what: "revision", name: revision.to_owned(), reason });
    if revision.is_empty() || revision.len() > 255 {
        return fail("it must have 1 to 255 bytes");
    }
    if !revision.chars().all(|c| c.is_alphanumeric() || "-_./+@=#".contains(c)) {
        return fail("only letters, digits and -_./+@=# are allowed");
    }
    if revision.contains("..") || revision.split('/').any(|part| part.is_empty() || part == ".") {
        return fail("empty parts, '.' and '..' are not allowed");
    }
    if revision.starts_with(['-', '.']) {
        return fail("it may not start with '-' or '.'");
    }
    Ok(())
}

/// Checks a file's path in its repository: relative, with `/` as separator.
pub(super) fn check_file(name: &str) -> Result<(), HubError> {
    match file_name_error(name) {
        Some(reason) => Err(HubError::InvalidName { what: "file", name: name.to_owned(), reason }),
        None => Ok(()),
    }
}

/// Why a file's path in its repository is invalid.
pub(super) fn file_name_error(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 1024 {
        return Some("it must have 1 to 1024 bytes");
    }
    if matches!(text::sanitize_for_terminal(name), Cow::Owned(_)) {
        return Some("control characters are not allowed");
    }
    if name.contains('\\') || (cfg!(windows) && name.contains(':')) {
        return Some("only '/' may separate its parts");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("empty parts, '.' and '..' are not allowed");
    }
    None
}

/// Whether this is a full commit id, which never changes, and not a branch or tag.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The name of the blob with this `ETag`: the tag without quotes and without the weak prefix `W/`.
/// `None` if it is not a safe file name, or is that of a blob being downloaded: two tags never share
/// a file.
pub(super) fn blob_name(etag: &str) -> Option<String> {
    let name = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = (1..=128).contains(&name.len()) && name.chars().all(is_safe);
    (is_name && !name.starts_with('.') && !name.ends_with(PARTIAL)).then(|| name.to_owned())
}

/// The blob's name if it is a sha256. Other names are git object ids, which are not verified.
pub(super) fn sha256_of(blob_name: &str) -> Option<&str> {
    (blob_name.len() == 64 && blob_name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(blob_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_hubs_rules() {
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
    fn revisions_do_not_lead_out_of_their_folder() {
        for good in ["main", "v1.0", "refs/pr/1", "feature/x", "0f9cbbf1"] {
            assert!(check_revision(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "a/../b", "/main", "main/", "-x", ".git", "a b", "a\\b", "a/./b"] {
            assert!(check_revision(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_do_not_lead_out_of_their_folder() {
        for good in ["config.json", "1_Pooling/config.json", ".gitattributes", "데이터.tsv"] {
            assert!(check_file(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a\u{1b}[2J"]
        {
            assert!(check_file(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn blob_names_are_etags_that_are_safe_file_names() {
        assert_eq!(blob_name("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(blob_name("W/\"abc\"").as_deref(), Some("abc"));
        assert_eq!(blob_name("\"5f3a-1.b_c\"").as_deref(), Some("5f3a-1.b_c"));
        let long = "a".repeat(129);
        for bad in ["\"../../x\"", "a/b", "..%2fx", "\"//\"", "..", ".a", "", "a b", &long] {
            assert_eq!(blob_name(bad), None, "{bad}");
        }
        assert_eq!(blob_name("\"abc.incomplete\""), None, "the partial file of another blob");
    }
}
