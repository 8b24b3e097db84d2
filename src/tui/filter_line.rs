//! The line in which the filter is edited: what is typed, what is wrong with it, how it may go on, and what was there
//! before. The last filter that could be read stays in force until another one is accepted.
//!
//! It draws nothing. What words mean comes from the caller's names.

use crate::filter::{self, Filter, ParseError, TEXT};
use crate::names::Names;
use crate::tui::edit::Line;
use crate::tui::keys::{Key, Turn};
use crate::window::Badge;

/// Filters that are remembered; the oldest goes.
const HISTORY: usize = 50;

/// Ways to go on that are offered at once.
const OFFERED: usize = 12;

/// State of the line, open or not.
#[derive(Debug, Clone)]
pub struct FilterLine {
    line: Line,
    /// What could not be read of the line as it is.
    error: Option<ParseError>,
    offered: Vec<String>,
    /// The text in force, and its filter.
    text: String,
    filter: Filter,
    /// Its conditions on rows: a badge, and whether they shall have it.
    badges: Vec<(Badge, bool)>,
    /// Accepted texts, oldest first, none twice.
    history: Vec<String>,
    /// Where in the history the line is, counted from the newest; 0 is what was typed, which waits in `draft`.
    back: usize,
    draft: String,
}

impl Default for FilterLine {
    fn default() -> Self {
        Self {
            line: Line::default(),
            error: None,
            offered: Vec::new(),
            text: String::new(),
            filter: Filter::all(),
            badges: Vec::new(),
            history: Vec::new(),
            back: 0,
            draft: String::new(),
        }
    }
}

impl FilterLine {
    /// What an earlier run left.
    pub fn remember(&mut self, history: Vec<String>) {
        let skipped = history.len().saturating_sub(HISTORY);
        self.history = history.into_iter().skip(skipped).filter(|text| text.len() <= TEXT).collect();
    }

    /// Begins to edit what is in force.
    pub fn open(&mut self, names: &Names) {
        self.line = Line::new(self.text.clone());
        self.back = 0;
        self.look(names);
    }

    /// Takes a key that edits; false for one that does not.
    pub fn take(&mut self, key: Key, names: &Names) -> bool {
        let taken = self.line.take(key, TEXT);
        if taken {
            self.back = 0;
            self.look(names);
        }
        taken
    }

    pub fn paste(&mut self, text: &str, names: &Names) {
        self.line.insert(text, TEXT);
        self.back = 0;
        self.look(names);
    }

    /// Puts the line in force; nothing happens, and `None` comes, when it is no filter.
    pub fn accept(&mut self, names: &Names) -> Option<Filter> {
        let (filter, badges) = read(self.line.text(), names).ok()?;
        self.text = self.line.text().trim().to_owned();
        self.filter = filter.clone();
        self.badges = badges;
        if !self.text.is_empty() {
            self.history.retain(|text| *text != self.text);
            self.history.push(self.text.clone());
            let excess = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..excess);
        }
        Some(filter)
    }

    /// Puts a text in force that nobody typed here.
    ///
    /// # Errors
    /// When it is no filter; the old one stays.
    pub fn set(&mut self, text: &str, names: &Names) -> Result<Filter, ParseError> {
        read(text, names)?;
        self.line = Line::new(text);
        Ok(self.accept(names).unwrap_or_else(Filter::all))
    }

    /// Completes the word before the cursor as far as all that is offered agrees, or to the first that is.
    pub fn complete(&mut self, names: &Names) {
        let start = self.word_start();
        let typed = self.line.cursor() - start;
        let Some(first) = self.offered.first().cloned() else { return };
        let common = self.offered.iter().fold(first.as_str(), |common, other| agreed(common, other));
        let (text, is_whole) =
            if typed < common.len() { (common.to_owned(), self.offered.len() == 1) } else { (first, true) };
        let gap = if is_whole { " " } else { "" };
        self.line.replace(start, &format!("{text}{gap}"), TEXT);
        self.look(names);
    }

    /// Through what was accepted before.
    pub fn turn(&mut self, turn: Turn, names: &Names) {
        let back = match turn {
            Turn::Previous => (self.back + 1).min(self.history.len()),
            Turn::Next => self.back.saturating_sub(1),
        };
        if back == self.back {
            return;
        }
        if self.back == 0 {
            self.line.text().clone_into(&mut self.draft);
        }
        self.back = back;
        let text = self.history.len().checked_sub(back).and_then(|at| self.history.get(at)).unwrap_or(&self.draft);
        self.line = Line::new(text.clone());
        self.look(names);
    }

    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// What is wrong with the line, unless nothing is or it is not finished.
    pub const fn error(&self) -> Option<&ParseError> {
        self.error.as_ref()
    }

    /// How the word at the cursor may go on.
    pub fn offered(&self) -> &[String] {
        &self.offered
    }

    /// The text in force; empty for every flow.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What rows shall have, or not have, besides.
    pub fn badges(&self) -> &[(Badge, bool)] {
        &self.badges
    }

    /// What stands before the conditions on rows, and those as text.
    pub fn parts(&self) -> (String, String) {
        let badge =
            |&(badge, is_wanted): &(Badge, bool)| format!("{}{}", if is_wanted { "" } else { "not " }, badge.word());
        let badges: Vec<String> = self.badges.iter().rev().map(badge).collect();
        let flows = if self.filter.is_all() { String::new() } else { self.filter.to_string() };
        let flows = if self.badges.is_empty() { self.text.clone() } else { flows };
        (flows, badges.join(" and "))
    }

    pub fn history(&self) -> &[String] {
        &self.history
    }

    fn look(&mut self, names: &Names) {
        let text = self.line.text();
        self.error = read(text, names).err();
        let start = self.word_start();
        let typed = text.get(start..self.line.cursor()).unwrap_or_default();
        let keywords = filter::expected_at(text, self.line.cursor());
        let mut offered: Vec<String> = keywords.iter().map(|&word| word.to_owned()).collect();
        if typed.is_empty() {
            offered.truncate(OFFERED);
        } else {
            if self.line.cursor() == text.len() {
                offered.extend(
                    Badge::ALL.map(Badge::word).into_iter().filter(|word| word.starts_with(typed)).map(str::to_owned),
                );
            }
            offered.extend(names.beginning(typed, OFFERED).into_iter().filter(|name| self.takes(start, name, names)));
        }
        offered.retain(|word| word.len() != typed.len());
        offered.dedup();
        offered.truncate(OFFERED);
        self.offered = offered;
    }

    /// Whether a name may stand at `start`, alone or in a list.
    fn takes(&self, start: usize, name: &str, names: &Names) -> bool {
        let before = self.line.text().get(..start).unwrap_or_default();
        let ends = |text: &str| filter::parse(text, &|word| names.meanings(word)).is_ok();
        ["", "]", ")"].iter().any(|close| ends(&format!("{before}{name}{close}")))
    }

    /// Where the word before the cursor begins.
    fn word_start(&self) -> usize {
        let before = self.line.text().get(..self.line.cursor()).unwrap_or_default();
        let in_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | ':' | '-' | '_' | '/' | '*');
        before.trim_end_matches(in_word).len()
    }
}

/// Reads a filter that may end in conditions on rows: `port 443 and new and not estimated`. They are no part of the filter,
/// since no record has them; what stands before them holds as a whole.
fn read(text: &str, names: &Names) -> Result<(Filter, Vec<(Badge, bool)>), ParseError> {
    let mut rest = text.trim_end();
    let mut badges = Vec::new();
    while let Some((before, badge)) = last_word(rest).and_then(|(before, word)| Some((before, of_word(word)?))) {
        let (before, is_wanted) = match last_word(before) {
            Some((before, word)) if word.eq_ignore_ascii_case("not") => (before, false),
            _ => (before, true),
        };
        rest = match last_word(before) {
            None => "",
            Some((before, word)) if word.eq_ignore_ascii_case("and") && !before.is_empty() => before,
            // It is an error there, and the parser says where.
            Some(_) => break,
        };
        badges.push((badge, is_wanted));
    }
    // Errors are told where they stand in the whole text.
    let rest = if badges.is_empty() { text } else { rest };
    let filter = filter::parse(rest, &|word| names.meanings(word)).map_err(|mut error| {
        if rest.get(error.span.clone()).is_some_and(|word| of_word(word.trim()).is_some()) {
            error.hint = Some("badges stand at the end, after `and`".to_owned());
        }
        error
    })?;
    Ok((filter, badges))
}

fn of_word(word: &str) -> Option<Badge> {
    Badge::ALL.into_iter().find(|badge| badge.word().eq_ignore_ascii_case(word))
}

/// What stands before the last word, and that word.
fn last_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = text.get(start..).filter(|word| !word.is_empty())?;
    Some((text.get(..start).unwrap_or_default().trim_end(), word))
}

/// What two words have in common at their beginning, in any case.
fn agreed<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.char_indices().zip(other.chars()).take_while(|((_, a), b)| a.eq_ignore_ascii_case(b));
    let length = same.last().map_or(0, |((at, letter), _)| at + letter.len_utf8());
    one.get(..length).unwrap_or(one)
}

#[cfg(test)]
mod tests;
