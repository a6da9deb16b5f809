//! The cache's folders, as Python's `huggingface_hub` lays them out, so that either finds what
//! the other downloaded:
//!
//! ```text
//! models--owner--name/blobs/<etag>                  the content
//! models--owner--name/snapshots/<commit>/<file>     a relative symlink to the blob
//! models--owner--name/refs/<revision>               the commit that a branch or tag stands for
//! models--owner--name/.no_exist/<commit>/<file>     an empty file: the commit has no such file
//! .locks/models--owner--name/<etag>.lock            held while the blob is written
//! ```

use super::{HubError, Repo, RepoKind, names};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the cache knows of a file without asking anybody.
pub(super) enum Cached {
    /// It is here.
    Here(PathBuf),
    /// The hub said that the repository does not have it.
    Absent,
    /// Nothing.
    Unknown,
}

/// One repository's place in the cache.
pub(super) struct RepoCache {
    cache: PathBuf,
    folder: String,
}

impl RepoCache {
    /// The place of a repository whose name was checked.
    pub(super) fn new(cache: &Path, repo: &Repo) -> Self {
        let kind = match repo.kind {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        let folder = format!("{kind}--{}", repo.id.replace('/', "--"));
        Self { cache: cache.to_path_buf(), folder }
    }

    fn below(&self, room: &str) -> PathBuf {
        self.cache.join(&self.folder).join(room)
    }

    /// Where the content lies.
    pub(super) fn blob(&self, blob: &str) -> PathBuf {
        self.below("blobs").join(blob)
    }

    /// Where the content lies while it is coming.
    pub(super) fn incomplete(&self, blob: &str) -> PathBuf {
        self.below("blobs").join(format!("{blob}.incomplete"))
    }

    /// What is locked while the content is coming.
    pub(super) fn lock(&self, blob: &str) -> PathBuf {
        self.cache.join(".locks").join(&self.folder).join(format!("{blob}.lock"))
    }

    /// Where the file is found by its name.
    pub(super) fn pointer(&self, commit: &str, file: &str) -> PathBuf {
        self.below("snapshots").join(commit).join(file)
    }

    /// The commit that the revision stood for when the hub was last asked.
    fn commit(&self, revision: &str) -> Option<String> {
        if names::is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.below("refs").join(revision)).ok()?;
        let commit = commit.trim();
        names::is_commit(commit).then(|| commit.to_owned())
    }

    /// What is known of the file at the revision.
    pub(super) fn look(&self, revision: &str, file: &str) -> Cached {
        let Some(commit) = self.commit(revision) else { return Cached::Unknown };
        let pointer = self.pointer(&commit, file);
        if pointer.is_file() {
            Cached::Here(pointer)
        } else if self.below(".no_exist").join(commit).join(file).is_file() {
            Cached::Absent
        } else {
            Cached::Unknown
        }
    }

    /// The files of the revision that were downloaded, sorted; nothing if none was.
    pub(super) fn files(&self, revision: &str) -> Option<Vec<String>> {
        let root = self.below("snapshots").join(self.commit(revision)?);
        let mut folders = vec![(root, String::new())];
        let mut files = Vec::new();
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs::read_dir(folder).ok()?.flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = format!("{prefix}{name}");
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((entry.path(), format!("{name}/")));
                } else if entry.path().is_file() && names::file_fault(&name).is_none() {
                    files.push(name);
                }
            }
        }
        files.sort_unstable();
        (!files.is_empty()).then_some(files)
    }

    /// Writes down the commit that a branch or tag stands for.
    pub(super) fn remember(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.below("refs").join(revision);
        make_parent(&path)?;
        fs::write(&path, commit).map_err(HubError::at(&path))
    }

    /// Writes down that the commit has no such file.
    pub(super) fn mark_absent(&self, commit: &str, file: &str) -> Result<(), HubError> {
        let path = self.below(".no_exist").join(commit).join(file);
        make_parent(&path)?;
        fs::write(&path, "").map_err(HubError::at(&path))
    }

    /// Lets the file's name lead to the blob.
    pub(super) fn point(&self, commit: &str, file: &str, blob: &str) -> Result<PathBuf, HubError> {
        let pointer = self.pointer(commit, file);
        // From snapshots/<commit> it is two up to the repository's folder, and one more for
        // each folder in the file's name.
        let mut target: PathBuf = ["..", ".."].iter().collect();
        target.extend(file.matches('/').map(|_| ".."));
        target.extend(["blobs", blob]);
        if fs::read_link(&pointer).is_ok_and(|old| old == target) {
            return Ok(pointer);
        }
        make_parent(&pointer)?;
        match fs::remove_file(&pointer) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(HubError::at(&pointer)(error));
            }
            _ => {}
        }
        match symlink(&target, &pointer) {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => copy(&self.blob(blob), &pointer)?,
        }
        Ok(pointer)
    }
}

/// Makes the folder that the path lies in.
pub(super) fn make_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::at(folder))
}

/// Copies where there are no symlinks, so that nobody sees half of it.
fn copy(blob: &Path, pointer: &Path) -> Result<(), HubError> {
    let mut half = pointer.as_os_str().to_owned();
    half.push(".incomplete");
    let half = PathBuf::from(half);
    let copied = fs::copy(blob, &half).and_then(|_| fs::rename(&half, pointer));
    copied.map_err(|error| {
        let _ = fs::remove_file(&half);
        HubError::at(pointer)(error)
    })
}

#[cfg(unix)]
fn symlink(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

#[cfg(windows)]
fn symlink(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, pointer)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_serves_where_there_are_no_symlinks() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (blob, pointer) = (folder.path().join("blob"), folder.path().join("file.txt"));
        fs::write(&blob, "content")?;
        copy(&blob, &pointer)?;
        assert_eq!(fs::read_to_string(&pointer)?, "content");
        assert_eq!(fs::read_dir(folder.path())?.count(), 2, "nothing half done is left");
        Ok(())
    }
}
