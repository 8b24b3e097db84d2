//! Where one is: which view, of which flows, and the way that led there.
//!
//! A step down adds a condition; views beside each other share all conditions of the way.

use crate::filter::{self, Filter};
use crate::names;
use crate::tui::copy::Selection;
use crate::window::{Country, Dimension, Key, decides};

/// The views, each with a key of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Overview,
    Conversations,
    Hosts,
    Services,
    Exporters,
    Flows,
    Changes,
}

impl Tab {
    pub const ALL: [Self; 7] =
        [Self::Overview, Self::Conversations, Self::Hosts, Self::Services, Self::Exporters, Self::Flows, Self::Changes];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Conversations => "Conversations",
            Self::Hosts => "Hosts",
            Self::Services => "Services",
            Self::Exporters => "Exporters",
            Self::Flows => "Flows",
            Self::Changes => "Changes",
        }
    }

    /// What its rows can be told apart by; the first one is that of a fresh view. Flows are no rows of a dimension.
    pub const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Self::Overview | Self::Flows => &[Dimension::Conversation],
            Self::Conversations => &[Dimension::Conversation, Dimension::Source, Dimension::Destination],
            Self::Hosts => &[Dimension::Host, Dimension::As, Dimension::Country],
            Self::Services => &[Dimension::Service, Dimension::Protocol, Dimension::Application, Dimension::Dscp],
            Self::Exporters => &[Dimension::Exporter, Dimension::Interface, Dimension::Vlan],
            Self::Changes => &[
                Dimension::Conversation,
                Dimension::Host,
                Dimension::Source,
                Dimension::Destination,
                Dimension::Service,
                Dimension::Protocol,
                Dimension::Exporter,
                Dimension::Interface,
                Dimension::As,
                Dimension::Vlan,
                Dimension::Dscp,
                Dimension::Application,
            ],
        }
    }

    pub(super) fn turned(self, is_next: bool) -> Self {
        let step = if is_next { 1 } else { Self::ALL.len() - 1 };
        Self::ALL[(self as usize + step) % Self::ALL.len()]
    }
}

/// A view and what its rows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub tab: Tab,
    pub dimension: Dimension,
}

impl Default for Place {
    fn default() -> Self {
        Self::of(Tab::default())
    }
}

impl Place {
    /// The view with the rows that it has at first.
    pub const fn of(tab: Tab) -> Self {
        let dimension = match tab.dimensions() {
            [first, ..] => *first,
            [] => Dimension::Conversation,
        };
        Self { tab, dimension }
    }

    /// The next dimension of the view, or `None` when it has but one.
    pub(super) fn turned(self, is_next: bool) -> Option<Self> {
        let all = self.tab.dimensions();
        let at = all.iter().position(|dimension| *dimension == self.dimension).unwrap_or(0);
        let to = (at + if is_next { 1 } else { all.len() - 1 }) % all.len();
        let dimension = all.get(to).copied().filter(|dimension| *dimension != self.dimension)?;
        Some(Self { dimension, ..self })
    }
}

/// One step down: what was opened, and from where.
#[derive(Debug, Clone)]
pub struct Step {
    from: Place,
    pub key: Key,
    filter: Filter,
}

/// The way from the view that was chosen to the one that is shown.
#[derive(Debug, Clone, Default)]
pub struct Way {
    place: Place,
    steps: Vec<Step>,
}

/// Steps of a way. Nothing leads deeper than to flows, but views beside each other can be opened again.
const DEEPEST: usize = 8;

impl Way {
    pub const fn place(&self) -> Place {
        self.place
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Another view of the same flows.
    pub(super) const fn turn(&mut self, place: Place) {
        self.place = place;
    }

    /// A view of all flows.
    pub(super) fn restart(&mut self, place: Place) {
        *self = Self { place, steps: Vec::new() };
    }

    /// Opens what a row stands for.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(super) fn open(&mut self, key: Key) -> Result<(), &'static str> {
        let (tab, dimension) = match key {
            Key::Conversation { .. } => (Tab::Flows, Dimension::Conversation),
            Key::Protocol(_) => (Tab::Services, Dimension::Service),
            Key::Exporter { .. } => (Tab::Exporters, Dimension::Interface),
            _ => (Tab::Conversations, Dimension::Conversation),
        };
        if DEEPEST <= self.steps.len() {
            return Err("this is deep enough: `esc` leads back up");
        }
        let filter = match key {
            // Which no record has; the window knows.
            Key::Country(_) => Filter::all(),
            key => filter(key).ok_or("there is no filter for this row")?,
        };
        self.steps.push(Step { from: self.place, key, filter });
        self.place = Place { tab, dimension };
        Ok(())
    }

    /// Back up; gives what was opened.
    pub(super) fn back(&mut self) -> Option<Key> {
        let step = self.steps.pop()?;
        self.place = step.from;
        Some(step.key)
    }

    /// Whether one of its steps is a country. The database knows none, so that what is read from it is of all.
    pub fn is_of_a_country(&self) -> bool {
        !self.countries().is_empty()
    }

    /// The countries of all steps.
    pub(super) fn countries(&self) -> Vec<Country> {
        let country = |step: &Step| if let Key::Country(country) = step.key { Some(country) } else { None };
        self.steps.iter().filter_map(country).collect()
    }

    /// The conditions of all steps: those that lanes decide, and the others.
    pub(super) fn filters(&self) -> (Filter, Filter) {
        let (mut by_lanes, mut others) = (Filter::all(), Filter::all());
        for step in &self.steps {
            let part = if decides(&step.filter) { &mut by_lanes } else { &mut others };
            *part = std::mem::replace(part, Filter::all()).and(step.filter.clone());
        }
        (by_lanes, others)
    }
}

fn filter(key: Key) -> Option<Filter> {
    let text = Selection::of(key)?.filter()?;
    filter::parse(&text, &names::meanings).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: u8) -> Key {
        Key::Host([192, 0, 2, last].into())
    }

    #[test]
    fn a_way_leads_from_a_host_to_its_flows_and_back() {
        let mut way = Way::default();
        way.restart(Place::of(Tab::Hosts));
        assert_eq!(way.open(host(1)), Ok(()));
        assert_eq!(way.place().tab, Tab::Conversations);
        let ends = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
        let conversation = |port| Key::Conversation { inside: ends.0, outside: ends.1, protocol: 6, port };
        assert_eq!(way.open(conversation(443)), Ok(()));
        assert_eq!(way.place().tab, Tab::Flows);
        let (by_lanes, others) = way.filters();
        assert!(by_lanes.to_string().contains("192.0.2.1") && others.is_all());
        assert_eq!(way.back(), Some(conversation(443)));
        // A high port may be that of either end, which lanes do not tell.
        assert_eq!(way.open(conversation(9001)), Ok(()));
        let (_, others) = way.filters();
        assert!(others.to_string().contains("port 9001"), "{others}");
        way.back();
        assert_eq!(way.back(), Some(host(1)));
        assert_eq!((way.place(), way.back()), (Place::of(Tab::Hosts), None));
    }

    #[test]
    fn every_dimension_has_a_place_and_what_cannot_be_opened_says_so() {
        let all: Vec<_> = Tab::ALL.iter().flat_map(|tab| tab.dimensions()).collect();
        assert!(Dimension::ALL.iter().all(|dimension| all.contains(&dimension)));
        let mut way = Way::default();
        assert!(way.open(Key::Application(u64::MAX)).is_err());
        assert_eq!(way.open(Key::Country(Some(*b"NL"))), Ok(()));
        assert_eq!((way.countries(), way.filters().0.is_all()), (vec![Some(*b"NL")], true));
        way.back();
        assert_eq!(way.open(Key::Application(7)), Ok(()));
        assert_eq!(way.filters().1.to_string(), "application 7");
        way.back();
        (0..DEEPEST).for_each(|_| way.open(host(1)).unwrap());
        assert!(way.open(host(2)).is_err());
    }
}
