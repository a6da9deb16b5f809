//! The owners and commands of processes, from `/proc` and `/etc/passwd`.

use super::GpuProcess;
use crate::core::text::{sanitize_for_terminal, truncate_width};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes of a command that are read.
const MAX_COMMAND_BYTES: u64 = 1 << 12;

/// The most columns of a command that are kept.
const MAX_COMMAND_WIDTH: usize = 200;

/// The most columns of a user's name.
const MAX_USER_WIDTH: usize = 32;

/// The file of the users of this computer.
const PASSWD: &str = "/etc/passwd";

/// The most bytes of the list of users that are read.
const MAX_USERS_BYTES: u64 = 1 << 20;

/// Looks up processes.
#[derive(Debug)]
pub(super) struct ProcessTable {
    /// The folder with a folder for each process.
    proc: PathBuf,
    /// The list of users.
    passwd: PathBuf,
    /// The names of users by their ids, once they are read.
    users: Option<HashMap<u32, String>>,
    /// The id of this process.
    own: u32,
}

impl ProcessTable {
    /// The processes of this system.
    pub fn new() -> Self {
        Self::at(Path::new("/proc"), Path::new(PASSWD))
    }

    fn at(proc: &Path, passwd: &Path) -> Self {
        let (proc, passwd) = (proc.to_path_buf(), passwd.to_path_buf());
        Self { proc, passwd, users: None, own: std::process::id() }
    }

    /// A process that uses `memory` bytes of a GPU. The owner and the command are `None` where the
    /// system does not show them, as for processes outside of a container.
    pub fn describe(&mut self, pid: u32, memory: Option<u64>) -> GpuProcess {
        let folder = self.proc.join(pid.to_string());
        GpuProcess {
            pid,
            user: self.owner(&folder),
            memory,
            command: command(&folder),
            is_own: pid == self.own,
        }
    }

    /// The name of the owner of a process, or the user's number if it has none.
    fn owner(&mut self, folder: &Path) -> Option<String> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let uid = std::fs::metadata(folder).ok()?.uid();
            let users = self.users.get_or_insert_with(|| read_users(&self.passwd));
            Some(users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()))
        }
        #[cfg(not(unix))]
        {
            let _ = (folder, &self.users, &self.passwd);
            None
        }
    }
}

/// The name of a user of this computer.
pub fn user_name(id: u32) -> Option<String> {
    read_users(Path::new(PASSWD)).remove(&id)
}

/// The names of the users in a file such as `/etc/passwd`, by their ids.
fn read_users(file: &Path) -> HashMap<u32, String> {
    let text = read(file, MAX_USERS_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = fields.nth(1)?.parse().ok()?;
        Some((uid, truncate_width(name, MAX_USER_WIDTH)))
    };
    let mut users = HashMap::new();
    for (uid, name) in text.lines().filter_map(user) {
        // Of several names, the first one counts, as for `getpwuid`.
        users.entry(uid).or_insert(name);
    }
    users
}

/// The command of a process with its arguments or, if it has none, its name in brackets, as `ps`
/// shows it. Sanitized for the terminal.
fn command(folder: &Path) -> Option<String> {
    let arguments = read(&folder.join("cmdline"), MAX_COMMAND_BYTES)?;
    let mut arguments = arguments;
    while arguments.last() == Some(&0) {
        arguments.pop();
    }
    let text = if arguments.is_empty() {
        let name = read(&folder.join("comm"), MAX_COMMAND_BYTES)?;
        format!("[{}]", String::from_utf8_lossy(&name).trim_end())
    } else {
        String::from_utf8_lossy(&arguments).replace('\0', " ")
    };
    Some(truncate_width(&sanitize_for_terminal(&text), MAX_COMMAND_WIDTH))
}

/// The beginning of a file.
fn read(file: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn owners_and_commands_are_looked_up_and_sanitized() -> std::io::Result<()> {
        let system = tempfile::tempdir()?;
        let (proc, passwd) = (system.path().join("proc"), system.path().join("passwd"));
        let process = |pid: u32, cmdline: &[u8], comm: &str| -> std::io::Result<()> {
            let folder = proc.join(pid.to_string());
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("cmdline"), cmdline)?;
            std::fs::write(folder.join("comm"), comm)
        };
        process(10, b"python\0train.py\0--name\0\x1b[2J\xff\0\0", "python\n")?;
        process(11, b"", "kworker\n")?;
        process(12, &[b'x'; 9000], "x\n")?;
        let uid = std::fs::metadata(&proc)?.uid();
        let users = format!("wrong\n:x:{uid}:\nki\x1bm:x:{uid}:100::/:\nlee:x:{uid}:100::/:\n");
        std::fs::write(&passwd, users)?;
        let mut table = ProcessTable::at(&proc, &passwd);
        let described = table.describe(10, Some(5));
        let expected = GpuProcess {
            pid: 10,
            user: Some("ki\u{fffd}m".to_owned()),
            memory: Some(5),
            command: Some("python train.py --name \u{fffd}[2J\u{fffd}".to_owned()),
            is_own: false,
        };
        assert_eq!(described, expected);
        assert_eq!(table.describe(11, None).command.as_deref(), Some("[kworker]"));
        let long = table.describe(12, None).command.unwrap_or_default();
        assert_eq!(long.chars().count(), MAX_COMMAND_WIDTH);
        let absent = table.describe(13, Some(1));
        assert_eq!((absent.user, absent.command), (None, None));
        // A user without a name has a number.
        let mut nameless = ProcessTable::at(&proc, &system.path().join("nowhere"));
        assert_eq!(nameless.describe(10, None).user, Some(uid.to_string()));
        Ok(())
    }

    #[test]
    fn this_process_is_found() {
        let own = ProcessTable::new().describe(std::process::id(), None);
        assert!(own.is_own);
        if cfg!(target_os = "linux") {
            assert!(own.user.is_some() && own.command.is_some(), "{own:?}");
        }
    }
}
