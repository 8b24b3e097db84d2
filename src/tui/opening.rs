//! How the screen begins: what a settings file may say of it, in words, and what they mean.
//!
//! What it says comes before what is remembered; where it says nothing, the screen begins as it looked last.

use crate::tui::app::columns;
use crate::tui::app::table::{SORTS, label};
use crate::tui::app::{Place, Tab};
use crate::tui::remembered::Remembered;
use crate::tui::units::Units;
use crate::when;
use crate::window::Span;

/// The keys that have one value each.
pub const KEYS: [&str; 9] =
    ["view", "filter", "sort", "span", "units", "host-names", "service-names", "privacy", "remember"];

/// The section of tables, each with a list of columns.
pub const HIDDEN: &str = "hidden-columns";

const UNITS: [(&str, Units); 4] =
    [("bits", Units::Bits), ("bytes", Units::Bytes), ("packets", Units::Packets), ("flows", Units::Flows)];

const SPANS: &str = "10s, 1m, 5m, 15m, 1h";

/// What the first picture looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    pub look: Remembered,
    /// Whether nothing is taken over from the run before, nor kept for the next one.
    pub forgets: bool,
}

impl Opening {
    /// Takes in the value of one of [`KEYS`].
    ///
    /// # Errors
    /// What it must be, as the end of a sentence.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        let look = &mut self.look;
        match key {
            "view" => look.view = Some(view(text)?),
            // What its words mean is known when names are.
            "filter" => look.filter = Some(text.to_owned()),
            "sort" => look.sort = Some(one_of(text, SORTS.map(label))?.to_owned()),
            "span" => look.span = Some(span(text)?),
            "units" => {
                let name = one_of(text, UNITS.map(|(name, _)| name))?;
                look.units = UNITS.iter().find(|(other, _)| *other == name).map(|(_, units)| units.label().to_owned());
            }
            "host-names" => look.host_names = Some(truth(text)?),
            "service-names" => look.service_names = Some(truth(text)?),
            "privacy" => look.privacy = Some(truth(text)?),
            "remember" => self.forgets = !truth(text)?,
            _ => return Err("is no key of how the screen begins".to_owned()),
        }
        Ok(())
    }

    /// Hides columns of a table.
    ///
    /// # Errors
    /// Which columns there are, as the end of a sentence.
    pub fn hide(&mut self, table: &str, headings: &[String]) -> Result<(), String> {
        let Some((table, known)) = tables().find(|(name, _)| *name == table) else {
            let names: Vec<_> = tables().map(|(name, _)| name).collect();
            return Err(format!("is no table: there are {}", names.join(", ")));
        };
        for heading in headings {
            one_of(heading, known.iter().copied())?;
        }
        self.look.columns.insert(table.to_owned(), headings.to_vec());
        Ok(())
    }
}

/// The tables, each with the columns that can be hidden.
pub fn tables() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    columns::kinds().map(|kind| (kind.word(), kind.hideable()))
}

/// `hosts`, or with what its rows are told apart by: `hosts, countries`. As it is remembered.
fn view(text: &str) -> Result<String, String> {
    let (tab, dimension) = text.split_once(',').map_or((text, None), |(tab, other)| (tab, Some(other.trim())));
    let labels = Tab::ALL.map(|tab| tab.label().to_lowercase());
    let name = one_of(tab.trim(), labels.iter().map(String::as_str))?;
    let tab = Tab::ALL.into_iter().find(|tab| tab.label().to_lowercase() == name).unwrap_or_default();
    let rows = match dimension {
        None => Place::of(tab).dimension.label(),
        Some(dimension) => one_of(dimension, tab.dimensions().iter().map(|dimension| dimension.label()))?,
    };
    Ok(format!("{}, {rows}", tab.label()))
}

fn span(text: &str) -> Result<i64, String> {
    let wanted = when::length_ms(text).map(|ms| ms / 1000);
    let found = Span::ALL.into_iter().map(Span::seconds).find(|seconds| Ok(*seconds) == wanted);
    found.ok_or_else(|| format!("must be one of {SPANS}"))
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "is true or false".to_owned())
}

/// The word itself, in any case.
fn one_of<'a>(text: &str, words: impl IntoIterator<Item = &'a str> + Clone) -> Result<&'a str, String> {
    let found = words.clone().into_iter().find(|word| word.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("must be one of {}", words.into_iter().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::app::App;

    /// Every word that may stand there changes what the screen begins with, and is what is remembered of it.
    #[test]
    fn words_are_what_the_screen_remembers() {
        let mut opening = Opening::default();
        let given = [
            ("view", "Hosts, countries"),
            ("filter", "proto udp"),
            ("sort", "flows"),
            ("span", "15m"),
            ("units", "packets"),
            ("host-names", "false"),
            ("service-names", "false"),
            ("privacy", "true"),
        ];
        given.into_iter().for_each(|(key, text)| opening.set(key, text).unwrap());
        opening.hide("flows", &["flags".to_owned()]).unwrap();
        let mut app = App::default();
        app.restore(opening.look.clone());
        let remembered = app.remembered();
        assert_eq!(Remembered { filters: Vec::new(), ..remembered }, opening.look);
        for (word, _) in UNITS {
            opening.set("units", word).unwrap();
            app.restore(opening.look.clone());
            assert_eq!(app.remembered().units, opening.look.units);
        }
        for span in SPANS.split(", ") {
            opening.set("span", span).unwrap();
            app.restore(opening.look.clone());
            assert_eq!(app.remembered().span, opening.look.span);
        }
    }

    #[test]
    fn what_is_no_word_is_told_with_those_that_are() {
        let mut opening = Opening::default();
        for (key, text, told) in [
            ("view", "host", "must be one of overview, conversations, hosts, services, exporters, flows, changes"),
            ("view", "flows, hosts", "must be one of conversations"),
            ("sort", "size", "must be one of rate, down, up, total, packets, flows"),
            ("span", "2m", "must be one of 10s, 1m, 5m, 15m, 1h"),
            ("units", "b/s", "must be one of bits, bytes, packets, flows"),
            ("privacy", "yes", "is true or false"),
            ("colour", "red", "is no key of how the screen begins"),
        ] {
            assert_eq!(opening.set(key, text).unwrap_err(), told, "{key}");
        }
        assert!(opening.hide("rows", &[]).unwrap_err().starts_with("is no table: there are conversations, "));
        let told = opening.hide("flows", &["ended".to_owned()]).unwrap_err();
        assert!(told.starts_with("must be one of source, "), "{told}");
        assert_eq!(opening, Opening::default());
    }
}
