//! A picture of the screen for a report: the cells as they are, in a file that any browser shows.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Width and height of a cell, and the size of its letters, in units of the picture.
const CELL: (usize, usize) = (8, 17);
const LETTERS: usize = 13;

const PAPER: &str = "#10141a";
const INK: &str = "#d5d8dc";
const DIM: &str = "#8a9099";

/// The cells of a buffer as SVG. Whatever stands in them is text there, and never markup.
pub fn svg(buf: &Buffer) -> String {
    let (width, height) = (usize::from(buf.area.width) * CELL.0, usize::from(buf.area.height) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"{LETTERS}\" xml:space=\"preserve\">\n"
    );
    for y in 0..buf.area.height {
        line(&mut svg, buf, y);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Cells of one look, one after the other.
fn line(svg: &mut String, buf: &Buffer, y: u16) {
    let cell = |x: u16| buf.cell((buf.area.x + x, buf.area.y + y));
    let mut x = 0;
    while x < buf.area.width {
        let Some(first) = cell(x) else { break };
        let look = Look::of(first);
        let (begin, mut letters) = (x, String::new());
        while x < buf.area.width
            && let Some(next) = cell(x)
            && Look::of(next) == look
        {
            letters.push_str(next.symbol());
            x += u16::try_from(next.symbol().width().max(1)).unwrap_or(1);
        }
        run(svg, (usize::from(begin), usize::from(x - begin), usize::from(y)), look, &letters);
    }
}

fn run(svg: &mut String, (x, cells, y): (usize, usize, usize), look: Look, letters: &str) {
    let (left, top, width) = (x * CELL.0, y * CELL.1, cells * CELL.0);
    if let Some(paper) = look.paper {
        let _ =
            writeln!(svg, "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{paper}\"/>", CELL.1);
    }
    if letters.trim().is_empty() {
        return;
    }
    let bold = if look.is_bold { " font-weight=\"bold\"" } else { "" };
    let base = top + LETTERS;
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{base}\" fill=\"{}\"{bold} textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
        look.ink,
        escaped(letters)
    );
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Ink,
    paper: Option<Ink>,
    is_bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let ink = Ink::of(cell.fg)
            .unwrap_or_else(|| Ink::named(if cell.modifier.contains(Modifier::DIM) { DIM } else { INK }));
        let paper = Ink::of(cell.bg);
        let is_bold = cell.modifier.contains(Modifier::BOLD);
        if cell.modifier.contains(Modifier::REVERSED) {
            return Self { ink: paper.unwrap_or(Ink::named(PAPER)), paper: Some(ink), is_bold };
        }
        Self { ink, paper, is_bold }
    }
}

/// A colour of the picture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ink {
    Named(&'static str),
    Rgb(u8, u8, u8),
}

impl Ink {
    const fn named(name: &'static str) -> Self {
        Self::Named(name)
    }

    /// Nothing for the colour that the terminal has by itself.
    const fn of(color: Color) -> Option<Self> {
        Some(match color {
            Color::Reset => return None,
            Color::Rgb(r, g, b) => Self::Rgb(r, g, b),
            Color::Black => Self::Named("#10141a"),
            Color::Red | Color::LightRed => Self::Named("#e5616a"),
            Color::Green | Color::LightGreen => Self::Named("#7fc47f"),
            Color::Yellow | Color::LightYellow => Self::Named("#e0b860"),
            Color::Blue | Color::LightBlue => Self::Named("#6aa6e8"),
            Color::Magenta | Color::LightMagenta => Self::Named("#c58ae0"),
            Color::Cyan | Color::LightCyan => Self::Named("#62c4c9"),
            Color::DarkGray => Self::Named(DIM),
            Color::Gray | Color::White => Self::Named(INK),
            Color::Indexed(index) => indexed(index),
        })
    }
}

impl std::fmt::Display for Ink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Rgb(r, g, b) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
        }
    }
}

/// The cube and the greys of 256 colours.
const fn indexed(index: u8) -> Ink {
    const fn level(step: u8) -> u8 {
        if step == 0 { 0 } else { 55 + 40 * step }
    }
    match index {
        0..=15 => Ink::Named(INK),
        16..=231 => {
            let cube = index - 16;
            Ink::Rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            Ink::Rgb(grey, grey, grey)
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn cells_are_text_and_never_markup() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        buf.set_string(0, 0, "a<b>&c", Style::default());
        buf.set_string(0, 1, "日本", Style::default().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::REVERSED));
        let svg = svg(&buf);
        assert!(svg.contains(">a&lt;b&gt;&amp;c "), "{svg}");
        assert!(svg.contains("<rect x=\"0\" y=\"17\" width=\"32\" height=\"17\" fill=\"#010203\"/>"), "{svg}");
        assert!(svg.contains(">日本</text>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
    }
}
