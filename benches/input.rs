//! How long it takes until what a key does is on the screen, while 200,000 flows a second arrive: the program of the
//! release build in a pseudo-terminal, looked at through a screen model. 50 ms is what it may take.
//!
//! ```sh
//! cargo bench --bench input                 # 200,000 flows/s over 50,000 conversations
//! cargo bench --bench input -- 100000 10    # another rate, so many presses of each key
//! ```

#[path = "support/generator.rs"]
mod generator;
#[path = "support/common.rs"]
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::env;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use crate::support::{peak, say};
use crate::terminal::{Screen, Terminal};

const CONVERSATIONS: u32 = 50_000;
/// Until the window holds what it will hold, and has been asked for it.
const WARM: Duration = Duration::from_secs(15);
/// Between two presses; no whole part of a second, so that they fall everywhere between two feeds.
const APART: Duration = Duration::from_millis(173);

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (rate, presses) = (numbers.first().copied().unwrap_or(200_000), numbers.get(1).copied().unwrap_or(100));
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("flows.db");
    let mut terminal =
        Terminal::start(&["--host", "127.0.0.1", "--port", &port.to_string(), "--db", &database.display().to_string()]);
    terminal.wait("the first screen", |screen| screen.contents().contains("Nothing has arrived"));
    let to = ([127, 0, 0, 1], port).into();
    // It is ended with the bench.
    thread::spawn(move || generator::send(to, rate, 3_600, CONVERSATIONS));
    thread::sleep(WARM);
    say("key  what is waited for                   presses  50 %    90 %    worst");
    let mut worst = Duration::ZERO;
    for Pair { key, what, there, back, here } in PAIRS {
        let mut took = Vec::new();
        for _ in 0..presses {
            thread::sleep(APART);
            took.push(terminal.press(key, what, &|screen| there(&screen.contents())));
            thread::sleep(APART);
            terminal.press(back, "the way back", &|screen| here(&screen.contents()));
        }
        worst = worst.max(told(key, what, took));
    }
    // Away from the first row, from which no key leads up.
    for row in ["the first row", "the second row"] {
        let before = terminal.selected();
        terminal.press("j", row, &|screen| terminal::selected(screen).is_some_and(|now| Some(now) != before));
    }
    let mut took = Vec::new();
    for press in 0..presses {
        thread::sleep(APART);
        let before = terminal.selected();
        // Down and up, so that it never comes to an end.
        let key = if press % 2 == 0 { "j" } else { "k" };
        took.push(terminal.press(key, "the selected row", &move |screen: &Screen| {
            let now = terminal::selected(screen);
            now.is_some() && now != before
        }));
    }
    worst = worst.max(told("j", "the selected row", took));
    let text = terminal.text();
    let state = text.lines().next().unwrap_or_default();
    say(state.trim());
    say(&format!("peak {} MiB; worst {} ms: {}", peak(&terminal.id()), worst.as_millis(), verdict(worst)));
}

/// A key, what it brings, and the key that leads back.
struct Pair {
    key: &'static str,
    what: &'static str,
    there: fn(&str) -> bool,
    back: &'static str,
    here: fn(&str) -> bool,
}

const PAIRS: [Pair; 3] = [
    Pair {
        key: "?",
        what: "the help",
        there: |text| text.contains("overview: how much"),
        back: "\u{1b}",
        here: |text| text.contains("Conversations by"),
    },
    Pair {
        key: "s",
        what: "another order in the title",
        there: |text| text.contains("by down"),
        back: "S",
        here: |text| text.contains("by rate"),
    },
    // The window thread is asked for these.
    Pair {
        key: "3",
        what: "rows of another view",
        there: |text| text.contains("Hosts by") && has_rows(text),
        back: "1",
        here: |text| text.contains("Conversations by") && has_rows(text),
    },
];

/// Whether there are rows with figures.
fn has_rows(text: &str) -> bool {
    text.lines().any(|line| (line.contains(" 10.") || line.contains(" 192.0.2.")) && line.contains("b/s"))
}

/// Prints what a key took, and returns the worst.
fn told(key: &str, what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied();
    let of = |percent: usize| at(percent).unwrap_or_default().as_secs_f64() * 1000.0;
    let worst = took.last().copied().unwrap_or_default();
    say(&format!("{key:<4} {what:<36} {:>7}  {:>6.1}  {:>6.1}  {:>6.1} ms", took.len(), of(50), of(90), of(100)));
    worst
}

const fn verdict(worst: Duration) -> &'static str {
    if worst.as_millis() <= 50 { "within 50 ms" } else { "TOO LONG" }
}
