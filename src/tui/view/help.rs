//! All keys, and what the words on screen mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::keys::{self, Keys};
use crate::tui::view::theme::Theme;
use crate::tui::view::{Frame, panel, ranking, text};
use crate::window::Badge;

/// The words on screen that are not plain.
const WORDS: &[(&str, &str)] = &[
    ("inside", "hosts of private networks, or of those that --local names; the other end is outside"),
    ("down, up", "towards the inside, and out of it; of a host, what it received and what it sent"),
    ("rate", "averaged over the span, up to where figures are settled"),
    (
        "settled",
        "exporters report late; what passed before has been reported, the lighter part of the graph may still grow",
    ),
    ("since", "when the first of it passed, within the last hour"),
    ("service", "named after the lower port, which is a guess and no evidence"),
    ("once", "traffic that two exporters saw, or one saw twice, is counted once; `o` counts all reports"),
    ("estimated", "counts times the rate of sampling; `r` shows them as reported"),
    ("decoded", "datagrams understood, of all that arrived"),
    ("waiting", "sets whose template has not come yet; they are decoded when it comes"),
    ("lost", "sequence numbers say that it was sent; it never arrived"),
    ("kernel dropped", "it arrived, but this host had no room for it"),
    ("buffer", "flows that the next flush writes to the database"),
];

/// The columns of the first word.
const NAME: usize = 16;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let lines = lines(area, app, theme);
    let room = usize::from(area.height.saturating_sub(1));
    let first = app.top_offset().min(lines.len().saturating_sub(room));
    let last = lines.len().min(first + room);
    let aside = format!("{}-{last} of {}", last.min(first + 1), lines.len());
    let (search, is_searching) = app.help_search();
    let title = match search.text() {
        "" if !is_searching => "Help".to_owned(),
        text => format!("Help: {text}{}", if is_searching { "_" } else { "" }),
    };
    let inner = panel(buf, area, Frame::Ruled, &title, &aside, theme);
    if lines.is_empty() {
        text::put(buf, inner, 1, 0, "nothing here has this word", theme.notice(), theme);
    }
    for (y, line) in lines.iter().skip(first).take(room).enumerate() {
        match line {
            Line::Heading(text) => text::put(buf, inner, 1, y, text, theme.strong(), theme),
            Line::Entry(name, text) => {
                text::put(buf, inner, 1, y, name, theme.plain(), theme);
                text::put(buf, inner, 1 + NAME, y, text, theme.dim(), theme);
            }
        }
    }
}

/// How many lines do not fit.
pub(super) fn hidden(area: Rect, app: &App) -> usize {
    lines(area, app, Theme::default()).len().saturating_sub(usize::from(area.height.saturating_sub(1)))
}

enum Line {
    /// Empty for a blank line.
    Heading(&'static str),
    /// The name is empty where the text goes on.
    Entry(String, String),
}

/// The whole help for a screen this wide, or what of it has the word that is searched for.
fn lines(area: Rect, app: &App, theme: Theme) -> Vec<Line> {
    let mut lines = Vec::new();
    let search = app.help_search().0.text().trim().to_lowercase();
    let has = |texts: [&str; 3]| search.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&search));
    for (binding, keys) in app.keys().bindings().filter(|(_, keys)| !keys.is_empty()) {
        let names = Keys::names(keys);
        if has([&names, binding.name, binding.help]) {
            entry(&mut lines, &names, &format!("{}{}", keys::place(binding.context), binding.help), area);
        }
    }
    let words: Vec<_> = WORDS.iter().filter(|(word, meaning)| has([word, meaning, ""])).collect();
    if !words.is_empty() {
        lines.push(Line::Heading(""));
        lines.push(Line::Heading("What the words mean"));
    }
    for (word, meaning) in words {
        entry(&mut lines, word, meaning, area);
    }
    let badges: Vec<_> =
        Badge::ALL.into_iter().filter(|badge| has([badge.word(), badge.meaning(), "badges"])).collect();
    if !badges.is_empty() {
        lines.push(Line::Heading(""));
        lines.push(Line::Heading("Badges of rows; their words are conditions at the end of a filter"));
    }
    for badge in badges {
        let mark = ranking::badge_mark(badge, 0, theme);
        entry(&mut lines, &format!("{mark}  {}", badge.word()), badge.meaning(), area);
    }
    lines
}

fn entry(lines: &mut Vec<Line>, name: &str, text: &str, area: Rect) {
    let width = usize::from(area.width).saturating_sub(1 + NAME + 1);
    let mut name = name;
    for text in text::wrap(text, width, 0) {
        lines.push(Line::Entry(std::mem::take(&mut name).to_owned(), text));
    }
}
