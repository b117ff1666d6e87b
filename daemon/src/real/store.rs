//! The database. (Its place until it is merged.)

use crate::exit::Fatal;
use crate::ports::Storage;
use std::path::{Path, PathBuf};

/// A database file.
pub struct FileStorage {
    path: PathBuf,
}

impl FileStorage {
    /// The database at `path`; nothing is touched yet.
    pub fn new(path: PathBuf) -> Self {
        FileStorage { path }
    }
}

impl Storage for FileStorage {
    fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        rusqlite::Connection::open(&self.path)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// Looks at the database without changing it: what there is to say of it.
///
/// # Errors
/// It can't be used.
pub fn inspect(path: &Path) -> Result<String, Fatal> {
    Ok(format!("{} was not looked into: this build can't", path.display()))
}
