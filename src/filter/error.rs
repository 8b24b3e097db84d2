//! Why a text is no filter: where, what stood there, what was expected.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// `Display` is one line without the hint; [`ParseError::render`] shows the text with carets below the span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Octets of the text.
    pub span: Range<usize>,
    pub fault: Fault,
    /// What a person can do about it.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `None` is the end of the text. Control characters in what was found are replaced.
    Unexpected {
        found: Option<String>,
        expected: &'static [&'static str],
    },
    /// A number that the field cannot have.
    Range {
        field: &'static str,
        max: i64,
    },
    Limit {
        what: &'static str,
        limit: usize,
    },
}

impl ParseError {
    pub(super) const fn new(span: Range<usize>, fault: Fault) -> Self {
        Self { span, fault, hint: None }
    }

    pub(super) const fn limit(span: Range<usize>, what: &'static str, limit: usize) -> Self {
        Self::new(span, Fault::Limit { what, limit })
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The text, carets below the span, the message, and the hint.
    pub fn render(&self, text: &str) -> String {
        let width = |range| text.get(range).map_or(0, |part: &str| part.chars().map(columns).sum::<usize>());
        let shown: String = text.chars().map(printable).collect();
        let carets = "^".repeat(width(self.span.clone()).max(1));
        let mut rendered = format!("{shown}\n{:before$}{carets}\n{self}", "", before = width(0..self.span.start));
        if let Some(hint) = &self.hint {
            rendered.push_str("\nhint: ");
            rendered.push_str(hint);
        }
        rendered
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Unexpected { found, expected } => {
                match found {
                    Some(found) => write!(f, "found `{}`, expected ", shortened(found))?,
                    None => f.write_str("filter ends, expected ")?,
                }
                for (n, thing) in expected.iter().enumerate() {
                    f.write_str(if n == 0 {
                        ""
                    } else if n + 1 < expected.len() {
                        ", "
                    } else {
                        " or "
                    })?;
                    f.write_str(thing)?;
                }
                Ok(())
            }
            Fault::Range { field, max } => write!(f, "no such value: `{field}` is from 0 to {max}"),
            Fault::Limit { what, limit } => write!(f, "filter too large: at most {limit} {what}"),
        }
    }
}

impl std::error::Error for ParseError {}

/// One line of a message holds this many characters of what a person typed.
const SHOWN: usize = 40;

fn shortened(found: &str) -> String {
    let mut shown: String = found.chars().take(SHOWN).map(printable).collect();
    if found.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// No control character of a text reaches the terminal, nor one that has no width.
fn printable(c: char) -> char {
    if c.is_whitespace() {
        ' '
    } else if c.width().is_none_or(|width| width == 0) {
        '\u{fffd}'
    } else {
        c
    }
}

fn columns(c: char) -> usize {
    printable(c).width().unwrap_or(0)
}
