//! Keeps every flow in one SQLite file, and gives the flows back.
//!
//! [`writer`] is the one writer, [`history`] the read side, of which any number may be open at once; [`schema`] is the
//! layout of the file. What is not done here: no flow is judged, filtered, scaled or summed, and nothing is logged; an
//! error is handed to the caller, who decides whether it ends the program. Its input is batches of [`FlowRecord`]s
//! and the accounts of the collector.
//!
//! # Layout
//!
//! `flows` is append-only, and its primary key begins with the receive time ([`RowKey`]): a time range is a key range,
//! and the table needs no second index. What few exporters send stands in `details` under the same key, for the flows
//! that have any of it. What a collector knew of templates stands in `templates` for its next run. The view `flow` shows both in readable form, so that the stock `sqlite3` shell is enough.
//!
//! From them are made, as they are written ([`rollup`], [`blocks`]): sums by minute and hour under several dimensions,
//! so that a ranking of a day reads no flow, and a skip index, so that a rare host is looked for only where it occurs.
//!
//! # Locking
//!
//! The writer holds a lock on `<database>.lock` for as long as it lives: there is never a second collector. Readers
//! need no lock, WAL lets them read while a batch is written; who follows what is written ([`tail`]) reads each row once. A batch is written in one transaction: it is there as a
//! whole or not at all, and what could not be written waits in the bounded [`queue`] until it can.
//!
//! # Durability
//!
//! `synchronous` is `FULL`: a commit is on the disk when it returns, so that a power cut costs no more than `kill -9`
//! does, one flush interval. With one commit per flush that is one `fsync` every ten seconds, which no run notices;
//! with `NORMAL` a power cut would cost everything since the last checkpoint, some 500,000 flows.
//!
//! # When the file goes wrong
//!
//! A damaged file is set aside as `<name>.corrupt-<time>`, never overwritten; one that was deleted or replaced is
//! noticed at the next flush. Either way what waits is written to the file that is in its place then.
//!
//! [`FlowRecord`]: crate::flow::FlowRecord

mod accounts;
pub mod acquaintance;
pub mod ask;
pub mod blocks;
pub mod check;
mod database;
mod exporter_names;
mod files;
mod groups;
mod health;
pub mod history;
mod index;
mod insertions;
mod keys;
mod needs;
pub mod notes;
mod packed;
pub mod parcel;
mod prune;
pub mod queue;
pub mod retention;
pub mod rollup;
mod row;
pub mod scan;
pub mod schema;
pub mod sql;
pub mod tail;
pub mod templates;
pub mod top;
pub mod troubles;
pub mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

pub use crate::store::files::Identity;
pub use crate::store::keys::RowKey;

/// How long a statement waits for a lock that another program holds. Then the flush fails, the batch stays in the
/// buffer, and the next flush tries again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the database cannot be used now. `Display` gives the message, [`Error::hint`] what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot open `{}`: not a database", path.display())]
    NotADatabase { path: PathBuf },
    #[error("cannot open `{}`: the database of another program", path.display())]
    Foreign { path: PathBuf },
    #[error("cannot open `{}`: schema version {found} is newer than this program's {supported}", path.display())]
    NewerSchema { path: PathBuf, found: u32, supported: u32 },
    /// Only the read side says this; the writer migrates.
    #[error("cannot read `{}`: schema version {found} is older than this program's {supported}", path.display())]
    OlderSchema { path: PathBuf, found: u32, supported: u32 },
    #[error("cannot open `{}`: in use by {}", path.display(), Collector(*pid))]
    InUse { path: PathBuf, pid: Option<u32> },
    #[error("cannot read `{}`: no such file", path.display())]
    Missing { path: PathBuf },
    /// Only the read side says this, of a user who may not write into the folder.
    #[error("cannot read `{}`: its write-ahead log has no index, and this user may not make one", path.display())]
    LogUnreadable { path: PathBuf },
    /// The file is damaged, and cannot be set aside either.
    #[error("cannot set the damaged `{}` aside ({why}): {source}", path.display())]
    Damaged { path: PathBuf, why: String, source: io::Error },
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: Action, path: PathBuf, source: io::Error },
    #[error("cannot {action} `{}`: {source}", path.display())]
    Sqlite { action: Action, path: PathBuf, source: rusqlite::Error },
}

impl Error {
    /// Whether it may go away by itself: somebody holds a lock, or the disk is full.
    pub fn is_passing(&self) -> bool {
        let Self::Sqlite { source, .. } = self else { return false };
        let codes = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::DiskFull];
        source.sqlite_error_code().is_some_and(|code| codes.contains(&code))
    }

    /// Whether a person stopped it.
    pub fn is_stopped(&self) -> bool {
        let Self::Sqlite { source, .. } = self else { return false };
        source.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
    }

    /// What a person can do about it, without the word `hint:`.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotADatabase { .. } | Self::Foreign { .. } => Some("give another file with `--db`".to_owned()),
            Self::NewerSchema { .. } => Some("update the program, or give another file with `--db`".to_owned()),
            Self::OlderSchema { .. } => Some("start the collector once, it brings the file up to date".to_owned()),
            Self::InUse { pid: Some(pid), .. } => Some(format!(
                "one collector per file: look at it with `--view`, stop it (`kill {pid}`), or give another file with `--db`"
            )),
            Self::InUse { pid: None, .. } => Some(
                "one collector per file: look at it with `--view`, stop it, or give another file with `--db`"
                    .to_owned(),
            ),
            Self::Missing { .. } => Some("start a collector, or give another file with `--db`".to_owned()),
            Self::Damaged { path, .. } => {
                Some(format!("move `{}.corrupt-*` away, or give another file with `--db`", path.display()))
            }
            Self::LogUnreadable { path } => Some(format!(
                "start its collector, or copy `{0}` and `{0}-wal` together into a folder of yours",
                path.display()
            )),
            Self::Io { action: Action::Read, path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(may_read(path))
            }
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => Some("free some space on its file system".to_owned()),
                _ => Some(
                    "give a file in a folder that you may write to with `--db`; `--view` shows what is stored"
                        .to_owned(),
                ),
            },
            Self::Sqlite { path, source, .. } => sqlite_hint(path, source),
        }
    }
}

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Open,
    Read,
    Write,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// The other one, by its process id where the lock file tells it.
struct Collector(Option<u32>);

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "another collector, process {pid}"),
            None => f.write_str("another collector"),
        }
    }
}

fn sqlite_hint(path: &Path, source: &rusqlite::Error) -> Option<String> {
    match source.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Some(format!("another program holds a lock: `fuser {}` names it", path.display()))
        }
        ErrorCode::DiskFull => Some("free some space on its file system".to_owned()),
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            Some("check who may write to the file and its folder".to_owned())
        }
        ErrorCode::DatabaseCorrupt => {
            Some(format!("save what is left with `sqlite3 {} .recover`, and start with a new file", path.display()))
        }
        _ => None,
    }
}

/// How a user gets to read a file.
pub fn may_read(path: &Path) -> String {
    match files::group(path) {
        Some(group) => format!("add yourself to the group {group}, and log in anew: `sudo adduser \"$USER\" {group}`"),
        None => "its owner and root may read it".to_owned(),
    }
}

/// The process that collects into a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// `None` where its lock does not tell.
    pub pid: Option<u32>,
}

/// Who collects into a database now, if anybody does.
///
/// # Errors
/// When this user may not look at the lock.
pub fn owner(path: &Path) -> io::Result<Option<Owner>> {
    files::owner(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

/// Refuses a file that does not begin like a database, and leaves it untouched. An empty file is a new database.
fn inspect(path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| {
        let is_denied = source.kind() == io::ErrorKind::PermissionDenied;
        let action = if is_denied { Action::Read } else { Action::Open };
        Error::Io { action, path: path.to_owned(), source }
    };
    let mut start = Vec::with_capacity(MAGIC.len());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(Error::NotADatabase { path: path.to_owned() })
}

/// Octets of a database on disk, its write-ahead log included.
pub fn size(file: &Path) -> u64 {
    files::size(file)
}

/// The file beside a database that its collector locks.
pub fn lock_name(file: &Path) -> PathBuf {
    files::lock_name(file)
}

/// The index of a database's write-ahead log, in which SQLite's own locks are.
pub fn log_index(file: &Path) -> PathBuf {
    files::index(file)
}

/// The damaged databases that were set aside.
pub fn set_aside(file: &Path) -> Vec<PathBuf> {
    files::damaged(file)
}

/// The first octets of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

#[cfg(test)]
mod tests;
