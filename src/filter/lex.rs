//! Text to tokens with their places.
//!
//! It knows no keyword: a word is a word. Octets that begin no token are an error here.

use std::ops::Range;

use crate::filter::error::{Fault, ParseError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Not,
    And,
    Or,
    Is(Comparison),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Longer ones first.
const SIGNS: &[(&str, Kind<'_>)] = &[
    ("&&", Kind::And),
    ("||", Kind::Or),
    ("==", Kind::Is(Comparison::Equal)),
    ("!=", Kind::Is(Comparison::NotEqual)),
    ("<>", Kind::Is(Comparison::NotEqual)),
    ("<=", Kind::Is(Comparison::AtMost)),
    (">=", Kind::Is(Comparison::AtLeast)),
    ("=", Kind::Is(Comparison::Equal)),
    ("<", Kind::Is(Comparison::Less)),
    (">", Kind::Is(Comparison::More)),
    ("(", Kind::Open),
    (")", Kind::Close),
    ("[", Kind::OpenList),
    ("]", Kind::CloseList),
    (",", Kind::Comma),
    ("!", Kind::Not),
];

/// Words that say the same as a sign.
const SIGN_WORDS: &[(&str, Kind<'_>)] = &[
    ("and", Kind::And),
    ("or", Kind::Or),
    ("not", Kind::Not),
    ("eq", Kind::Is(Comparison::Equal)),
    ("ne", Kind::Is(Comparison::NotEqual)),
    ("lt", Kind::Is(Comparison::Less)),
    ("le", Kind::Is(Comparison::AtMost)),
    ("gt", Kind::Is(Comparison::More)),
    ("ge", Kind::Is(Comparison::AtLeast)),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = if let Some(blank) = rest.chars().next().filter(|c| c.is_whitespace()) {
            at += blank.len_utf8();
            continue;
        } else if let Some((sign, kind)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (*kind, sign.len())
        } else {
            let word = &rest[..rest.find(|c| !in_word(c)).unwrap_or(rest.len())];
            let Some(stranger) = rest.chars().next().filter(|_| word.is_empty()) else {
                tokens.push(Token { kind: word_kind(word), span: at..at + word.len() });
                at += word.len();
                continue;
            };
            let fault = Fault::Unexpected { found: Some(stranger.to_string()), expected: &["a test", "an operator"] };
            return Err(ParseError::new(at..at + stranger.len_utf8(), fault));
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

fn word_kind(word: &str) -> Kind<'_> {
    let sign = SIGN_WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    sign.map_or(Kind::Word(word), |(_, kind)| *kind)
}

/// The sign of a token that is no word.
pub(super) fn spelled(kind: Kind<'_>) -> &'static str {
    SIGNS.iter().find(|(_, own)| *own == kind).map_or("", |(sign, _)| sign)
}

pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || "._:/-".contains(c)
}
