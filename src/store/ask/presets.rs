//! Questions with a name, as data: a table that commands, the screen and a file of settings share.

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    /// What it answers, for people.
    pub help: &'static str,
    /// In the filter language.
    pub filter: &'static str,
    pub kind: Kind,
}

const fn preset(name: &'static str, kind: Kind, filter: &'static str, help: &'static str) -> Preset {
    Preset { name, help, filter, kind }
}

const DNS: &str = "proto in [tcp udp] and dst port in [53 853]";
/// From private prefixes to public ones.
const UPLOADS: &str = "src net in [10/8 172.16/12 192.168/16 100.64/10 fc00::/7 fe80::/10] \
     and not dst net in [10/8 172.16/12 192.168/16 100.64/10 fc00::/7 fe80::/10 224/4 ff00::/8]";

pub const PRESETS: &[Preset] = &[
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

/// The preset of a name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
