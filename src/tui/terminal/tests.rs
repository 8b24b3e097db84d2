use super::*;
use crate::tui::app::Event;
use crate::tui::canned;
use crate::tui::keys::Key;
use crate::tui::units::Units;
use crate::window::Span;

/// Each call to `write` apart.
#[derive(Debug, Clone, Default)]
struct Writes(Arc<std::sync::Mutex<Vec<Vec<u8>>>>);

impl Write for Writes {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(octets.to_vec());
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal of 120 by 40 that draws into memory.
fn terminal(octets: &Octets) -> (ratatui::Terminal<CrosstermBackend<FrameWriter<Writes>>>, Writes) {
    let writes = Writes::default();
    let backend = CrosstermBackend::new(FrameWriter::new(writes.clone(), octets.clone()));
    let viewport = ratatui::Viewport::Fixed(Rect::new(0, 0, 120, 40));
    let terminal = ratatui::Terminal::with_options(backend, ratatui::TerminalOptions { viewport }).unwrap();
    (terminal, writes)
}

fn app() -> App {
    let mut app = App::new(Span::Minute, Units::Bits);
    app.update(Event::Feed(canned::feed(Span::Minute)));
    app
}

fn render(buf: &mut Buffer, app: &mut App, theme: Theme) {
    let area = buf.area;
    app.update(view::room(area, app));
    view::render(buf, area, app, theme);
}

/// What the window thread sends at this moment; nothing new where time stands still.
fn fed(window: &mut crate::window::Window, app: &App, now: crate::flow::Timestamp) -> crate::tui::app::Feed {
    let wish = app.wish();
    let views = if wish.is_frozen {
        app.feed().views.clone()
    } else {
        wish.views.iter().map(|view| Arc::new(window.snapshot(view, now))).collect()
    };
    crate::tui::app::Feed { wish: Arc::new(wish), views, now, ..canned::feed(Span::TenSeconds) }
}

#[test]
fn a_frame_is_one_synchronised_write() {
    let octets = Octets::default();
    let (mut terminal, writes) = terminal(&octets);
    let mut app = app();
    for _ in 0..3 {
        app.update(Event::Key(Key::Down));
        terminal.draw(|frame| render(frame.buffer_mut(), &mut app, Theme::default())).unwrap();
    }
    let writes = writes.0.lock().unwrap();
    assert_eq!(writes.len(), 3);
    for write in writes.iter() {
        assert!(write.starts_with(SYNC_BEGIN) && write.ends_with(SYNC_END));
        assert!(!write.windows(4).any(|window| window == b"\x1b[2J" || window == b"\x1b[6n"));
    }
    assert_eq!(octets.count(), writes.iter().map(|write| write.len() as u64).sum::<u64>());
}

#[test]
fn a_second_of_traffic_is_cheap_to_draw() {
    let octets = Octets::default();
    let (mut terminal, _) = terminal(&octets);
    let mut window = crate::window::Window::new(crate::window::Limits::default());
    let flows = canned::flows();
    let mut flows = flows.iter().peekable();
    let mut app = App::new(Span::Minute, Units::Bits);
    let mut worst = 0;
    for second in -100..0 {
        let now = canned::NOW.plus(second * 1000);
        while let Some(flow) = flows.next_if(|flow| flow.received < now) {
            window.record(flow);
        }
        let feed = fed(&mut window, &app, now);
        app.update(Event::Feed(feed));
        let before = octets.count();
        let theme = Theme { depth: view::Depth::Sixteen, ..Theme::default() };
        terminal.draw(|frame| render(frame.buffer_mut(), &mut app, theme)).unwrap();
        if -90 < second {
            worst = worst.max(octets.count() - before);
        }
    }
    println!("{worst} octets in the longest frame");
    assert!(worst < 8_000, "{worst} octets in one frame");
}

/// Sixty seconds at 120 by 40 with a new feed each second: octets a second while rows change their order, and while the
/// figures are frozen and the clock goes on.
#[test]
fn a_minute_of_traffic_fits_through_a_narrow_line() {
    let spent = |keys: &[Key]| {
        let octets = Octets::default();
        let (mut terminal, _) = terminal(&octets);
        let mut window = crate::window::Window::new(crate::window::Limits::default());
        let flows = canned::flows();
        let mut flows = flows.iter().peekable();
        let mut app = App::new(Span::TenSeconds, Units::Bits);
        let mut before = 0;
        for second in -70..0 {
            let now = canned::NOW.plus(second * 1000);
            while let Some(flow) = flows.next_if(|flow| flow.received < now) {
                window.record(flow);
            }
            let feed = fed(&mut window, &app, now);
            app.update(Event::Feed(feed));
            if second == -60 {
                keys.iter().for_each(|&key| drop(app.update(Event::Key(key))));
                let theme = Theme { depth: view::Depth::Sixteen, ..Theme::default() };
                terminal.draw(|frame| render(frame.buffer_mut(), &mut app, theme)).unwrap();
                before = octets.count();
            }
            let theme = Theme { depth: view::Depth::Sixteen, ..Theme::default() };
            terminal.draw(|frame| render(frame.buffer_mut(), &mut app, theme)).unwrap();
        }
        (octets.count() - before) / 60
    };
    let (live, frozen) = (spent(&[]), spent(&[Key::Char(' ')]));
    println!("{live} octets a second live, {frozen} frozen");
    assert!(live <= 3_000, "{live} octets a second");
    assert!(frozen <= 100, "{frozen} octets a second");
}

#[test]
fn nothing_is_written_without_a_frame() {
    let writes = Writes::default();
    let mut writer = FrameWriter::new(writes.clone(), Octets::default());
    writer.flush().unwrap();
    assert!(writes.0.lock().unwrap().is_empty());
}

#[test]
fn what_was_never_taken_over_is_not_given_back() {
    assert!(!ENTERED.load(Ordering::SeqCst));
    restore();
    restore();
    assert!(!ENTERED.load(Ordering::SeqCst));
}

#[test]
fn nothing_is_written_to_a_terminal_that_is_not_ours() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut writer = FrameWriter::new(Tty(full), Octets::default());
    writer.write_all(b"frame").unwrap();
    writer.flush().unwrap();
}

/// A line that takes its time.
struct Slow;

impl Write for Slow {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(20));
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_blocks_is_noticed() {
    let octets = Octets::default();
    let mut writer = FrameWriter::new(Slow, octets.clone());
    writer.write_all(b"frame").unwrap();
    assert_eq!(octets.blocked(), Duration::ZERO);
    writer.flush().unwrap();
    assert!(Duration::from_millis(20) <= octets.blocked(), "{:?}", octets.blocked());
}
