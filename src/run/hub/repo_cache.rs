//! Reads and writes the cache in the layout of Python's `huggingface_hub`:
//!
//! ```text
//! models--owner--name/blobs/<etag>                  the content
//! models--owner--name/snapshots/<commit>/<file>     a relative symlink to the blob
//! models--owner--name/refs/<revision>               the commit that a branch or tag refers to
//! models--owner--name/.no_exist/<commit>/<file>     empty: the commit does not have this file
//! .locks/models--owner--name/<etag>.lock            held while the blob is written
//! ```

use super::{HubError, Repo, names};
use hf_hub::CacheRepo;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The result of a look-up in the cache.
pub(super) enum CacheLookup {
    /// The path of the cached file.
    Found(PathBuf),
    /// The repository does not have the file, according to the hub.
    Missing,
    /// The cache has no entry for the file.
    Unknown,
}

/// The cache of one repository at one revision.
pub(super) struct RepoCache {
    /// The cache folder of all repositories.
    root: PathBuf,
    /// The name of the repository's folder.
    folder_name: String,
    revision: String,
    layout: CacheRepo,
}

impl RepoCache {
    /// The cache of a repository whose names have been validated.
    pub(super) fn new(root: &Path, repo: &Repo) -> Self {
        let revision = repo.revision.clone();
        let repo = hf_hub::Repo::with_revision(repo.id.clone(), repo.repo_type, revision.clone());
        let folder_name = repo.folder_name();
        let layout = hf_hub::Cache::new(root.to_path_buf()).repo(repo);
        Self { root: root.to_path_buf(), folder_name, revision, layout }
    }

    fn subfolder(&self, name: &str) -> PathBuf {
        self.root.join(&self.folder_name).join(name)
    }

    pub(super) fn blob_path(&self, blob: &str) -> PathBuf {
        self.subfolder("blobs").join(blob)
    }

    /// The path of the blob during its download.
    pub(super) fn partial_path(&self, blob: &str) -> PathBuf {
        self.subfolder("blobs").join(format!("{blob}{PARTIAL}", PARTIAL = names::PARTIAL))
    }

    /// The path of the file that is locked during the download.
    pub(super) fn lock_path(&self, blob: &str) -> PathBuf {
        self.root.join(".locks").join(&self.folder_name).join(format!("{blob}.lock"))
    }

    /// The path of the symlink with the file's name.
    pub(super) fn snapshot_path(&self, commit: &str, file: &str) -> PathBuf {
        self.layout.pointer_path(commit).join(file)
    }

    fn ref_path(&self) -> PathBuf {
        self.subfolder("refs").join(&self.revision)
    }

    /// The commit that the revision referred to at the last request.
    fn commit(&self) -> Option<String> {
        if names::is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let commit = fs::read_to_string(self.ref_path()).ok()?;
        let commit = commit.trim();
        names::is_commit(commit).then(|| commit.to_owned())
    }

    /// Looks up a file at the revision.
    pub(super) fn lookup(&self, file: &str) -> CacheLookup {
        let Some(commit) = self.commit() else { return CacheLookup::Unknown };
        let path = self.snapshot_path(&commit, file);
        if path.is_file() {
            CacheLookup::Found(path)
        } else if self.subfolder(".no_exist").join(commit).join(file).is_file() {
            CacheLookup::Missing
        } else {
            CacheLookup::Unknown
        }
    }

    /// The sorted names of the revision's cached files; `None` if there are none.
    pub(super) fn snapshot_files(&self) -> Option<Vec<String>> {
        let root = self.layout.pointer_path(&self.commit()?);
        let mut folders = vec![(root, String::new())];
        let mut files = Vec::new();
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs::read_dir(folder).ok()?.flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = format!("{prefix}{name}");
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((entry.path(), format!("{name}/")));
                } else if entry.path().is_file() && names::file_name_error(&name).is_none() {
                    files.push(name);
                }
            }
        }
        files.sort_unstable();
        (!files.is_empty()).then_some(files)
    }

    /// Stores the commit that the revision refers to, if it is a branch or tag.
    pub(super) fn write_ref(&self, commit: &str) -> Result<(), HubError> {
        if self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        self.layout.create_ref(commit).map_err(HubError::at(&self.ref_path()))
    }

    /// Stores that the commit does not have the file.
    pub(super) fn mark_missing(&self, commit: &str, file: &str) -> Result<(), HubError> {
        let path = self.subfolder(".no_exist").join(commit).join(file);
        create_parent(&path)?;
        fs::write(&path, "").map_err(HubError::at(&path))
    }

    /// Creates the symlink from the file's name to the blob; a copy where symlinks are not
    /// supported.
    pub(super) fn link_snapshot(
        &self,
        commit: &str,
        file: &str,
        blob: &str,
    ) -> Result<PathBuf, HubError> {
        let link = self.snapshot_path(commit, file);
        // The repository's folder is two levels above snapshots/<commit>, and one more for each
        // folder in the file's name.
        let mut target: PathBuf = ["..", ".."].iter().collect();
        target.extend(file.matches('/').map(|_| ".."));
        target.extend(["blobs", blob]);
        if fs::read_link(&link).is_ok_and(|old| old == target) {
            return Ok(link);
        }
        create_parent(&link)?;
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(HubError::at(&link)(error));
            }
            _ => {}
        }
        match symlink(&target, &link) {
            Ok(()) => {}
            // Another process created it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => copy_atomically(&self.blob_path(blob), &link)?,
        }
        Ok(link)
    }
}

/// Creates the parent folder of a path.
pub(super) fn create_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::at(folder))
}

/// Copies a file through a temporary one, so that no reader sees an incomplete copy.
fn copy_atomically(blob: &Path, copy: &Path) -> Result<(), HubError> {
    let mut temporary = copy.as_os_str().to_owned();
    temporary.push(".incomplete");
    let temporary = PathBuf::from(temporary);
    let copied = fs::copy(blob, &temporary).and_then(|_| fs::rename(&temporary, copy));
    copied.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        HubError::at(copy)(error)
    })
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_copied_where_symlinks_are_not_supported() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let (blob, copy) = (folder.path().join("blob"), folder.path().join("file.txt"));
        fs::write(&blob, "content")?;
        copy_atomically(&blob, &copy)?;
        assert_eq!(fs::read_to_string(&copy)?, "content");
        assert_eq!(fs::read_dir(folder.path())?.count(), 2, "no temporary file is left");
        Ok(())
    }
}
