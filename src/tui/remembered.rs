//! What the screen looked like, for the next start: a small file that is read at the start and written when something
//! changes, by a thread of its own, since a home folder may lie on a network.
//!
//! A file that cannot be read is ignored and said, and so is a value that means nothing here; what an older or a newer
//! program wrote does not matter.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};

/// Octets of the file; a longer one is not one of ours.
const SIZE: u64 = 1 << 20;

/// Everything is optional: what is missing is as it is at a first start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub view: Option<String>,
    pub filter: Option<String>,
    pub sort: Option<String>,
    /// Seconds.
    pub span: Option<i64>,
    pub units: Option<String>,
    pub host_names: Option<bool>,
    pub service_names: Option<bool>,
    pub privacy: Option<bool>,
    /// Oldest first.
    pub filters: Vec<String>,
    /// By view, in their order.
    pub columns: std::collections::BTreeMap<String, Vec<String>>,
}

impl Remembered {
    /// Reads a file. What comes with it is what to tell the person in front.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let said = |problem: String| (Self::default(), Some(format!("`{}` is ignored: {problem}", path.display())));
        let mut text = String::new();
        match File::open(path).and_then(|file| file.take(SIZE + 1).read_to_string(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => return said(error.to_string()),
            Ok(_) if SIZE < text.len() as u64 => return said(format!("more than {SIZE} octets")),
            Ok(_) => {}
        }
        match toml::from_str(&text) {
            Ok(remembered) => (remembered, None),
            Err(error) => said(error.message().lines().next().unwrap_or_default().to_owned()),
        }
    }

    /// The same, and what it does not say as `other` says it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut columns = other.columns;
        columns.extend(self.columns);
        Self {
            view: self.view.or(other.view),
            filter: self.filter.or(other.filter),
            sort: self.sort.or(other.sort),
            span: self.span.or(other.span),
            units: self.units.or(other.units),
            host_names: self.host_names.or(other.host_names),
            service_names: self.service_names.or(other.service_names),
            privacy: self.privacy.or(other.privacy),
            filters: other.filters,
            columns,
        }
    }

    /// Writes a file whole, or not at all.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(b"# Written by flowglass: how its screen looked last.\n")?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Writes the latest of what it is given, in a thread that ends with the last of it written.
#[derive(Debug)]
pub struct Keeper {
    desk: Arc<(Mutex<Desk>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    waiting: Option<Remembered>,
    ends: bool,
}

impl Keeper {
    /// # Errors
    /// There is no thread to be had.
    pub fn start(path: PathBuf) -> io::Result<Self> {
        let desk = Arc::new((Mutex::new(Desk::default()), Condvar::new()));
        let own = Arc::clone(&desk);
        let write = move || {
            let (desk, changed) = &*own;
            loop {
                let guard = desk.lock().unwrap_or_else(PoisonError::into_inner);
                let idle = |desk: &mut Desk| desk.waiting.is_none() && !desk.ends;
                let mut guard = changed.wait_while(guard, idle).unwrap_or_else(PoisonError::into_inner);
                let Some(remembered) = guard.waiting.take() else { return };
                drop(guard);
                // It is a convenience: where it cannot be kept, the next start is a first one.
                let _ = remembered.write(&path);
            }
        };
        let thread = thread::Builder::new().name("remember".to_owned()).spawn(write)?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Takes the place of what waits to be written.
    pub fn keep(&self, remembered: Remembered) {
        self.tell(|desk| desk.waiting = Some(remembered));
    }

    fn tell(&self, say: impl FnOnce(&mut Desk)) {
        let (desk, changed) = &*self.desk;
        say(&mut desk.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tell(|desk| desk.ends = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Remembered {
        Remembered {
            filter: Some("proto tcp and port 443".to_owned()),
            sort: Some("bytes".to_owned()),
            span: Some(300),
            privacy: Some(true),
            filters: vec!["udp".to_owned(), "host \"x\"\n".to_owned()],
            columns: [("conversations".to_owned(), vec!["rate".to_owned()])].into(),
            ..Remembered::default()
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/screen.toml");
        assert_eq!(Remembered::read(&path), (Remembered::default(), None), "a first start is nothing to speak of");
        some().write(&path).unwrap();
        assert_eq!(Remembered::read(&path), (some(), None));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_broken_file_is_ignored_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.toml");
        let long = format!("filter = \"{}\"", "x".repeat(2 << 20));
        for octets in [&b"filter = "[..], b"span = \"long\"", b"\xff\xfe", b"[[columns]]", long.as_bytes()] {
            fs::write(&path, octets).unwrap();
            let (remembered, said) = Remembered::read(&path);
            assert_eq!(remembered, Remembered::default());
            let said = said.unwrap();
            assert!(said.contains("screen.toml` is ignored: ") && !said.contains('\n'), "{said}");
        }
        fs::write(&path, "span = 60\nfuture = [1, 2]\n").unwrap();
        let (remembered, said) = Remembered::read(&path);
        assert_eq!((remembered.span, said), (Some(60), None), "a newer program may say more");
    }

    #[test]
    fn the_last_of_many_changes_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.toml");
        let keeper = Keeper::start(path.clone()).unwrap();
        for span in 0..1_000 {
            keeper.keep(Remembered { span: Some(span), ..some() });
        }
        drop(keeper);
        assert_eq!(Remembered::read(&path).0.span, Some(999));
    }

    #[test]
    fn where_nothing_can_be_written_nothing_breaks() {
        let keeper = Keeper::start(PathBuf::from("/proc/nowhere/screen.toml")).unwrap();
        keeper.keep(some());
    }
}
