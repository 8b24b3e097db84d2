//! The terminal as a guard: entered once, and given back whatever happens, a panic included.
//!
//! It draws nothing of its own and reads no keys. Each frame goes out as one `write` between the marks of a synchronised
//! update, so that a slow line never shows half of it; a bare standard output would cut it into pieces of a kilobyte.
//!
//! `ratatui::Terminal::clear` is never called: it asks the terminal where the cursor is and waits for the answer, which an
//! `EventStream` reads first, two seconds long. `resize` paints anew just as well.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::view::{self, Theme};

/// Whether the terminal is ours now. A panic in any thread must be able to give it back, so it belongs to the process.
static ENTERED: AtomicBool = AtomicBool::new(false);

static HOOK: Once = Once::new();

/// The alternate screen, without a cursor; pasted text comes in one piece.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";

/// Undoes it, along with whatever a frame that was cut short may have left: a synchronised update, mouse reports, marked
/// pastes, colours.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h";

/// Presses and the wheel, with coordinates in digits.
const MOUSE: [&[u8]; 2] = [b"\x1b[?1006l\x1b[?1000l", b"\x1b[?1000h\x1b[?1006h"];

/// Octets of text for the clipboard; terminals take no more, and some close over it.
const CLIPBOARD: usize = 50_000;

/// Frames longer than this grow the buffer once; a screen would need 300 by 100 cells that all change.
const FRAME_OCTETS: usize = 64 * 1024;

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";

/// The terminal in raw mode, until it is dropped.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<FrameWriter<Tty>>>,
    octets: Octets,
    theme: Theme,
    has_mouse: bool,
}

impl Terminal {
    /// Takes the terminal over. Where colours are not wanted, none are sent; those who still decide for themselves, by the
    /// environment, would send "no attribute at all" in their place, and with it erase the selection.
    pub fn enter(theme: Theme) -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "standard output is not a terminal"));
        }
        HOOK.call_once(install_hook);
        crossterm::style::force_color_output(true);
        let octets = Octets::default();
        let writer = FrameWriter::new(Tty(output()?), octets.clone());
        take_over()?;
        let inner = ratatui::Terminal::new(CrosstermBackend::new(writer)).inspect_err(|_| restore())?;
        Ok(Self { inner, octets, theme, has_mouse: false })
    }

    /// Draws one frame, and gives back how long it blocked. Tells the state first how much there is room for.
    pub fn draw(&mut self, app: &mut App) -> io::Result<Duration> {
        if !ENTERED.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was given back"));
        }
        let theme = self.theme;
        self.inner.draw(|frame| {
            app.update(view::room(frame.area(), app));
            let area = frame.area();
            view::render(frame.buffer_mut(), area, app, theme);
        })?;
        Ok(self.octets.blocked())
    }

    /// Has the wheel reported, or leaves the mouse to the terminal.
    pub fn mouse(&mut self, wanted: bool) -> io::Result<()> {
        self.has_mouse = wanted;
        let backend = self.inner.backend_mut();
        backend.write_all(MOUSE[usize::from(wanted)])?;
        Write::flush(backend)
    }

    /// Asks the terminal to take a text into its clipboard (OSC 52). Whether it does, it does not say.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        if CLIPBOARD < text.len() {
            return Ok(());
        }
        let backend = self.inner.backend_mut();
        crossterm::queue!(backend, crossterm::clipboard::CopyToClipboard::to_clipboard_from(text))?;
        Write::flush(backend)
    }

    /// Gives the terminal back and prints the picture where the shell goes on.
    pub fn leave_picture(&mut self, app: &App) -> io::Result<()> {
        let size = self.inner.size()?;
        let area = Rect::new(0, 0, size.width, size.height);
        let mut buf = Buffer::empty(area);
        view::render(&mut buf, area, app, Theme { depth: view::Depth::None, ..self.theme });
        restore();
        output()?.write_all(view::text(&buf).as_bytes())
    }

    /// The screen as SVG.
    pub fn picture(&self, app: &App) -> String {
        let size = self.inner.size().unwrap_or_default();
        let area = Rect::new(0, 0, size.width, size.height);
        let mut buf = Buffer::empty(area);
        view::render(&mut buf, area, app, self.theme);
        view::svg(&buf)
    }

    /// Has the next frame paint every cell.
    pub fn repaint(&mut self) -> io::Result<()> {
        let size = self.inner.size()?;
        self.inner.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Gives the terminal back, for as long as the process is stopped or in the background.
    pub fn leave(&self) {
        restore();
    }

    /// Takes it over again; what the shell or somebody else did to it in between does not matter.
    pub fn reenter(&mut self) -> io::Result<()> {
        restore();
        take_over()?;
        if self.has_mouse {
            self.mouse(true)?;
        }
        self.repaint()
    }

    pub fn is_entered(&self) -> bool {
        ENTERED.load(Ordering::SeqCst)
    }

    /// Whether there is still a terminal at the other end.
    pub fn is_alive(&self) -> bool {
        rustix::termios::tcgetwinsize(io::stdout().as_fd()).is_ok()
    }

    /// Whether this process may write to the terminal, and is not a job in the background.
    pub fn is_foreground(&self) -> bool {
        rustix::termios::tcgetpgrp(io::stdout().as_fd()).is_ok_and(|group| group == rustix::process::getpgrp())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// How many octets went to the terminal; a clone counts along.
#[derive(Debug, Clone, Default)]
pub struct Octets {
    written: Arc<AtomicU64>,
    /// Microseconds that the last frame took to be written.
    blocked: Arc<AtomicU64>,
}

impl Octets {
    pub fn count(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How long the last frame waited for the line to take it.
    pub fn blocked(&self) -> Duration {
        Duration::from_micros(self.blocked.load(Ordering::Relaxed))
    }
}

/// Collects a frame and writes it in one piece when it is flushed.
#[derive(Debug)]
pub struct FrameWriter<W> {
    inner: W,
    frame: Vec<u8>,
    octets: Octets,
}

impl<W: Write> FrameWriter<W> {
    pub fn new(inner: W, octets: Octets) -> Self {
        Self { inner, frame: Vec::with_capacity(FRAME_OCTETS), octets }
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.frame.is_empty() {
            self.frame.extend_from_slice(SYNC_BEGIN);
        }
        self.frame.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        self.frame.extend_from_slice(SYNC_END);
        let before = Instant::now();
        let written = self.inner.write_all(&self.frame);
        let blocked = u64::try_from(before.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.octets.blocked.store(blocked, Ordering::Relaxed);
        let length = u64::try_from(self.frame.len()).unwrap_or(u64::MAX);
        self.octets.written.fetch_add(length, Ordering::Relaxed);
        self.frame.clear();
        written?;
        self.inner.flush()
    }
}

/// The terminal while it is ours, and nothing while it is not. `ratatui::Terminal` shows the cursor when it is dropped and
/// prints to standard error when it cannot, which panics when that is the same terminal and gone; so it never learns.
#[derive(Debug)]
struct Tty(File);

impl Write for Tty {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if ENTERED.load(Ordering::SeqCst) { self.0.write(octets) } else { Ok(octets.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output without its line buffer.
fn output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    output().and_then(|mut output| output.write_all(ENTER)).inspect_err(|_| restore())
}

/// Gives the terminal back, once. Errors are not reported: there is nowhere left to report them to, and a terminal that is
/// gone needs no restoring.
fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = output().and_then(|mut output| output.write_all(LEAVE));
    let _ = disable_raw_mode();
}

/// Restores the terminal before the hook that was there prints the panic, or the other screen would swallow the message.
fn install_hook() {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        earlier(panic);
    }));
}

#[cfg(test)]
mod tests;
