//! Where the control socket is, and who may open it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::{Code, Fault};

/// The name of the socket in a state's directory.
pub const SOCKET_FILE: &str = "control";

/// The longest path of a socket in bytes: what the shortest `sun_path` among the systems that we
/// run on (104 bytes, macOS and the BSDs) takes with its closing zero.
pub const MAX_SOCKET_PATH: usize = 103;

/// The path of the control socket of the state in `directory`.
pub fn socket_path(directory: &Path) -> Result<PathBuf, Fault> {
    let path = directory.join(SOCKET_FILE);
    let length = path.as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        let path = path.display();
        let cause = format!("the path {path} has {length} bytes; a socket's has {MAX_SOCKET_PATH}");
        return Err(Fault::new(Code::SocketPath, cause));
    }
    Ok(path)
}

/// Listens there. The caller holds the state, so whatever is found at the path was left behind by
/// a process that is gone, and is replaced.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        // Before the socket is there: its own mode is set only after it was made.
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    remove(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes a socket, should there be one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Connects to who listens there; nothing where nobody does, be it that there is no socket or that
/// one was left behind.
pub(super) async fn connect(path: &Path) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_is_taken_and_one_longer_is_not() {
        let room = MAX_SOCKET_PATH - "/".len() - "/".len() - SOCKET_FILE.len();
        let path = |length| PathBuf::from(format!("/{}", "x".repeat(length)));
        assert!(socket_path(&path(room)).is_ok());
        let fault = socket_path(&path(room + 1)).unwrap_err();
        assert_eq!(fault.code, Code::SocketPath);
        assert!(fault.cause.contains("103"), "{}", fault.cause);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_behind_is_nobody_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_path(folder.path()).unwrap();
        assert!(connect(&path).await.unwrap().is_none());
        drop(listen(&path).unwrap());
        assert!(path.exists());
        assert!(connect(&path).await.unwrap().is_none());
        let _listener = listen(&path).unwrap();
        assert!(connect(&path).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn only_the_owner_can_open_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_path(folder.path()).unwrap();
        let _listener = listen(&path).unwrap();
        for (path, mode) in [(folder.path(), 0o700), (&*path, 0o600)] {
            let permissions = std::fs::metadata(path).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
        }
    }
}
