//! Replaces several files of a folder together, so that a reader finds all of the old ones or all of
//! the new ones at every moment, also after a kill or a power failure.
//!
//! No system call replaces several files. Therefore each file is first replaced by a symbolic link
//! through one link that all of them share, `.publishing`, which leads to a folder with hard links
//! to the old files. Renaming another link over `.publishing` switches all files to the new ones
//! at once; then each symbolic link is replaced by the file that it leads to. What an interrupted
//! call leaves behind is valid, and [`finish`] replaces the remaining links.

use super::sync_folder;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// The link that the links of all files lead through.
const LINK: &str = ".publishing";
/// Hard links to the old files.
const OLD: &str = ".publishing-old";
/// The new files.
const NEW: &str = ".publishing-new";
/// A link before it is renamed to its final name.
#[cfg(unix)]
const NEXT_LINK: &str = ".publishing-link";
/// The old files while they are replaced one after another.
const ASIDE: &str = ".publishing-aside";

/// Called before each change of the folder. Tests make it fail or panic.
pub(super) type BeforeChange<'a> = dyn FnMut(&str) -> Result<()> + 'a;

/// Files to publish together.
pub(super) struct Publication<'a> {
    /// The folder to publish in.
    pub folder: &'a Path,
    /// The folder with the new files, inside `folder`.
    pub staged: &'a Path,
    /// The names of the new files.
    pub names: &'a [OsString],
    /// The names of files to remove.
    pub stale: &'a [OsString],
    /// The file without which a reader ignores the others.
    pub key: &'a OsStr,
}

impl Publication<'_> {
    /// Publishes the files.
    ///
    /// # Errors
    /// I/O errors. The old files are then in place.
    pub fn publish(&self, before: &mut BeforeChange) -> Result<()> {
        finish(self.folder, before)?;
        if self.folder.join(self.key).is_file() && self.prepare_links(before)? {
            let published = self.switch_links(before);
            let is_new = fs::read_link(self.folder.join(LINK)).is_ok_and(|to| to == Path::new(NEW));
            let finished = finish(self.folder, before);
            // The new files are in place, whatever of the links is left for the next call.
            return if is_new { Ok(()) } else { published.and(finished) };
        }
        self.replace_in_turn(before)
    }

    /// All names that are written or removed.
    fn all(&self) -> impl Iterator<Item = &OsString> {
        self.names.iter().chain(self.stale)
    }

    /// Hard-links the old files and moves the new ones to their place. Returns `false`, without a
    /// change, if the system has no links for these files.
    #[cfg(unix)]
    fn prepare_links(&self, before: &mut BeforeChange) -> Result<bool> {
        let old = self.folder.join(OLD);
        before(OLD)?;
        fs::create_dir(&old)?;
        let mut link_all = || -> Result<()> {
            for name in self.all() {
                let file = self.folder.join(name);
                match fs::symlink_metadata(&file) {
                    // A relative link would lead elsewhere from another folder.
                    Ok(found) if found.is_symlink() => return Err(ErrorKind::Unsupported.into()),
                    Ok(_) => {
                        before(OLD)?;
                        fs::hard_link(&file, old.join(name))?;
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            before(LINK)?;
            std::os::unix::fs::symlink(OLD, self.folder.join(NEXT_LINK))?;
            sync_folder(&old)?;
            before(NEW)?;
            fs::rename(self.staged, self.folder.join(NEW))
        };
        let Err(error) = link_all() else { return Ok(true) };
        remove_scraps(self.folder);
        // `EPERM` is the error of a file system without links.
        match error.kind() {
            ErrorKind::Unsupported | ErrorKind::PermissionDenied | ErrorKind::TooManyLinks => {
                Ok(false)
            }
            _ => Err(error),
        }
    }

    #[cfg(not(unix))]
    fn prepare_links(&self, _: &mut BeforeChange) -> Result<bool> {
        Ok(false)
    }

    /// Replaces each file by a link, and switches all links to the new files.
    #[cfg(unix)]
    fn switch_links(&self, before: &mut BeforeChange) -> Result<()> {
        use std::os::unix::fs::symlink;
        let next = self.folder.join(NEXT_LINK);
        before(LINK)?;
        fs::rename(&next, self.folder.join(LINK))?;
        sync_folder(self.folder)?;
        for name in self.all() {
            before(LINK)?;
            symlink(Path::new(LINK).join(name), &next)?;
            before(&name.to_string_lossy())?;
            fs::rename(&next, self.folder.join(name))?;
        }
        before(LINK)?;
        symlink(NEW, &next)?;
        sync_folder(self.folder)?;
        before(LINK)?;
        fs::rename(&next, self.folder.join(LINK))?;
        sync_folder(self.folder)
    }

    #[cfg(not(unix))]
    fn switch_links(&self, _: &mut BeforeChange) -> Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Moves the old files aside and the new ones to their place, the key first and last. If this
    /// fails, all old files are moved back.
    pub(super) fn replace_in_turn(&self, before: &mut BeforeChange) -> Result<()> {
        let aside = self.folder.join(ASIDE);
        before(ASIDE)?;
        fs::create_dir(&aside)?;
        let mut placed = Vec::new();
        let mut replace_all = || -> Result<()> {
            let mut names: Vec<&OsString> = self.all().collect();
            names.sort_by_key(|name| name.as_os_str() != self.key);
            for name in names {
                let file = self.folder.join(name);
                if fs::symlink_metadata(&file).is_ok() {
                    before(&name.to_string_lossy())?;
                    fs::rename(&file, aside.join(name))?;
                }
            }
            sync_folder(self.folder)?;
            let mut names: Vec<&OsString> = self.names.iter().collect();
            names.sort_by_key(|name| name.as_os_str() == self.key);
            for name in names {
                if name.as_os_str() == self.key {
                    sync_folder(self.folder)?;
                }
                before(&name.to_string_lossy())?;
                fs::rename(self.staged.join(name), self.folder.join(name))?;
                placed.push(name);
            }
            sync_folder(self.folder)?;
            before(ASIDE)?;
            fs::rename(&aside, self.folder.join(OLD))
        };
        let replaced = replace_all();
        if replaced.is_err() {
            for name in placed.into_iter().rev() {
                // The old file of the same name, if there is one, is moved back below.
                let _ = fs::rename(self.folder.join(name), self.staged.join(name));
            }
        }
        // What is left of a success is removed by the next call.
        let _ = finish(self.folder, before);
        replaced
    }
}

/// Completes an interrupted publication: replaces each link by the file that it leads to, or moves
/// the old files back, and removes what is left.
///
/// # Errors
/// I/O errors; the files are then still complete, and the next call continues.
pub(super) fn finish(folder: &Path, before: &mut BeforeChange) -> Result<()> {
    if is_folder(&folder.join(ASIDE)) {
        restore(folder, before)?;
    }
    match fs::read_link(folder.join(LINK)) {
        // A link that leads anywhere else was not made here.
        Ok(target) if target != Path::new(OLD) && target != Path::new(NEW) => return Ok(()),
        Ok(target) => replace_links(folder, &folder.join(target), before)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // It is not a link, so it was not made here.
        Err(_) => return Ok(()),
    }
    remove_scraps(folder);
    Ok(())
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn replace_links(folder: &Path, files: &Path, before: &mut BeforeChange) -> Result<()> {
    if !is_folder(files) {
        let reason = format!("{}: it is missing", files.display());
        return Err(Error::new(ErrorKind::NotFound, reason));
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let file = folder.join(&name);
        if fs::read_link(&file).is_ok_and(|target| target == Path::new(LINK).join(&name)) {
            before(&name.to_string_lossy())?;
            let moved = fs::rename(files.join(&name), &file);
            if moved.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                // There is no such file in this state of the folder.
                fs::remove_file(&file)?;
            } else {
                moved?;
            }
        }
    }
    sync_folder(folder)?;
    before(LINK)?;
    fs::remove_file(folder.join(LINK))
}

/// Moves the files that were set aside back.
fn restore(folder: &Path, before: &mut BeforeChange) -> Result<()> {
    let aside = folder.join(ASIDE);
    for entry in fs::read_dir(&aside)? {
        let name = entry?.file_name();
        before(&name.to_string_lossy())?;
        fs::rename(aside.join(&name), folder.join(&name))?;
    }
    sync_folder(folder)?;
    before(ASIDE)?;
    fs::remove_dir(&aside)
}

/// Removes folders that no link leads to. Errors are ignored, because leftovers only use disk
/// space.
fn remove_scraps(folder: &Path) {
    #[cfg(unix)]
    let _ = fs::remove_file(folder.join(NEXT_LINK));
    for name in [OLD, NEW] {
        let path = folder.join(name);
        if is_folder(&path) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
#[path = "publication_tests.rs"]
mod tests;
