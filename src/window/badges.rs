//! What is remarkable of a row, in a letter or two.

/// One remark. Each is explained in the help, and is a filter as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Badge {
    /// Not seen before in all that is stored.
    New = 0,
    /// It had traffic, and has none any more.
    Gone = 1,
    /// Much more than before.
    Grown = 2,
    /// Only one of the two directions has packets.
    OneWay = 3,
    /// TCP connections that nobody answered.
    SynOnly = 4,
    /// One host to very many others or ports, with little to each.
    FanOut = 5,
    /// Sampled: what is shown is an estimate.
    Estimated = 6,
    /// The rate of sampling was given by the operator, not by the exporter.
    Assumed = 7,
}

impl Badge {
    pub const ALL: [Self; 8] =
        [Self::New, Self::Gone, Self::Grown, Self::OneWay, Self::SynOnly, Self::FanOut, Self::Estimated, Self::Assumed];

    /// The word in a filter.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Grown => "grown",
            Self::OneWay => "one-way",
            Self::SynOnly => "syn-only",
            Self::FanOut => "fan-out",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        }
    }

    /// What it says, for the help.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::New => "not seen before in all that is stored",
            Self::Gone => "it had traffic in the last hour, and has none any more",
            Self::Grown => "several times what it was before",
            Self::OneWay => "only one direction has packets",
            Self::SynOnly => "TCP connections that nobody answered",
            Self::FanOut => "one host to very many others, with little to each",
            Self::Estimated => "sampled: the figures are estimates",
            Self::Assumed => "the sampling rate is the operator's, not the exporter's",
        }
    }
}

/// The badges of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Badges {
    set: u8,
    /// Of [`Badge::Grown`]: how many times as much as before.
    pub growth: u16,
}

impl Badges {
    pub const fn has(self, badge: Badge) -> bool {
        self.set & 1 << badge as u8 != 0
    }

    pub const fn put(&mut self, badge: Badge, is_so: bool) {
        if is_so {
            self.set |= 1 << badge as u8;
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Badge> {
        Badge::ALL.into_iter().filter(move |badge| self.has(*badge))
    }
}
