//! The files of a database: where they lie, which ones they are, who holds them, and what is done with damaged ones.
//!
//! No table is read or written here. Its input is paths; a database file is never opened while SQLite has it open,
//! since closing it again would take SQLite's locks away (POSIX).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::store::{Action, Error, MAGIC, Owner};

/// The service's group may read.
const MODE: u32 = 0o640;

/// Damaged databases that may lie beside the one in use. With more, none is set aside, so that a failing disk does not
/// fill itself with them; a person must look.
const DAMAGED: usize = 8;

/// How often a collector asks for a lock that others only look at, and how long it waits in between.
const TRIES: usize = 100;
const NAP: Duration = Duration::from_millis(5);

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of the file at `path`, `None` when there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::from)
    }
}

impl From<&fs::Metadata> for Identity {
    fn from(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The write-ahead log of a database.
pub(super) fn log(file: &Path) -> PathBuf {
    beside(file, "-wal")
}

/// What a collector locks.
pub(super) fn lock_name(file: &Path) -> PathBuf {
    beside(file, ".lock")
}

/// The index of the write-ahead log.
pub(super) fn index(file: &Path) -> PathBuf {
    beside(file, "-shm")
}

/// Octets of a file, 0 when there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Octets of the database and its write-ahead log.
pub(super) fn size(file: &Path) -> u64 {
    length(file) + length(&log(file))
}

/// Makes the folders, and gives the one name of the file under which every collector locks it.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            fs::create_dir_all(folder)?;
            Ok(fs::canonicalize(folder)?.join(name))
        }
        resolved => resolved,
    }
}

/// SQLite gives the write-ahead log and its index the mode of the database.
pub(super) fn create(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(MODE).open(file).map(drop)
}

/// The right to write a database, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    name: PathBuf,
    file: File,
}

impl Lock {
    /// The lock file stays behind when the collector ends: removing it would race with the next one's lock.
    pub(super) fn take(file: &Path, path: &Path) -> Result<Self, Error> {
        let name = lock_name(file);
        let failed = |source| Error::Io { action: Action::Open, path: name.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let mut lock = options.open(&name).map_err(failed)?;
        match claim(&lock) {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.to_owned(), pid: pid(lock) }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { name, file: lock })
    }

    /// Whether other collectors still meet this lock: its file was not deleted or replaced.
    pub(super) fn holds(&self) -> bool {
        let own = self.file.metadata().ok().as_ref().map(Identity::from);
        own.is_some() && own == Identity::of(&self.name)
    }
}

/// Takes the lock, unless another collector has it. Who only asks whether there is one has it for a moment, shared
/// ([`owner`]).
fn claim(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => lock.try_lock_shared()?,
            taken => return taken,
        }
        lock.unlock().map_err(TryLockError::Error)?;
        thread::sleep(NAP);
    }
    lock.try_lock()
}

/// The collector that holds the lock of a database. A file that was left behind is no lock.
///
/// # Errors
/// When this user may not look.
pub(super) fn owner(file: &Path) -> io::Result<Option<Owner>> {
    let lock = match File::open(lock_name(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lock => lock?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Owner { pid: pid(lock) })),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What a collector has written into its lock.
fn pid(lock: File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The group that may read a file or, where nobody says, its folder; nothing where it is the administrators'.
pub(super) fn group(file: &Path) -> Option<String> {
    let id = file.ancestors().find_map(|path| fs::metadata(path).ok())?.gid();
    let groups = fs::read_to_string("/etc/group").ok()?;
    let mut lines = groups.lines().map(|line| line.split(':'));
    let name =
        lines.find_map(|mut fields| Some((fields.next()?, fields.nth(1)?)).filter(|(_, of)| of.parse() == Ok(id)));
    name.filter(|_| id != 0).map(|(name, _)| name.to_owned())
}

/// Whether the first page says that the file is this program's, as far as it can be read: the application id stands at
/// octet 68.
pub(super) fn is_ours(file: &Path, application: i32) -> bool {
    let mut header = [0; 72];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(MAGIC) && header.ends_with(&application.to_be_bytes())
}

/// Renames a damaged database, with its write-ahead log, to `<name>.corrupt-<time>`; nothing is overwritten. The time is
/// that of its last change, in Unix seconds.
pub(super) fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let changed = fs::metadata(file)?.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let names = (0..DAMAGED).map(|n| match n {
        0 => beside(file, &format!(".corrupt-{changed}")),
        n => beside(file, &format!(".corrupt-{changed}-{n}")),
    });
    let free = names.into_iter().find(|name| !name.exists() && !log(name).exists());
    let Some(name) = free.filter(|_| damaged(file).len() < DAMAGED) else {
        let message = format!("{DAMAGED} damaged databases lie beside it already");
        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
    };
    // The log first: without it the database is what it was at the last checkpoint, and a new one must not meet it.
    rename(&log(file), &log(&name))?;
    fs::rename(file, &name)?;
    remove(&index(file))?;
    Ok(name)
}

/// Takes the write-ahead log and its index of a database that is gone out of the way of a new one: an empty log is
/// removed, one that holds something is renamed.
pub(super) fn clear(file: &Path) -> io::Result<()> {
    let log = log(file);
    if length(&log) == 0 {
        remove(&log)?;
    } else if let Some(name) = (1..=DAMAGED).map(|n| beside(&log, &format!(".left-{n}"))).find(|name| !name.exists()) {
        fs::rename(&log, name)?;
    }
    remove(&index(file))
}

/// The damaged databases that were set aside.
pub(super) fn damaged(file: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return Vec::new() };
    let start = format!("{}.corrupt-", name.to_string_lossy());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(&start) && !name.ends_with("-wal")
    };
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    missing_is_fine(fs::rename(from, to))
}

fn remove(path: &Path) -> io::Result<()> {
    missing_is_fine(fs::remove_file(path))
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
