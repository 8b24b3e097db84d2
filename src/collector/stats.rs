//! Accounts: what arrived, what became of it, and what was lost on the way.
//!
//! Every number only grows while the collector lives, except those called "now", and what was taken for lost, which a
//! datagram that comes late gives back. Totals keep what exporters had counted that are gone. Nothing here decides
//! anything.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::collector::options::Said;
use crate::collector::options::names::Names;
use crate::flow::{ObservationDomainId, Sampling, Timestamp, Version};
use crate::wire::template::TemplateId;

/// The whole collector. `datagrams = decoded + malformed + foreign + refused`, and
/// `data_sets = decoded_sets + waiting + expired`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub datagrams: u64,
    /// UDP payload octets.
    pub octets: u64,
    /// Datagrams whose sets were walked to the end, though some of them may wait.
    pub decoded: u64,
    /// Datagrams with a broken length.
    pub malformed: u64,
    /// Datagrams of none of the protocols that are read.
    pub foreign: u64,
    /// Datagrams of exporters that found no room in the table.
    pub refused: u64,
    /// Flow records handed out.
    pub flows: u64,
    /// Sets that wait for a template now.
    pub waiting: u64,
    /// Sets that waited in vain, or found no room to wait.
    pub expired: u64,
    /// Units that sequence numbers say were lost, see [`ExporterStats::lost`].
    pub lost: u64,
    /// Data sets of v9 and IPFIX received.
    pub data_sets: u64,
    /// Those that were decoded, at once or later.
    pub decoded_sets: u64,
    /// Octets that waiting sets, templates and facts hold now, by the estimate of [`crate::collector::Limits`].
    pub waiting_octets: u64,
    pub template_octets: u64,
    pub fact_octets: u64,
    pub last_foreign: Option<(SocketAddr, u16)>,
}

impl Totals {
    /// Adds what an exporter has counted.
    pub(super) const fn add(&mut self, stats: &ExporterStats) {
        self.waiting = self.waiting.saturating_add(stats.waiting);
        self.expired = self.expired.saturating_add(stats.expired);
        self.lost = self.lost.saturating_add(stats.lost);
        self.data_sets = self.data_sets.saturating_add(stats.data_sets);
        self.decoded_sets = self.decoded_sets.saturating_add(stats.decoded_sets);
    }

    /// Adds what an exporter had counted that is gone: its sets waited in vain.
    pub(super) const fn bury(&mut self, stats: &ExporterStats) {
        self.add(stats);
        self.waiting = self.waiting.saturating_sub(stats.waiting);
        self.expired = self.expired.saturating_add(stats.waiting);
    }
}

/// One exporter and observation domain: what people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterStats {
    pub address: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    pub datagrams: u64,
    /// UDP payload octets.
    pub octets: u64,
    /// Data records of flows as sent, before two-way records were split; flow samples of sFlow.
    pub records: u64,
    /// Flow records made of them.
    pub flows: u64,
    pub options_records: u64,
    /// Records with no address and no counter in them.
    pub meaningless: u64,
    /// Templates known now.
    pub templates: u64,
    /// Template records received, repetitions included.
    pub template_records: u64,
    /// Templates that came again with other fields.
    pub redefined: u64,
    /// Templates that cannot be used: no octet long, more fields than the limit, or no room.
    pub rejected_templates: u64,
    /// Templates that made room for others, of those of a session and of those to be borrowed.
    pub forgotten_templates: u64,
    /// Data sets received.
    pub data_sets: u64,
    /// Data sets decoded, at once or after they had waited.
    pub decoded_sets: u64,
    /// Data records beyond what a datagram of its length may give, not handed out.
    pub surplus: u64,
    /// Withdrawals, which UDP must ignore (RFC 7011 §8.4).
    pub withdrawals: u64,
    /// Sets decoded with a template that another source port of the same exporter sent, or that was restored.
    pub borrowed: u64,
    /// Sets waiting for a template now.
    pub waiting: u64,
    /// Sets that waited in vain, or found no room to wait.
    pub expired: u64,
    /// Sets whose last record was cut short.
    pub overruns: u64,
    /// Sets with an id that is reserved, samples of sFlow with a format that is not read.
    pub reserved: u64,
    pub malformed: u64,
    /// Flows (v5, v7), datagrams (v9, sFlow) or data records (IPFIX) that never came, by their sequence numbers.
    pub lost: u64,
    pub reordered: u64,
    pub restarts: u64,
    /// Octets behind the last record of v1, v5 and v7, behind the last sample of sFlow, or behind the message of IPFIX.
    pub trailing: u64,
    /// Counter samples of sFlow.
    pub counter_samples: u64,
    /// Samples that sFlow agents took and dropped before they were sent, by their own count.
    pub sampler_drops: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Export time of the last datagram minus its receive time, in milliseconds.
    pub clock_skew_ms: i64,
    /// The operator's rate, else the one announced for the domain.
    pub sampling: Sampling,
    /// What it says of itself.
    pub said: Said,
    /// Elements of its templates that the registry does not know, each counted once per length; no more than
    /// [`UNKNOWN`](crate::collector::options::UNKNOWN).
    pub unknown_elements: u64,
    /// Names, rates, speeds and unknown elements that found no room.
    pub refused_facts: u64,
}

impl ExporterStats {
    /// An account of nothing.
    pub fn new(address: IpAddr, domain: ObservationDomainId, version: Version, now: Timestamp) -> Self {
        Self {
            address,
            domain,
            version,
            datagrams: 0,
            octets: 0,
            records: 0,
            flows: 0,
            options_records: 0,
            meaningless: 0,
            templates: 0,
            template_records: 0,
            redefined: 0,
            rejected_templates: 0,
            forgotten_templates: 0,
            data_sets: 0,
            decoded_sets: 0,
            surplus: 0,
            withdrawals: 0,
            borrowed: 0,
            waiting: 0,
            expired: 0,
            overruns: 0,
            reserved: 0,
            malformed: 0,
            lost: 0,
            reordered: 0,
            restarts: 0,
            trailing: 0,
            counter_samples: 0,
            sampler_drops: 0,
            first_seen: now,
            last_seen: now,
            clock_skew_ms: 0,
            sampling: Sampling::default(),
            said: Said::default(),
            unknown_elements: 0,
            refused_facts: 0,
        }
    }
}

/// One UDP socket, as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketStats {
    pub listen: SocketAddr,
    /// Octets of receive buffer asked for and granted; the kernel counts its own overhead into both.
    pub buffer_asked: u64,
    pub buffer: u64,
    /// Octets in the buffer now.
    pub queued: u64,
    /// Datagrams that the kernel dropped since the buffer was full.
    pub dropped: u64,
    /// Datagrams longer than 65,535 octets can hold, which the kernel cut.
    pub truncated: u64,
}

/// Datagrams of senders who may not send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Barred {
    pub datagrams: u64,
    /// The sender of the last one.
    pub last: Option<SocketAddr>,
}

/// Flows that somebody did not take in time; they are stored all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// By the window, so that the screen has not counted them.
    pub window: u64,
    /// By the reader of the JSON lines.
    pub json: u64,
}

/// A copy of all accounts, for the screen, the log and the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    pub totals: Totals,
    /// Filled in by whoever owns the sockets.
    pub sockets: Vec<SocketStats>,
    /// Filled in by whoever keeps the gate; not among the datagrams of `totals`.
    pub barred: Barred,
    /// Filled in by whoever hands flows on.
    pub passed_over: PassedOver,
    /// By address, domain and version.
    pub exporters: Vec<ExporterStats>,
    /// Templates that did not come, the first [`MISSING`] of them.
    pub missing: Vec<MissingTemplate>,
    /// Templates that are known, of the first [`LISTS`] exporters that have any.
    pub templates: Vec<TemplateAges>,
    /// Of those exporters that name anything; shared with the collector until a name changes.
    pub names: Vec<ExporterNames>,
}

/// Missing templates that the accounts tell of.
pub const MISSING: usize = 64;

/// A template that sets need, and that did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingTemplate {
    pub address: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    pub template: TemplateId,
    /// When the first and the last set came that need it.
    pub since: Timestamp,
    pub last: Timestamp,
    /// Sets that wait for it now.
    pub sets: u64,
}

/// Exporters whose templates the accounts tell of, and how many of each one by one.
pub const LISTS: usize = 256;
pub const LISTED: usize = 32;

/// The templates of one exporter and domain, as it last sent them from whatever port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateAges {
    pub address: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    /// All of them, the lowest and the highest id, and when the one came that is the longest ago.
    pub count: u64,
    pub ids: (TemplateId, TemplateId),
    pub oldest: Timestamp,
    /// By id, the first [`LISTED`].
    pub list: Vec<TemplateAge>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateAge {
    pub id: TemplateId,
    pub fields: usize,
    /// Whether its records speak of the exporter and not of flows.
    pub is_options: bool,
    /// When it last came.
    pub received: Timestamp,
}

/// What one exporter and domain calls things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterNames {
    pub address: IpAddr,
    pub domain: ObservationDomainId,
    pub version: Version,
    pub names: Arc<Names>,
}
