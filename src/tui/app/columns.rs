//! The columns of all tables: which there are, how wide they are, and which leave first where the screen is narrow.

use crate::window::{Dimension, Sort};

/// What a table knows of a column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub heading: &'static str,
    /// The least columns of the screen it needs.
    pub width: usize,
    /// What it can use; the same for one that cannot use more.
    pub widest: usize,
    pub is_number: bool,
    /// Columns with a higher one leave first; those with 0 never do.
    pub rank: u8,
}

const fn text(heading: &'static str, width: usize, widest: usize, rank: u8) -> Column {
    Column { heading, width, widest, is_number: false, rank }
}

const fn number(heading: &'static str, width: usize, rank: u8) -> Column {
    Column { heading, width, widest: width, is_number: true, rank }
}

/// Places of the columns of a ranking.
pub mod ranking {
    pub const NAME: usize = 0;
    pub const OUTSIDE: usize = 1;
    pub const SERVICE: usize = 2;
    pub const BADGES: usize = 3;
    pub const PLACE: usize = 4;
    /// Both directions in one, for the narrowest screens.
    pub const RATE: usize = 5;
    pub const DOWN: usize = 6;
    pub const UP: usize = 7;
    pub const TEN: usize = 8;
    pub const MINUTE: usize = 9;
    pub const FIVE: usize = 10;
    pub const TOTAL: usize = 11;
    pub const PEAK: usize = 12;
    pub const PACKETS: usize = 13;
    pub const FLOWS: usize = 14;
    pub const SPARK: usize = 15;
    pub const SINCE: usize = 16;
}

/// Places of the columns of flows.
pub mod flow {
    pub const TIME: usize = 0;
    pub const SRC: usize = 1;
    pub const DST: usize = 2;
    pub const PROTOCOL: usize = 3;
    pub const BYTES: usize = 4;
    pub const PACKETS: usize = 5;
    pub const DURATION: usize = 6;
    pub const FLAGS: usize = 7;
    pub const INTERFACES: usize = 8;
    pub const EXPORTER: usize = 9;
}

/// Places of the columns of exporters.
pub mod exporter {
    pub const NAME: usize = 0;
    pub const VERSION: usize = 1;
    pub const RATE: usize = 2;
    pub const FLOWS: usize = 3;
    pub const LAST: usize = 4;
    pub const TEMPLATES: usize = 5;
    pub const WAITING: usize = 6;
    pub const LOST: usize = 7;
    pub const SKEW: usize = 8;
    pub const SAMPLING: usize = 9;
    pub const TIMEOUTS: usize = 10;
    pub const LAG: usize = 11;
}

/// Places of the columns of changes; the first ones are those of a ranking.
pub mod change {
    pub const MARK: usize = 3;
    pub const BEFORE: usize = 4;
    pub const NOW: usize = 5;
    pub const DIFFERENCE: usize = 6;
    pub const SHARE: usize = 7;
}

/// Below that many columns of the screen, a rate is one column.
const NARROW: usize = 60;
/// From that many on, rates have their unit in each row.
const ROOMY: usize = 100;

/// What a table is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ranking(Dimension),
    Flows,
    Exporters,
    /// What moved between two spans.
    Changes(Dimension),
}

impl Kind {
    /// The word under which a choice of columns is remembered.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ranking(dimension) => dimension.label(),
            Self::Flows => "flows",
            Self::Exporters => "health",
            Self::Changes(_) => "changes",
        }
    }

    /// Headings of the columns that need not be there.
    pub fn hideable(self) -> Vec<&'static str> {
        let headings = self.columns(ROOMY).into_iter().skip(1).map(|column| column.heading);
        headings.filter(|heading| !heading.is_empty()).collect()
    }

    /// All columns of a screen so wide.
    pub fn columns(self, width: usize) -> Vec<Column> {
        match self {
            Self::Ranking(dimension) => of_ranking(dimension, width),
            Self::Flows => FLOWS.to_vec(),
            Self::Exporters => EXPORTERS.to_vec(),
            Self::Changes(dimension) => of_changes(dimension, width),
        }
    }

    /// Those that make sense here; `has_places` where AS and country are known.
    pub fn wanted(self, width: usize, has_places: bool) -> Vec<usize> {
        let dimension = match self {
            Self::Ranking(dimension) => dimension,
            Self::Changes(dimension) => {
                let two_names = dimension == Dimension::Conversation;
                let makes_sense = |column: &usize| two_names || !matches!(*column, ranking::OUTSIDE | ranking::SERVICE);
                return (0..=change::SHARE).filter(makes_sense).collect();
            }
            Self::Flows | Self::Exporters => return (0..self.columns(width).len()).collect(),
        };
        let is_conversation = dimension == Dimension::Conversation;
        let has_host =
            matches!(dimension, Dimension::Conversation | Dimension::Host | Dimension::Source | Dimension::Destination);
        let makes_sense = |column: &usize| match *column {
            ranking::OUTSIDE | ranking::SERVICE => is_conversation,
            ranking::PLACE => has_host && has_places,
            ranking::RATE => width < NARROW,
            ranking::DOWN => NARROW <= width && dimension != Dimension::Source,
            ranking::UP => NARROW <= width && dimension != Dimension::Destination,
            _ => true,
        };
        (0..=ranking::SINCE).filter(makes_sense).collect()
    }
}

fn of_ranking(dimension: Dimension, width: usize) -> Vec<Column> {
    let name = match dimension {
        Dimension::Conversation => "inside",
        Dimension::Host => "host",
        Dimension::Source => "source",
        Dimension::Destination => "destination",
        Dimension::Service => "service",
        Dimension::Protocol => "protocol",
        Dimension::Exporter => "exporter",
        Dimension::Interface => "interface",
        Dimension::As => "autonomous system",
        Dimension::Country => "country",
        Dimension::Vlan => "VLAN",
        Dimension::Dscp => "DSCP",
        Dimension::Application => "application",
    };
    let rate = if ROOMY <= width { 9 } else { 6 };
    let narrow = match width {
        ..NARROW => 12,
        NARROW..ROOMY => 15,
        // A name is worth more than one more figure.
        _ => 22,
    };
    // One name may have the room of two.
    let first = if dimension == Dimension::Conversation { narrow } else { narrow + 9 };
    vec![
        text(name, first, 39, 0),
        text("outside", narrow, 39, 0),
        text("service", if width < NARROW { 6 } else { 8 }, 18, 2),
        text("", 5, 9, 3),
        text("place", 12, 28, 7),
        number("rate", 7, 0),
        number("down", rate, 0),
        number("up", rate, 0),
        number("10 s", rate, 8),
        number("1 min", rate, 9),
        number("5 min", rate, 8),
        number("total", 7, 4),
        number("peak", rate, 10),
        number("packets", 7, 11),
        number("flows", 6, 12),
        text("trend", 6, 12, 6),
        number("since", 5, 1),
    ]
}

/// The names of a ranking, and what became of the figures.
fn of_changes(dimension: Dimension, width: usize) -> Vec<Column> {
    let rate = if ROOMY <= width { 9 } else { 6 };
    let mut columns = of_ranking(dimension, width);
    columns.truncate(change::MARK);
    columns.extend([
        text("", 4, 6, 3),
        number("before", rate, 2),
        number("now", rate, 1),
        number("change", rate + 1, 0),
        number("share", 6, 4),
    ]);
    columns
}

const FLOWS: [Column; 10] = [
    text("ended", 8, 8, 1),
    text("source", 15, 45, 0),
    text("destination", 15, 45, 0),
    text("service", 6, 14, 3),
    number("bytes", 7, 0),
    number("packets", 7, 5),
    number("lasted", 7, 4),
    text("flags", 6, 6, 6),
    text("in > out", 9, 16, 8),
    text("exporter", 13, 24, 7),
];

const EXPORTERS: [Column; 12] = [
    text("exporter", 21, 32, 0),
    text("version", 7, 7, 4),
    number("rate", 9, 3),
    number("flows/s", 7, 5),
    number("last", 8, 1),
    number("templ.", 6, 7),
    number("waiting", 7, 2),
    number("lost", 7, 0),
    number("clock", 8, 6),
    text("sampling", 14, 20, 9),
    text("timeouts", 11, 14, 10),
    number("lag", 6, 8),
];

/// The column that a sort stands in.
pub const fn sorted(sort: Sort) -> Option<usize> {
    match sort {
        Sort::Rate => None,
        Sort::Down => Some(ranking::DOWN),
        Sort::Up => Some(ranking::UP),
        Sort::Total => Some(ranking::TOTAL),
        Sort::Packets => Some(ranking::PACKETS),
        Sort::Flows => Some(ranking::FLOWS),
    }
}

/// The columns that somebody chose, their order that of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// By [`Kind::word`], those that are not wanted.
    hidden: std::collections::BTreeMap<&'static str, Vec<usize>>,
}

impl Chosen {
    /// Those that are wanted on a screen so wide.
    pub fn wanted(&self, kind: Kind, width: usize, has_places: bool) -> Vec<usize> {
        let hidden = self.hidden.get(kind.word());
        let mut wanted = kind.wanted(width, has_places);
        // What tells rows apart always stays.
        wanted.retain(|column| *column == 0 || hidden.is_none_or(|hidden| !hidden.contains(column)));
        wanted
    }

    pub fn is_hidden(&self, kind: Kind, column: usize) -> bool {
        self.hidden.get(kind.word()).is_some_and(|hidden| hidden.contains(&column))
    }

    pub fn toggle(&mut self, kind: Kind, column: usize) {
        let hidden = self.hidden.entry(kind.word()).or_default();
        match hidden.iter().position(|other| *other == column) {
            Some(at) => drop(hidden.remove(at)),
            None => hidden.push(column),
        }
        if hidden.is_empty() {
            self.hidden.remove(kind.word());
        }
    }

    /// By the words of tables, the headings of what is hidden.
    pub fn words(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        let heading = |kind: Kind, column: &usize| Some(kind.columns(ROOMY).get(*column)?.heading.to_owned());
        let tables = kinds().filter_map(|kind| {
            let hidden = self.hidden.get(kind.word())?;
            Some((kind.word().to_owned(), hidden.iter().filter_map(|column| heading(kind, column)).collect()))
        });
        tables.collect()
    }

    /// The mirror image of [`Chosen::words`]; words that mean nothing are left out.
    pub fn restore(words: &std::collections::BTreeMap<String, Vec<String>>) -> Self {
        let mut chosen = Self::default();
        for kind in kinds() {
            let headings = words.get(kind.word()).into_iter().flatten();
            let columns = kind.columns(ROOMY);
            let place = |heading: &String| columns.iter().position(|column| column.heading == heading);
            headings.filter_map(place).for_each(|column| chosen.toggle(kind, column));
        }
        chosen
    }
}

/// All tables.
pub fn kinds() -> impl Iterator<Item = Kind> {
    Dimension::ALL.into_iter().map(Kind::Ranking).chain([
        Kind::Flows,
        Kind::Exporters,
        Kind::Changes(Dimension::Conversation),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_remembered_by_its_words() {
        let mut chosen = Chosen::default();
        let kind = Kind::Ranking(Dimension::Conversation);
        chosen.toggle(kind, ranking::SINCE);
        chosen.toggle(Kind::Flows, flow::FLAGS);
        assert_eq!(Chosen::restore(&chosen.words()), chosen);
        assert!(!chosen.wanted(kind, 120, true).contains(&ranking::SINCE));
        chosen.toggle(kind, ranking::SINCE);
        assert!(chosen.wanted(kind, 120, true).contains(&ranking::SINCE));
        chosen.toggle(kind, ranking::NAME);
        assert!(chosen.wanted(kind, 120, true).contains(&ranking::NAME), "a row without a name is none");
    }

    #[test]
    fn every_width_has_one_rate_or_both_directions() {
        for width in 1..250 {
            for dimension in Dimension::ALL {
                let wanted = Kind::Ranking(dimension).wanted(width, false);
                let both = wanted.contains(&ranking::DOWN) || wanted.contains(&ranking::UP);
                assert_ne!(both, wanted.contains(&ranking::RATE), "{width} {dimension:?}");
            }
        }
    }
}
