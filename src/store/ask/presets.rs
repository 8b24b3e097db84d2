//! Questions with a name, as data: a table that commands, the screen and a file of settings share.

use std::borrow::Cow;

use crate::store::ask::By;
use crate::store::top::Order;

/// How the flows that a preset chooses are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A ranking.
    Top(By, Order),
    /// Sources by how many targets they have.
    FanOut,
    /// Keys of the span that were not there in the seven days before.
    New(By, Order),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    pub name: Cow<'static, str>,
    /// What it answers, for people.
    pub help: Cow<'static, str>,
    /// In the filter language.
    pub filter: Cow<'static, str>,
    pub kind: Kind,
}

const fn preset(name: &'static str, kind: Kind, filter: &'static str, help: &'static str) -> Preset {
    Preset { name: Cow::Borrowed(name), help: Cow::Borrowed(help), filter: Cow::Borrowed(filter), kind }
}

const DNS: &str = "proto in [tcp udp] and dst port in [53 853]";
/// From private prefixes to public ones.
const UPLOADS: &str = "src net in [10/8 172.16/12 192.168/16 100.64/10 fc00::/7 fe80::/10] \
     and not dst net in [10/8 172.16/12 192.168/16 100.64/10 fc00::/7 fe80::/10 224/4 ff00::/8]";

/// Those that come with the program.
pub static PRESETS: &[Preset] = &[
    preset("dns-clients", Kind::Top(By::Source, Order::Flows), DNS, "who asks for names, on ports 53 and 853"),
    preset("dns-servers", Kind::Top(By::Destination, Order::Flows), DNS, "who is asked for names"),
    preset("dns-pairs", Kind::Top(By::Pair, Order::Flows), DNS, "who asks whom for names"),
    preset(
        "uploads",
        Kind::Top(By::Pair, Order::Bytes),
        UPLOADS,
        "who sends most from private addresses to public ones",
    ),
    preset("scans", Kind::FanOut, "packets <= 3", "who tries the most addresses and ports, with three packets or less"),
    preset(
        "failed",
        Kind::Top(By::Path, Order::Flows),
        "flags S and not flags any AFRP",
        "connections that were asked for and never answered: SYN without ACK",
    ),
    preset(
        "new-hosts",
        Kind::New(By::Host, Order::Bytes),
        "any",
        "addresses that were not seen in the seven days before",
    ),
];

/// All of them: those that come with the program, and an operator's own, which take the place of others of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    own: Vec<Preset>,
}

impl Book {
    pub const fn new(own: Vec<Preset>) -> Self {
        Self { own }
    }

    /// The operator's own come last.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        PRESETS.iter().filter(|preset| !self.is_own(&preset.name)).chain(&self.own)
    }

    pub fn find(&self, name: &str) -> Option<&Preset> {
        self.iter().find(|preset| preset.name == name)
    }

    /// Whether it is the operator who says what this name means.
    pub fn is_own(&self, name: &str) -> bool {
        self.own.iter().any(|own| own.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ones_come_last_and_take_the_place_of_others() {
        let own = |name: &'static str| preset(name, Kind::FanOut, "proto tcp", "mine");
        let book = Book::new(vec![own("uploads"), own("mail")]);
        let names: Vec<_> = book.iter().map(|preset| &*preset.name).collect();
        assert_eq!(names.len(), PRESETS.len() + 1);
        assert!(names.ends_with(&["uploads", "mail"]));
        assert_eq!(book.find("uploads").map(|preset| &*preset.help), Some("mine"));
        assert!(book.is_own("mail") && !book.is_own("scans"));
        assert_eq!(Book::default().find("scans").map(|preset| preset.kind), Some(Kind::FanOut));
    }
}
