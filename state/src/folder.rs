//! Files that only their owner reads, and folders whose entries are durable.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Options for a file that only its owner may read, should it be created.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates `folder`, and those above it, for the owner alone, durable when this returns: what is
/// synced inside a folder is lost with the folder.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|above| !above.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // The path that ends a relative one's ancestors is empty, and no folder.
    missing.into_iter().filter(|made| !made.as_os_str().is_empty()).try_for_each(sync_parent)
}

/// Makes it durable that `file` is in its folder under that name.
pub(crate) fn sync_parent(file: &Path) -> io::Result<()> {
    // Windows opens no folder as a file, and keeps its entries in a journal of its own.
    if cfg!(windows) {
        return Ok(());
    }
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
