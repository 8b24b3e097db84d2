//! Sequence numbers: how much was lost between the exporter and this host.
//!
//! NetFlow v5 counts the flows sent before a datagram, v9 datagrams, IPFIX the data records sent before a message. Many
//! exporters count something else, or up to the end of the message. So every way of counting that was seen in the field
//! is followed at once, and the one that was surprised least often is believed; the version's own wins a draw. Loss
//! surprises all of them alike, so it does not change which is believed.

/// How far a number may lie behind the expected one and still be a datagram that was overtaken.
const REORDER: u32 = 3_000;
/// A gap wider than this is no loss but another counter: the exporter began anew.
const RESTART: u32 = 1 << 24;
/// Surprises after which all are halved, so that an exporter that changes its ways is understood again.
const MEMORY: u32 = 64;

/// What a datagram carried, in everything that somebody counts. `None` is not known: a set waits for its template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    /// Data records of flows.
    pub(super) flows: Option<u32>,
    /// Data records of flows and of options.
    pub(super) records: Option<u32>,
    pub(super) templates: u32,
}

/// What a sequence number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Datagrams,
    Flows,
    Records,
    /// nProbe.
    RecordsAndTemplates,
}

/// A way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Model {
    counted: Counted,
    /// Whether the number includes the datagram that carries it (softflowd, Open vSwitch).
    inclusive: bool,
}

const fn model(counted: Counted, inclusive: bool) -> Model {
    Model { counted, inclusive }
}

/// Which ways are tried, the version's own first.
const FLOWS_FIRST: [Model; MODELS] = [
    model(Counted::Flows, false),
    model(Counted::Flows, true),
    model(Counted::Datagrams, false),
    model(Counted::Records, false),
    model(Counted::Records, true),
    model(Counted::RecordsAndTemplates, false),
];
const DATAGRAMS_FIRST: [Model; MODELS] = [
    model(Counted::Datagrams, false),
    model(Counted::Flows, false),
    model(Counted::Flows, true),
    model(Counted::Records, false),
    model(Counted::Records, true),
    model(Counted::RecordsAndTemplates, false),
];
const RECORDS_FIRST: [Model; MODELS] = [
    model(Counted::Records, false),
    model(Counted::Flows, false),
    model(Counted::Flows, true),
    model(Counted::Records, true),
    model(Counted::RecordsAndTemplates, false),
    model(Counted::Datagrams, false),
];
const MODELS: usize = 6;

/// What the sequence numbers of a session said, by the way of counting that is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Units that were missed and never came.
    pub(super) lost: u64,
    /// Datagrams that came after a later one.
    pub(super) reordered: u64,
    /// Times the counter began anew.
    pub(super) restarts: u64,
}

/// The state of one counter.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    models: &'static [Model; MODELS],
    tracks: [Track; MODELS],
    believed: Account,
}

/// One way of counting, followed.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    /// The latest number, and what its datagram carried.
    latest: Option<(u32, Option<u32>)>,
    account: Account,
    surprises: u32,
}

impl Sequence {
    /// For NetFlow v5 and v7.
    pub(super) fn of_flows() -> Self {
        Self { models: &FLOWS_FIRST, tracks: Default::default(), believed: Account::default() }
    }

    /// For NetFlow v9 and sFlow.
    pub(super) fn of_datagrams() -> Self {
        Self { models: &DATAGRAMS_FIRST, tracks: Default::default(), believed: Account::default() }
    }

    /// For IPFIX.
    pub(super) fn of_records() -> Self {
        Self { models: &RECORDS_FIRST, tracks: Default::default(), believed: Account::default() }
    }

    /// Takes the number of a datagram and what it carried, and gives the account before and after when it changed.
    pub(super) fn observe(&mut self, number: u32, units: Units) -> Option<(Account, Account)> {
        let mut surprised = false;
        let before = self.believed;
        for (track, model) in self.tracks.iter_mut().zip(self.models) {
            surprised |= track.observe(number, model.units(units), model.inclusive);
        }
        if !surprised {
            return None;
        }
        if self.tracks.iter().any(|track| MEMORY <= track.surprises) {
            self.tracks.iter_mut().for_each(|track| track.surprises /= 2);
        }
        self.believed = self.account();
        Some((before, self.believed))
    }

    /// By the way of counting that is believed.
    fn account(&self) -> Account {
        // `min_by_key` gives the first of equals.
        self.tracks.iter().min_by_key(|track| track.surprises).map_or_else(Account::default, |track| track.account)
    }
}

impl Model {
    const fn units(self, units: Units) -> Option<u32> {
        match self.counted {
            Counted::Datagrams => Some(1),
            Counted::Flows => units.flows,
            Counted::Records => units.records,
            Counted::RecordsAndTemplates => match units.records {
                Some(records) => Some(records.wrapping_add(units.templates)),
                None => None,
            },
        }
    }
}

impl Track {
    /// Whether the number was not the expected one.
    fn observe(&mut self, number: u32, units: Option<u32>, inclusive: bool) -> bool {
        let latest = self.latest.replace((number, units));
        let Some((before, units_before)) = latest else { return false };
        // Without knowing what was carried there is nothing to compare, and no alarm.
        let Some(step) = (if inclusive { units } else { units_before }) else { return false };
        let expected = before.wrapping_add(step);
        let ahead = number.wrapping_sub(expected);
        let behind = expected.wrapping_sub(number);
        if ahead == 0 {
            return false;
        }
        self.surprises = self.surprises.saturating_add(1);
        if ahead < RESTART {
            self.account.lost = self.account.lost.saturating_add(ahead.into());
        } else if behind <= REORDER {
            // What was counted as lost has come late. A duplicate finds nothing to give back.
            self.account.reordered = self.account.reordered.saturating_add(1);
            self.account.lost = self.account.lost.saturating_sub(units.unwrap_or(0).into());
            self.latest = latest;
        } else {
            self.account.restarts = self.account.restarts.saturating_add(1);
        }
        true
    }
}
