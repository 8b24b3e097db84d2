//! Sequence numbers: how much was lost between the exporter and this host.
//!
//! The unit differs: NetFlow v5 counts flows, v9 datagrams, IPFIX data records. The caller says how many units a
//! datagram carried; this module only compares numbers, modulo 2³².

/// How far a number may lie behind the expected one and still be a datagram that was overtaken.
const REORDER: u32 = 3_000;
/// A gap wider than this is no loss but another counter: the exporter began anew.
const RESTART: u32 = 1 << 24;

/// The state of one counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    expected: Option<u32>,
    /// Units that were missed and never came.
    pub(super) lost: u64,
    /// Datagrams that came after a later one.
    pub(super) reordered: u64,
    /// Times the counter began anew.
    pub(super) restarts: u64,
}

impl Sequence {
    /// Takes the number of a datagram that carried `units`; `None` when they could not be counted, since a set
    /// waits for its template or could not be read. Then the next number is taken as it comes, without alarm.
    pub(super) const fn observe(&mut self, number: u32, units: Option<u32>) {
        let next = match units {
            Some(units) => Some(number.wrapping_add(units)),
            None => None,
        };
        let Some(expected) = self.expected else {
            self.expected = next;
            return;
        };
        let ahead = number.wrapping_sub(expected);
        let behind = expected.wrapping_sub(number);
        if ahead == 0 {
            self.expected = next;
        } else if ahead < RESTART {
            self.lost = self.lost.saturating_add(ahead as u64);
            self.expected = next;
        } else if behind <= REORDER {
            // What was counted as lost has come late. A duplicate finds nothing to give back.
            self.reordered = self.reordered.saturating_add(1);
            if let Some(units) = units {
                self.lost = self.lost.saturating_sub(units as u64);
            }
        } else {
            self.restarts = self.restarts.saturating_add(1);
            self.expected = next;
        }
    }
}
