//! How long a frame takes: the largest view of a large screen, with 100,000 conversations of which all are in the table,
//! at its beginning and at its end; and how long a feed of them takes to be put in order. 2 ms is what a frame may take.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use flowglass::flow::{Counts, FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::tui::app::{App, Event, Feed};
use flowglass::tui::keys::Key;
use flowglass::tui::units::Units;
use flowglass::tui::view::{self, Theme};
use flowglass::window::{Limits, Span, Window};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const ROWS: u32 = 100_000;
const NOW: Timestamp = Timestamp(1_773_025_960_000);

fn window() -> Window {
    let mut window = Window::new(Limits::default());
    for n in 0..ROWS {
        let at = NOW.plus(i64::from(n % 50) * 1000 - 60_000);
        let mut flow = FlowRecord::blank(at, [192, 0, 2, 1].into(), ObservationDomainId(0), Version::Ipfix);
        let [_, a, b, c] = n.to_be_bytes();
        flow.key.src_ip = [10, a, b, c].into();
        flow.key.dst_ip = [198, 51, 100, c].into();
        flow.key.protocol = 6;
        flow.key.src_port = 50_000;
        flow.key.dst_port = 443;
        flow.counts = Counts { bytes: 1_000 + u64::from(n.wrapping_mul(2_654_435_761) >> 12), packets: 3 };
        window.record(&flow);
    }
    window
}

/// The answer to everything that the app wants to see.
fn feed(window: &mut Window, app: &App) -> Feed {
    let wish = app.wish();
    let views = wish.views.iter().map(|view| Arc::new(window.snapshot(view, NOW))).collect();
    Feed { wish: Arc::new(wish), views, now: NOW, ..Feed::default() }
}

fn frames(criterion: &mut Criterion) {
    let mut window = window();
    let mut app = App::new(Span::Minute, Units::Bits);
    let area = Rect::new(0, 0, 200, 60);
    for key in [Key::Char('1'), Key::End, Key::End, Key::Home] {
        app.update(Event::Key(key));
        let answer = feed(&mut window, &app);
        app.update(Event::Feed(answer));
        app.update(view::room(area, &app));
    }
    assert_eq!(app.table().len(), ROWS as usize, "every row is in the table");
    let mut frame = |name: &str, app: &mut App| {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                app.update(view::room(area, app));
                let mut buf = Buffer::empty(area);
                view::render(&mut buf, area, app, Theme::default());
                black_box(buf)
            });
        });
    };
    frame("a frame at the top of 100 k rows", &mut app);
    app.update(Event::Key(Key::End));
    frame("a frame at their end", &mut app);
    let answer = feed(&mut window, &app);
    criterion.bench_function("a feed of 100 k rows put in order", |bencher| {
        bencher.iter(|| app.update(Event::Feed(answer.clone())));
    });
}

criterion_group!(benches, frames);
criterion_main!(benches);
