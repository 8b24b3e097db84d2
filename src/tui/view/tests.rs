use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::tui::app::{Feed, Request, Source, StorageView};
use crate::tui::canned;
use crate::tui::keys::Key;
use crate::tui::units::Units;
use crate::window::Span;

const COLOR: Theme = Theme { color: true, ascii: false };

/// An app that has seen `feed` and then these keys.
fn app(feed: Feed, keys: &[Key]) -> App {
    let mut app = App::new(feed.snapshot.span, Units::Bits);
    app.update(Event::Room { rows: 10, help_hidden: 100 });
    app.update(Event::Feed(feed));
    for key in keys {
        app.update(Event::Key(*key));
    }
    app
}

fn draw(app: &mut App, width: u16, height: u16, theme: Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    app.update(room(area, app));
    let mut buf = Buffer::empty(area);
    render(&mut buf, area, app, theme);
    buf
}

fn picture(feed: Feed, keys: &[Key], (width, height): (u16, u16), theme: Theme) -> String {
    let mut app = app(feed, keys);
    text(&draw(&mut app, width, height, theme))
}

fn text(buf: &Buffer) -> String {
    let mut backend = TestBackend::new(buf.area.width, buf.area.height);
    let mut text = String::new();
    let cells = buf.content.iter().enumerate().map(|(i, cell)| {
        let (x, y) = buf.pos_of(i);
        (x, y, cell)
    });
    ratatui::backend::Backend::draw(&mut backend, cells).unwrap();
    for line in backend.to_string().lines() {
        text.push_str(line.trim_matches('"').trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn look() {
    for size in [(120, 40), (80, 24), (40, 10), (170, 45), (100, 28), (60, 16)] {
        println!("== {size:?}\n{}", picture(canned::feed(Span::Minute), &[Key::Down, Key::Down], size, COLOR));
    }
    println!(
        "{}",
        picture(canned::feed(Span::FiveMinutes), &[Key::Char(' ')], (120, 40), Theme { ascii: true, color: true })
    );
    println!("{}", picture(canned::silent(), &[], (120, 40), COLOR));
    println!("{}", picture(canned::silent(), &[], (80, 24), COLOR));
    println!("{}", picture(canned::silent(), &[], (40, 10), COLOR));
    println!("{}", picture(canned::silent(), &[Key::Char('?')], (80, 24), COLOR));
}
