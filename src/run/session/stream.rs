//! The socket in the folder of a run: it belongs to the owner alone, and both ends check that the
//! other has the same owner.

use super::SOCKET;
use crate::run::{lock_output_dir, other_computer};
use rustix::fs::{Mode, OFlags};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Listens in the folder of a run. A socket that an earlier run has left is replaced. The caller
/// holds the lock of the folder.
///
/// # Errors
/// If the folder's file system has no sockets, or I/O errors.
pub(super) fn listen(folder: &Path) -> Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    // It is made in a folder of the owner, so that nobody else can connect before the mode is set.
    let private = tempfile::Builder::new().prefix(".nsmc-tui-socket-").tempdir_in(folder)?;
    let short = ShortPath::open(private.path())?;
    let listener = UnixListener::bind(short.join("s"))?;
    let made = private.path().join("s");
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&made, folder.join(SOCKET))?;
    Ok(listener)
}

/// Connects to the run that writes into a folder.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` if no process of this computer listens there,
/// `PermissionDenied` if it is another user's, and I/O errors.
pub(super) fn connect(folder: &Path) -> Result<UnixStream> {
    let short = ShortPath::open(folder)?;
    let stream = UnixStream::connect(short.join(SOCKET)).inspect_err(|error| {
        if error.kind() == ErrorKind::ConnectionRefused {
            remove_stale(folder);
        }
    })?;
    check_owner(&stream)?;
    Ok(stream)
}

/// Removes a socket that a killed process of this computer has left. No run can begin meanwhile,
/// because the folder is locked.
fn remove_stale(folder: &Path) {
    if other_computer(folder).is_some() {
        return;
    }
    if let Ok(lock) = lock_output_dir(folder) {
        // On a read-only file system it is left.
        let _ = std::fs::remove_file(folder.join(SOCKET));
        drop(lock);
    }
}

/// Checks that the process at the other end belongs to the user of this one.
///
/// # Errors
/// `PermissionDenied` if it does not.
pub(super) fn check_owner(stream: &UnixStream) -> Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?;
    if peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    let message = format!("the process at the other end belongs to user {}", peer.uid.as_raw());
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

/// A path to a folder that is short enough for the address of a socket, which has at most about a
/// hundred bytes.
struct ShortPath {
    path: PathBuf,
    /// Keeps the path valid.
    _folder: std::os::fd::OwnedFd,
}

impl ShortPath {
    fn open(folder: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        // Without /proc, a short path is used as it is.
        let path = if path.exists() { path } else { folder.to_path_buf() };
        Ok(Self { path, _folder: opened })
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_socket_is_the_owners_in_a_folder_of_any_length() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let long = folder.path().join("a".repeat(200)).join("b".repeat(200));
        std::fs::create_dir_all(&long)?;
        let refused = connect(&long).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::NotFound));
        let listener = listen(&long)?;
        let found = std::fs::symlink_metadata(long.join(SOCKET))?;
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(std::fs::read_dir(&long)?.count(), 1, "nothing else is left");
        connect(&long)?;
        let (accepted, _) = listener.accept()?;
        check_owner(&accepted)?;

        drop(listener);
        let refused = connect(&long).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::ConnectionRefused), "nobody listens any more");
        let _listener = listen(&long)?;
        connect(&long).map(drop)
    }
}
