//! The writer's connection: opened, looked through, and opened anew when its file was damaged, deleted or replaced.
//!
//! It writes no flow. Its input is the path of a file that this process alone may write, and that anybody may delete.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, FileControl, OpenFlags};

use crate::store::files::{self, Identity, Lock};
use crate::store::schema;
use crate::store::schema::older::Progress;
use crate::store::{Action, BUSY_TIMEOUT, Error, inspect};

/// How long an opened file is looked through for damage. A larger one is looked at in part; damage that is met later
/// has the same consequence.
const INSPECTION: Duration = Duration::from_secs(2);

/// Prepared statements that are kept: more than a transaction uses, so that none is prepared anew each time.
const STATEMENTS: usize = 64;

/// A connection to the file that its path names, and the right to write there.
#[derive(Debug)]
pub(super) struct Database {
    /// As it was given.
    path: PathBuf,
    /// Its one name.
    file: PathBuf,
    connection: Connection,
    /// What is open; `None` when nothing is, since opening anew failed.
    open: Option<Opened>,
    lock: Lock,
}

/// The files that belong to an open connection.
#[derive(Debug, Clone, Copy)]
struct Opened {
    database: Identity,
    log: Option<Identity>,
}

/// What happened to the file, other than being written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incident {
    /// It was damaged. It lies beside, and a new one was begun.
    SetAside { to: PathBuf, why: String },
    /// It was deleted or renamed, and a new one was begun.
    Vanished,
    /// Another file lies in its place, and is written now.
    Replaced,
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { to, why } => {
                write!(f, "the database was damaged ({why}): it is kept as `{}`, and a new one was begun", to.display())
            }
            Self::Vanished => f.write_str("the database was deleted or renamed while in use: a new one was begun"),
            Self::Replaced => f.write_str("another file was put in the place of the database: it is written now"),
        }
    }
}

impl Database {
    /// Opens or makes it, with its folders, and takes the lock.
    pub(super) fn open(path: &Path, incidents: &mut Vec<Incident>, progress: Progress<'_>) -> Result<Self, Error> {
        let failed = |source| Error::Io { action: Action::Open, path: path.to_owned(), source };
        match inspect(path) {
            Ok(()) | Err(Error::Missing { .. }) => (),
            Err(error) => return Err(error),
        }
        let file = files::resolve(path).map_err(failed)?;
        let lock = Lock::take(&file, path)?;
        let (connection, opened) = start(&file, path, incidents, progress)?;
        Ok(Self { path: path.to_owned(), file, connection, open: Some(opened), lock })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Opens the file anew when it is not the one that its name names; true when it did so.
    pub(super) fn follow(&mut self, incidents: &mut Vec<Incident>) -> Result<bool, Error> {
        let now = Identity::of(&self.file);
        if self.open.is_some_and(|open| Some(open.database) == now) {
            return Ok(false);
        }
        if let Some(opened) = self.open.take() {
            incidents.push(if now.is_some() { Incident::Replaced } else { Incident::Vanished });
            // What was committed belongs into the file that went, wherever it is now. Should a reader be in the way,
            // the log is kept beside it.
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
            self.disconnect()?;
            if opened.log.is_some() && opened.log == Identity::of(&files::log(&self.file)) {
                files::clear(&self.file).map_err(|source| self.io(source))?;
            }
        }
        self.reopen(incidents)?;
        Ok(true)
    }

    /// Sets the file aside, since SQLite found it damaged, and begins a new one.
    pub(super) fn replace(&mut self, why: &rusqlite::Error, incidents: &mut Vec<Incident>) -> Result<(), Error> {
        self.open = None;
        // The log shall stay as it is: who repairs the file may need it.
        let _ = keep_log(&self.connection, true);
        self.disconnect()?;
        set_aside(&self.file, &self.path, why.to_string(), incidents)?;
        self.reopen(incidents)
    }

    fn reopen(&mut self, incidents: &mut Vec<Incident>) -> Result<(), Error> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).map_err(|source| self.io(source))?;
        }
        if !self.lock.holds() {
            self.lock = Lock::take(&self.file, &self.path)?;
        }
        match inspect(&self.file) {
            Ok(()) | Err(Error::Missing { .. }) => (),
            Err(error) => return Err(error),
        }
        let (connection, opened) = start(&self.file, &self.path, incidents, &mut |_, _| ())?;
        (self.connection, self.open) = (connection, Some(opened));
        Ok(())
    }

    /// Puts an empty connection into the place of the one to the file, which closes it.
    fn disconnect(&mut self) -> Result<(), Error> {
        self.connection = Connection::open_in_memory().map_err(|source| opening(&self.path, source))?;
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> Error {
        Error::Io { action: Action::Open, path: self.path.clone(), source }
    }
}

/// Whether SQLite says that the file itself is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Connects, and begins a new file when the one that is there is this program's, and damaged.
fn start(
    file: &Path,
    path: &Path,
    incidents: &mut Vec<Incident>,
    progress: Progress<'_>,
) -> Result<(Connection, Opened), Error> {
    let why = match usable(file, path, &mut *progress) {
        Err(Error::Sqlite { source, .. }) if is_damage(&source) => source.to_string(),
        Err(Error::NotADatabase { .. }) => "the first page is damaged".to_owned(),
        usable => return usable,
    };
    if !files::is_ours(file, schema::APPLICATION_ID) {
        return Err(Error::NotADatabase { path: path.to_owned() });
    }
    set_aside(file, path, why, incidents)?;
    usable(file, path, progress)
}

fn usable(file: &Path, path: &Path, progress: Progress<'_>) -> Result<(Connection, Opened), Error> {
    let failed = |source| Error::Io { action: Action::Open, path: path.to_owned(), source };
    files::create(file).map_err(failed)?;
    let mut connection = connect(file).map_err(|source| opening(path, source))?;
    // Until it is known to be sound, nothing changes it: closing it would move the log into it.
    keep_log(&connection, true).map_err(|source| opening(path, source))?;
    schema::check(&connection, path)?;
    look_through(&mut connection).map_err(|source| opening(path, source))?;
    schema::migrate(&mut connection, path, progress)?;
    keep_log(&connection, false).map_err(|source| opening(path, source))?;
    let gone = || failed(std::io::ErrorKind::NotFound.into());
    let database = Identity::of(file).ok_or_else(gone)?;
    Ok((connection, Opened { database, log: Identity::of(&files::log(file)) }))
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without the log and its index in place, a reader who may not write to the folder cannot open the file.
    let mut persist = 1;
    connection.file_control(None::<&str>, FileControl::PersistWal(&mut persist))?;
    Ok(connection)
}

/// Whether the log stays as it is when the connection is closed.
fn keep_log(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// Reads as much of the file as the time allows, and fails where it is damaged.
fn look_through(connection: &mut Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + INSPECTION;
    connection.progress_handler(10_000, Some(move || until < Instant::now()))?;
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(fault) if fault == "ok" => Ok(()),
        Ok(fault) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            Err(rusqlite::Error::SqliteFailure(code, Some(fault.replace('\n', " "))))
        }
        // The time was up.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(error),
    }
}

fn set_aside(file: &Path, path: &Path, why: String, incidents: &mut Vec<Incident>) -> Result<(), Error> {
    let to =
        files::set_aside(file).map_err(|source| Error::Damaged { path: path.to_owned(), why: why.clone(), source })?;
    incidents.push(Incident::SetAside { to, why });
    Ok(())
}

fn opening(path: &Path, source: rusqlite::Error) -> Error {
    Error::Sqlite { action: Action::Open, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
