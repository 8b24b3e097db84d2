//! The program of the release build in a pseudo-terminal of 120 by 40, and a model of what stands on it.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
pub(crate) use vt100::Screen;

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;
/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    model: Arc<(Mutex<vt100::Parser>, Condvar)>,
    /// Held, since the terminal goes with it.
    _master: Box<dyn MasterPty + Send>,
    _state: tempfile::TempDir,
}

impl Terminal {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, ..Default::default() };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowglass"));
        command.args(arguments);
        command.args(["--config", "", "--no-dns"]);
        command.env_remove("NO_COLOR");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        // No look of a run before, and none for the next one.
        let state = tempfile::tempdir().expect("a folder");
        command.env("XDG_STATE_HOME", state.path());
        let child = pty.slave.spawn_command(command).expect("the program");
        let mut output = pty.master.try_clone_reader().expect("its output");
        let keys = pty.master.take_writer().expect("its input");
        let side = |length| NonZero::new(length).expect("a side");
        let model = Arc::new((Mutex::new(vt100::Parser::new(side(ROWS), side(COLUMNS), 0)), Condvar::new()));
        let shown = Arc::clone(&model);
        thread::spawn(move || {
            let mut octets = [0; 1 << 16];
            while let Ok(read @ 1..) = output.read(&mut octets) {
                shown.0.lock().unwrap_or_else(PoisonError::into_inner).process(&octets[..read]);
                shown.1.notify_all();
            }
        });
        Self { child, keys, model, _master: pty.master, _state: state }
    }

    pub(crate) fn id(&self) -> String {
        self.child.process_id().unwrap_or(0).to_string()
    }

    /// Presses a key; returns how long it took until the screen is as wanted.
    pub(crate) fn press(&mut self, key: &str, what: &str, wanted: &dyn Fn(&Screen) -> bool) -> Duration {
        let begin = Instant::now();
        self.keys.write_all(key.as_bytes()).and_then(|()| self.keys.flush()).expect("a terminal that reads");
        self.wait(what, wanted);
        begin.elapsed()
    }

    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let (model, changed) = &*self.model;
        let parser = model.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(parser, PATIENCE, |parser| !wanted(parser.screen()));
        let (parser, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{what} is not on the screen:\n{}", parser.screen().contents());
    }

    pub(crate) fn text(&self) -> String {
        self.model.0.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    pub(crate) fn selected(&self) -> Option<u16> {
        selected(self.model.0.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The row that stands in reverse.
pub(crate) fn selected(screen: &Screen) -> Option<u16> {
    let reversed = |row, column| screen.cell(row, column).is_some_and(vt100::Cell::inverse);
    (0..ROWS).find(|row| (4..COLUMNS - 4).all(|column| reversed(*row, column)))
}
