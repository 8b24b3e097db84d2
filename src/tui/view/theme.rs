//! Colours and glyphs. Sixteen colours and three modifiers are enough everywhere; where a terminal has more, the same roles
//! get the shades that were meant.
//!
//! It reads no environment: whether there is colour and more than ASCII is said by the caller. Secondary text is dim
//! and never bright black, which some palettes make the colour of the background.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// How the screen may look. The default is plain: no colour, but Unicode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Theme {
    pub scheme: Scheme,
    pub depth: Depth,
    /// Not one character beyond ASCII, for serial consoles.
    pub ascii: bool,
}

/// Which colours, for which background and which eyes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light one.
    Light,
    /// Nothing is dim, and colours are as far from both backgrounds as they go.
    HighContrast,
    /// Blue and orange, which almost everybody can tell apart.
    ColorBlind,
    /// Modifiers alone tell things apart.
    Mono,
}

impl Scheme {
    pub const ALL: [Self; 5] = [Self::Dark, Self::Light, Self::HighContrast, Self::ColorBlind, Self::Mono];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColorBlind => "color-blind",
            Self::Mono => "mono",
        }
    }
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None, or none are wanted (<https://no-color.org>).
    #[default]
    None,
    /// Those that the terminal's own palette says.
    Sixteen,
    Indexed,
    True,
}

impl Depth {
    /// What `COLORTERM` and `TERM` say. Over SSH the first one is rarely there, so sixteen colours are what all is made for.
    pub fn detect(colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or("");
        if matches!(colorterm, Some("truecolor" | "24bit")) || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else if term.is_empty() || term == "dumb" || term.ends_with("-m") || term == "vt100" || term == "vt220" {
            Self::None
        } else {
            Self::Sixteen
        }
    }
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Inbound,
    Outbound,
    Alarm,
    Notice,
}

/// A colour as a palette of sixteen has it, and as it should be.
#[derive(Debug, Clone, Copy)]
struct Ink {
    sixteen: Color,
    rgb: (u8, u8, u8),
}

const fn ink(sixteen: Color, r: u8, g: u8, b: u8) -> Ink {
    Ink { sixteen, rgb: (r, g, b) }
}

impl Scheme {
    const fn ink(self, role: Role) -> Option<Ink> {
        Some(match (self, role) {
            (Self::Mono, _) => return None,
            (Self::Dark, Role::Inbound) => ink(Color::Cyan, 0x56, 0xb6, 0xc2),
            (Self::Dark, Role::Outbound) => ink(Color::Magenta, 0xc6, 0x8a, 0xee),
            (Self::Dark, Role::Alarm) => ink(Color::Red, 0xff, 0x6b, 0x6b),
            (Self::Dark, Role::Notice) => ink(Color::Yellow, 0xe5, 0xc0, 0x7b),
            (Self::Light, Role::Inbound) => ink(Color::Blue, 0x00, 0x5f, 0x87),
            (Self::Light, Role::Outbound) => ink(Color::Magenta, 0x87, 0x00, 0x87),
            (Self::Light, Role::Alarm) => ink(Color::Red, 0xaf, 0x00, 0x00),
            // Yellow cannot be read on white.
            (Self::Light, Role::Notice) => ink(Color::Green, 0x4e, 0x5a, 0x00),
            (Self::HighContrast, Role::Inbound) => ink(Color::LightCyan, 0x87, 0xff, 0xff),
            (Self::HighContrast, Role::Outbound) => ink(Color::LightMagenta, 0xff, 0xaf, 0xff),
            (Self::HighContrast, Role::Alarm) => ink(Color::LightRed, 0xff, 0x87, 0x87),
            (Self::HighContrast, Role::Notice) => ink(Color::LightYellow, 0xff, 0xff, 0x87),
            // After Okabe and Ito, for a dark background.
            (Self::ColorBlind, Role::Inbound) => ink(Color::LightBlue, 0x56, 0xb4, 0xe9),
            (Self::ColorBlind, Role::Outbound) => ink(Color::Yellow, 0xe6, 0x9f, 0x00),
            (Self::ColorBlind, Role::Alarm) => ink(Color::LightRed, 0xee, 0x77, 0x33),
            (Self::ColorBlind, Role::Notice) => ink(Color::White, 0xf0, 0xe4, 0x42),
        })
    }
}

/// The nearest of the 6 by 6 by 6 colours that all palettes of 256 have.
fn indexed((r, g, b): (u8, u8, u8)) -> Color {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |value: u8| (0..6_u8).min_by_key(|&step| STEPS[usize::from(step)].abs_diff(value)).unwrap_or(0);
    Color::Indexed(16 + 36 * nearest(r) + 6 * nearest(g) + nearest(b))
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
        match self.scheme {
            Scheme::HighContrast => Style::new(),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn role(self, role: Role) -> Option<Style> {
        let ink = self.scheme.ink(role)?;
        let color = match self.depth {
            Depth::None => return None,
            Depth::Sixteen => ink.sixteen,
            Depth::Indexed => indexed(ink.rgb),
            Depth::True => Color::Rgb(ink.rgb.0, ink.rgb.1, ink.rgb.2),
        };
        Some(Style::new().fg(color))
    }

    /// For traffic without a direction, and for what comes in.
    pub fn traffic(self) -> Style {
        self.role(Role::Inbound).unwrap_or_default()
    }

    /// For what goes out; where there is no colour, it stands below or behind an arrow.
    pub fn outbound(self) -> Style {
        self.role(Role::Outbound).unwrap_or_default()
    }

    /// For what was lost and what fails, and for nothing else.
    pub fn alarm(self) -> Style {
        self.role(Role::Alarm).map_or_else(|| self.badge(), |style| style.add_modifier(Modifier::BOLD))
    }

    /// For what the person in front should read.
    pub fn notice(self) -> Style {
        self.role(Role::Notice).unwrap_or_else(|| self.strong())
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

    /// Where the cursor of a line stands, for terminals that show none.
    pub const fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The cell of the selected row in which the cursor stands.
    pub const fn cursor_cell(self) -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED.union(Modifier::BOLD))
    }

    /// Between the steps of a way: host, peers, flows.
    pub const fn step(self) -> &'static str {
        if self.ascii { ">" } else { "›" }
    }

    /// What comes in, and what goes out.
    pub const fn arrows(self) -> [&'static str; 2] {
        if self.ascii { ["v", "^"] } else { ["↓", "↑"] }
    }

    /// A part of a graph that may still grow.
    pub const fn unsettled(self) -> &'static str {
        if self.ascii { ":" } else { "░" }
    }

    /// Fillings of a cell from above, the last one full. There are no finer ones in every font.
    pub const fn drops(self) -> &'static [&'static str] {
        if self.ascii { &["'", "#"] } else { &["▔", "▀", "█"] }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Inbound, Role::Outbound, Role::Alarm, Role::Notice];

    /// Relative luminance as WCAG 2 has it.
    fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_colour_can_be_read_on_its_background() {
        let cases = [
            (Scheme::Dark, (0, 0, 0), 4.5),
            (Scheme::Dark, (0x30, 0x30, 0x30), 3.0),
            (Scheme::Light, (255, 255, 255), 4.5),
            (Scheme::HighContrast, (0, 0, 0), 7.0),
            (Scheme::ColorBlind, (0, 0, 0), 4.5),
        ];
        for (scheme, background, least) in cases {
            for role in ROLES {
                let found = contrast(scheme.ink(role).unwrap().rgb, background);
                assert!(least <= found, "{scheme:?} {role:?}: {found:.1}");
            }
        }
    }

    #[test]
    fn colours_are_those_that_the_terminal_has() {
        let theme = |depth| Theme { depth, ..Theme::default() };
        assert_eq!(theme(Depth::None).traffic(), Style::new());
        assert_eq!(theme(Depth::Sixteen).traffic().fg, Some(Color::Cyan));
        assert_eq!(theme(Depth::Indexed).traffic().fg, Some(Color::Indexed(73)));
        assert_eq!(theme(Depth::True).traffic().fg, Some(Color::Rgb(0x56, 0xb6, 0xc2)));
        let mono = Theme { scheme: Scheme::Mono, depth: Depth::True, ascii: false };
        for style in [mono.traffic(), mono.outbound(), mono.alarm(), mono.notice()] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert_ne!(mono.alarm(), mono.plain(), "an alarm is seen without colour");
        assert_ne!(mono.notice(), mono.plain());
    }

    #[test]
    fn directions_and_alarms_differ_in_every_scheme() {
        for scheme in Scheme::ALL.into_iter().filter(|scheme| *scheme != Scheme::Mono) {
            for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
                let theme = Theme { scheme, depth, ascii: false };
                let colors = [theme.traffic(), theme.outbound(), theme.alarm(), theme.notice()].map(|style| style.fg);
                for (i, color) in colors.iter().enumerate() {
                    assert!(!colors[i + 1..].contains(color), "{scheme:?} {depth:?}: {colors:?}");
                }
            }
        }
    }

    #[test]
    fn the_terminal_says_how_many_colours_it_has() {
        let cases = [
            ((Some("truecolor"), Some("xterm-256color")), Depth::True),
            ((Some("24bit"), Some("xterm")), Depth::True),
            ((None, Some("xterm-direct")), Depth::True),
            ((None, Some("xterm-256color")), Depth::Indexed),
            ((Some(""), Some("screen.xterm-256color")), Depth::Indexed),
            ((None, Some("linux")), Depth::Sixteen),
            ((None, Some("xterm")), Depth::Sixteen),
            ((None, Some("vt220")), Depth::None),
            ((None, Some("dumb")), Depth::None),
            ((None, None), Depth::None),
        ];
        for ((colorterm, term), expected) in cases {
            assert_eq!(Depth::detect(colorterm, term), expected, "{colorterm:?} {term:?}");
        }
    }
}
