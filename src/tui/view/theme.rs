//! Colours and glyphs. Sixteen colours and three modifiers are all there is, so that it reads on any background.
//!
//! It reads no environment: whether there is colour and more than ASCII is said by the caller. Secondary text is dim
//! and never bright black, which some palettes make the colour of the background.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// How the screen may look. The default is plain: no colour, but Unicode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Theme {
    /// Without it, modifiers alone tell things apart (<https://no-color.org>).
    pub color: bool,
    /// Not one character beyond ASCII, for serial consoles.
    pub ascii: bool,
}

/// Corners and lines of a box, in ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Theme {
    pub const fn plain(self) -> Style {
        Style::new()
    }

    pub const fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// For traffic: the graph and the bars.
    pub const fn traffic(self) -> Style {
        if self.color { Style::new().fg(Color::Cyan) } else { Style::new() }
    }

    /// For what was lost and what fails, and for nothing else.
    pub const fn alarm(self) -> Style {
        if self.color { Style::new().fg(Color::Red).add_modifier(Modifier::BOLD) } else { self.badge() }
    }

    /// For what the person in front should read.
    pub const fn notice(self) -> Style {
        if self.color { Style::new().fg(Color::Yellow) } else { self.strong() }
    }

    pub const fn badge(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD.union(Modifier::REVERSED))
    }

    pub const fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub const fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::ROUNDED }
    }

    pub const fn rule(self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }

    pub const fn ellipsis(self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// Marks the column that rows are sorted by.
    pub const fn sorted(self) -> &'static str {
        if self.ascii { "*" } else { "▼" }
    }

    /// Fillings of a cell from below, the last one full.
    pub const fn levels(self) -> &'static [&'static str] {
        if self.ascii {
            &["_", ".", "-", "=", "^", "#"]
        } else {
            &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }

    /// Fillings of a cell from the left, the last one full.
    pub const fn lengths(self) -> &'static [&'static str] {
        if self.ascii { &["-", "="] } else { &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"] }
    }
}
