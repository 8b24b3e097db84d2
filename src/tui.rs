//! The screen: shows feeds, and hears keys and signals.
//!
//! It collects nothing, stores nothing and asks nobody: feeds come over a channel from whoever has flows, and all that
//! goes back is how far the next one shall look. [`app`] holds the state and knows no terminal, [`view`] draws it and
//! changes nothing, [`terminal`] keeps the terminal usable, [`keys`] says what keys mean, and here is the loop that
//! connects them.

pub mod app;
pub mod copy;
pub mod edit;
pub mod filter_line;
pub mod findings;
pub mod keys;
pub mod labels;
pub mod list;
pub mod opening;
pub mod pace;
pub mod privacy;
pub mod remembered;
pub mod terminal;
pub mod units;
pub mod view;

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};
use futures_util::StreamExt;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::names::Names;
use crate::store::ask::presets::Book;
use crate::tui::app::{App, Errand, Event, Feed, Request, Wish};
use crate::tui::keys::{Key, Keys, Turn};
use crate::tui::opening::Opening;
use crate::tui::pace::Pace;
use crate::tui::remembered::{Keeper, Remembered};
use crate::tui::terminal::Terminal;
use crate::tui::units::Units;
use crate::tui::view::Theme;
use crate::when::Zone;
use crate::window::Span;

/// A terminal can go without a word: no signal reaches a process that it does not control. A frame would notice, and where
/// none is drawn for so long, somebody has to look.
const SILENCE: Duration = Duration::from_secs(5);

/// How the screen shall look at first, and how it is used.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub theme: Theme,
    pub span: Span,
    pub units: Units,
    pub keys: Keys,
    /// Questions with a name, the operator's own among them.
    pub presets: Book,
    /// What the settings say of the first picture.
    pub opening: Opening,
    /// In which times are told and read; UTC when there is none.
    pub zone: Option<Zone>,
    /// Where it is kept how the screen looked last; nowhere when there is none.
    pub remember: Option<PathBuf>,
}

/// What the screen hears, and where it says what it wants to see.
#[derive(Debug)]
pub struct Ends {
    pub feeds: watch::Receiver<Feed>,
    pub names: Arc<Names>,
    /// Changes whenever the names know more.
    pub named: watch::Receiver<u64>,
    pub wishes: watch::Sender<Arc<Wish>>,
    pub errands: Errands,
}

/// Who does what takes long, and what became of it.
#[derive(Debug)]
pub struct Errands {
    /// With a picture of the screen, for those that want one.
    pub to: mpsc::UnboundedSender<(Errand, Option<String>)>,
    pub told: mpsc::UnboundedReceiver<String>,
}

/// Why the screen is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The person in front wants to.
    Quit,
    /// SIGINT or SIGTERM.
    Signal,
    /// The terminal is gone. The caller must end the process once everything is stored: a thread of the library that reads
    /// the terminal would otherwise spin on what is left of it.
    Hangup,
    /// A panic, in whatever thread, gave the terminal back so that its message can be read. The caller must end the process.
    Panic,
}

/// Shows the screen until somebody quits it, within a runtime that has timers and I/O enabled. The terminal is as it was
/// before when this returns.
///
/// # Errors
///
/// Standard output is not a terminal, or the terminal or the signals cannot be set up. A terminal that fails later is
/// [`Exit::Hangup`].
pub async fn run(settings: Settings, ends: Ends) -> io::Result<Exit> {
    let mut signals = Signals::new()?;
    let mut app = App::new(settings.span, settings.units)
        .with(settings.keys, Arc::clone(&ends.names))
        .with_presets(settings.presets)
        .with_zone(settings.zone);
    let keeper = recall(&mut app, settings.opening, settings.remember);
    let terminal = Terminal::enter(settings.theme)?;
    let mut desk = Desk {
        remembered: app.remembered(),
        app,
        terminal,
        ends,
        wish: Arc::default(),
        feeding: true,
        naming: true,
        inputs: Some(EventStream::new()),
        dirty: true,
        pace: Pace::default(),
        drawn: Instant::now(),
        next_frame: Instant::now(),
        keeper,
    };
    let first = desk.ends.feeds.borrow_and_update().clone();
    desk.app.update(Event::Feed(first));
    desk.wish();
    let exit = desk.work(&mut signals).await.unwrap_or(Exit::Hangup);
    Ok(exit)
}

/// Has the screen look as the settings say, and else as it did last. Where that cannot be kept, it is not.
fn recall(app: &mut App, opening: Opening, path: Option<PathBuf>) -> Option<Keeper> {
    let path = path.filter(|_| !opening.forgets);
    let (remembered, said) = path.as_deref().map(Remembered::read).unwrap_or_default();
    app.restore(opening.look.or(remembered));
    if let Some(said) = said {
        app.say(said);
    }
    Keeper::start(path?).ok()
}

struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
    resume: unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
            resume: unix::signal(SignalKind::from_raw(Signal::CONT.as_raw()))?,
        })
    }
}

/// Everything the loop has in its hands.
struct Desk {
    app: App,
    terminal: Terminal,
    ends: Ends,
    /// What was asked for last.
    wish: Arc<Wish>,
    /// Whether more feeds can come.
    feeding: bool,
    /// Whether more names can.
    naming: bool,
    /// None while the terminal belongs to somebody else, since reading it from the background stops the process.
    inputs: Option<EventStream>,
    dirty: bool,
    pace: Pace,
    /// When the last frame was drawn, and when the next one may be.
    drawn: Instant,
    next_frame: Instant,
    /// What was kept last, and who keeps it.
    remembered: Remembered,
    keeper: Option<Keeper>,
}

impl Desk {
    /// Any error in here is the terminal's.
    async fn work(&mut self, signals: &mut Signals) -> io::Result<Exit> {
        loop {
            if self.inputs.is_some() && !self.terminal.is_entered() {
                return Ok(Exit::Panic);
            }
            let drawing = self.dirty && self.inputs.is_some();
            tokio::select! {
                biased;
                _ = signals.hangup.recv() => return Ok(Exit::Hangup),
                _ = signals.terminate.recv() => return Ok(Exit::Signal),
                _ = signals.interrupt.recv() => return Ok(Exit::Signal),
                _ = signals.resume.recv() => self.resume()?,
                () = sleep_until(self.next_frame), if drawing => self.draw()?,
                input = next_input(&mut self.inputs) => match self.hear(input).await {
                    Heard::Nothing => {}
                    Heard::Gone => return Ok(Exit::Hangup),
                    Heard::Request(Request::Quit) => return Ok(Exit::Quit),
                    Heard::Request(Request::QuitLeaving) => {
                        self.terminal.leave_picture(&self.app)?;
                        return Ok(Exit::Quit);
                    }
                    Heard::Request(request) => self.serve(request)?,
                },
                changed = self.ends.feeds.changed(), if self.feeding => self.receive(changed.is_ok())?,
                changed = self.ends.named.changed(), if self.naming => {
                    self.naming = changed.is_ok();
                    self.dirty |= self.app.update(Event::Names).is_some();
                }
                Some(told) = self.ends.errands.told.recv() => {
                    self.app.say(told);
                    self.dirty = true;
                }
                () = sleep(SILENCE) => if !self.terminal.is_alive() { return Ok(Exit::Hangup) },
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let blocked = self.terminal.draw(&mut self.app)?;
        self.pace.learn(blocked);
        self.dirty = self.app.update(Event::Pace(self.pace.label())).is_some();
        // A picture of another size may have room for more.
        self.wish();
        self.drawn = Instant::now();
        self.next_frame = self.drawn + self.pace.gap();
        Ok(())
    }

    /// Somebody waits for the next frame, which comes sooner than one that only brings other figures.
    fn hasten(&mut self) {
        self.next_frame = self.next_frame.min(self.drawn + self.pace.haste());
    }

    /// Takes an input in, and all that came along with it, so that held keys cost one frame. Stops at the first one that
    /// asks for more than a frame.
    async fn hear(&mut self, first: Option<io::Result<Input>>) -> Heard {
        let mut next = Some(first);
        while let Some(input) = next {
            let Some(Ok(input)) = input else { return Heard::Gone };
            let request = match input {
                Input::Resize(..) => Some(Request::Redraw),
                Input::Key(key) => translate(key).and_then(|key| self.app.update(Event::Key(key))),
                Input::Paste(text) => self.app.update(Event::Paste(text)),
                Input::Mouse(mouse) => match mouse.kind {
                    MouseEventKind::ScrollDown => self.app.update(Event::Wheel(Turn::Next)),
                    MouseEventKind::ScrollUp => self.app.update(Event::Wheel(Turn::Previous)),
                    _ => None,
                },
                _ => None,
            };
            self.keep();
            self.wish();
            match request {
                None => {}
                Some(Request::Redraw) => {
                    self.dirty = true;
                    self.hasten();
                }
                Some(request) => return Heard::Request(request),
            }
            next = waiting_input(&mut self.inputs).await;
        }
        Heard::Nothing
    }

    /// Has it kept how the screen looks, when that is new.
    fn keep(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let remembered = self.app.remembered();
        if remembered != self.remembered {
            keeper.keep(remembered.clone());
            self.remembered = remembered;
        }
    }

    /// Says what the next feed shall bring, when that is something else. Nobody may listen any more when the flows have
    /// come to their end; the figures then stay.
    fn wish(&mut self) {
        let wish = self.app.wish();
        if wish != *self.wish {
            self.wish = Arc::new(wish);
            self.ends.wishes.send_replace(Arc::clone(&self.wish));
        }
    }

    fn serve(&mut self, request: Request) -> io::Result<()> {
        self.dirty = true;
        self.hasten();
        match request {
            Request::Redraw | Request::Quit | Request::QuitLeaving => Ok(()),
            Request::Copy(text) => self.terminal.copy(&text),
            Request::Mouse(wanted) => self.terminal.mouse(wanted),
            Request::Repaint => self.terminal.repaint(),
            Request::Errand(errand) => {
                let picture = matches!(errand, Errand::Bundle { .. }).then(|| self.terminal.picture(&self.app));
                // Nobody may be there any more when the run is about to end.
                let _ = self.ends.errands.to.send((errand, picture));
                Ok(())
            }
            Request::Suspend => self.suspend(),
        }
    }

    fn receive(&mut self, is_fresh: bool) -> io::Result<()> {
        self.feeding = is_fresh;
        if !is_fresh {
            return Ok(());
        }
        let feed = self.ends.feeds.borrow_and_update().clone();
        if feed.wish != self.app.feed().wish {
            self.hasten();
        }
        self.dirty |= self.app.update(Event::Feed(feed)).is_some();
        self.wish();
        // A job that was continued in the background and comes to the front is sent no signal.
        if self.inputs.is_none() { self.resume() } else { Ok(()) }
    }

    /// Stops the process, and every thread with it. SIGSTOP, since SIGTSTP is discarded for a group without a shell.
    fn suspend(&mut self) -> io::Result<()> {
        self.inputs = None;
        self.terminal.leave();
        kill_process(getpid(), Signal::STOP).or_else(|_| self.resume())
    }

    /// Takes the terminal over again, when it is ours to take.
    fn resume(&mut self) -> io::Result<()> {
        if !self.terminal.is_foreground() {
            return Ok(());
        }
        self.terminal.reenter()?;
        self.inputs.get_or_insert_with(EventStream::new);
        self.dirty = true;
        Ok(())
    }
}

enum Heard {
    Nothing,
    Request(Request),
    /// There is no terminal to hear any more.
    Gone,
}

/// What has come already. It is asked for by this task and not with `now_or_never`: a stream that has nothing keeps the
/// waker of who asked, and takes no other until something comes, so that the next key would wake nobody.
async fn waiting_input(inputs: &mut Option<EventStream>) -> Option<Option<io::Result<Input>>> {
    let inputs = inputs.as_mut()?;
    poll_fn(|context| match inputs.poll_next_unpin(context) {
        Poll::Ready(input) => Poll::Ready(Some(input)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn next_input(inputs: &mut Option<EventStream>) -> Option<io::Result<Input>> {
    match inputs {
        Some(inputs) => inputs.next().await,
        None => std::future::pending().await,
    }
}

/// The key in our own words, or nothing for one that means nothing here.
fn translate(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        // Over SSH, the key above Enter often sends this.
        KeyCode::Char('h') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Backspace),
        KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some(Key::Ctrl(letter.to_ascii_lowercase()))
        }
        KeyCode::Char(_) if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) => None,
        KeyCode::Char(letter) => Some(Key::Char(letter)),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::Left => Some(Key::Left),
        KeyCode::Right => Some(Key::Right),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        KeyCode::Esc => Some(Key::Esc),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Tab => Some(Key::Tab),
        KeyCode::BackTab => Some(Key::BackTab),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Delete => Some(Key::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod canned;
#[cfg(test)]
mod tests;
