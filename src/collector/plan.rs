//! A template compiled once into a plan: which octets of a record go into which register.
//!
//! A record is decoded in two steps. [`Plan::load`] moves its octets into a fixed array of numbers without asking
//! what they mean; [`crate::collector::normalize`] then makes a flow record from the numbers. So nothing is looked
//! up per field and record, and meaning stands in one place. A plan never fails on a length it did not expect: a
//! field that fits no register is left alone.

use crate::ie::{ElementId, REVERSE};
use crate::wire::Malformed;
use crate::wire::reader::Reader;
use crate::wire::template::{Template, VARIABLE};

/// What a number taken from a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Register {
    Bytes,
    Packets,
    TotalBytes,
    TotalPackets,
    OutBytes,
    OutPackets,
    InitiatorBytes,
    ResponderBytes,
    InitiatorPackets,
    ResponderPackets,
    ReverseBytes,
    ReversePackets,
    ReverseTotalBytes,
    ReverseTotalPackets,
    ReverseTcpFlags,
    ReverseTos,
    ReverseIcmp,
    ReverseIcmpType,
    ReverseIcmpCode,
    BiflowDirection,
    Protocol,
    Tos,
    TcpFlags,
    SrcPort,
    DstPort,
    SrcIpv4,
    DstIpv4,
    SrcIpv6High,
    SrcIpv6Low,
    DstIpv6High,
    DstIpv6Low,
    SrcMask,
    DstMask,
    SrcMask6,
    DstMask6,
    InIf,
    OutIf,
    PhysicalInIf,
    PhysicalOutIf,
    NextHop4,
    NextHop6High,
    NextHop6Low,
    SrcAs,
    DstAs,
    First,
    Last,
    Duration,
    Icmp,
    IcmpType,
    IcmpCode,
    SamplingInterval,
    SamplingSpace,
    SamplerId,
    MeteringProcess,
    ExportingProcess,
    SrcMac,
    DstMac,
    Vlan,
    PostVlan,
    Direction,
    Forwarding,
    Application,
    EndReason,
    NatSrc4,
    NatDst4,
    NatSrc6High,
    NatSrc6Low,
    NatDst6High,
    NatDst6Low,
    NatSrcPort,
    NatDstPort,
    Event,
    Mpls,
    Vrf,
    /// Filled by no field.
    Nothing,
}

/// Room for every register: a power of two above their number, so that an index needs a mask and no check.
const REGISTERS: usize = 128;
const _: () = assert!((Register::Nothing as usize) < REGISTERS);

/// Which registers a template fills, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present(u128);

impl Present {
    pub(super) const fn has(self, register: Register) -> bool {
        self.0 >> register as u8 & 1 == 1
    }

    const fn insert(&mut self, register: Register) {
        self.0 |= 1 << register as u8;
    }

    /// Where the counts stand, and those of the answer. Deltas go before totals, to which they are never added
    /// (RFC 7012 §3.2.3 and §3.2.4); 23 and 24 beside 1 and 2 are the answer (Fortinet), alone they are the flow itself.
    fn counts(self) -> (Pair, Pair) {
        let first = |candidates: [Register; 4]| {
            candidates.into_iter().find(|&register| self.has(register)).unwrap_or(Register::Nothing)
        };
        let forward = (
            first([Register::Bytes, Register::TotalBytes, Register::InitiatorBytes, Register::OutBytes]),
            first([Register::Packets, Register::TotalPackets, Register::InitiatorPackets, Register::OutPackets]),
        );
        let any = |(bytes, packets)| self.has(bytes) || self.has(packets);
        let reverse = (Register::ReverseBytes, Register::ReversePackets);
        let reverse_total = (Register::ReverseTotalBytes, Register::ReverseTotalPackets);
        let responder = (Register::ResponderBytes, Register::ResponderPackets);
        let out = (Register::OutBytes, Register::OutPackets);
        let delta = any((Register::Bytes, Register::Packets));
        let answer = [(reverse, true), (reverse_total, true), (responder, !delta), (out, delta)];
        let answer = answer.into_iter().find(|&(pair, counts)| counts && any(pair)).map_or(NONE, |(pair, _)| pair);
        (forward, answer)
    }
}

/// The numbers of one record; a register that its template does not fill is 0.
#[derive(Debug, Clone)]
pub(super) struct Registers([u64; REGISTERS]);

impl Registers {
    pub(super) const fn new() -> Self {
        Self([0; REGISTERS])
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "a register is below REGISTERS by construction")]
    pub(super) const fn get(&self, register: Register) -> u64 {
        self.0[register as usize % REGISTERS]
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "a register is below REGISTERS by construction")]
    const fn set(&mut self, register: Register, value: u64) {
        self.0[register as usize % REGISTERS] = value;
    }
}

/// How a time stands in a record; the ladder of [`crate::flow::TimeSource`] chose it when the template came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeForm {
    /// Milliseconds since 1970 (152, 153), or of an event (258, 323).
    Milliseconds,
    /// 64-bit NTP time (154 to 157, 324, 325; RFC 7011 §6.1.9).
    Ntp,
    /// Microseconds before the export time (158, 159).
    MicrosecondsBefore,
    /// Seconds since 1970 (150, 151, 322).
    Seconds,
    /// Milliseconds since boot (21, 22).
    Uptime,
    #[default]
    Absent,
}

/// What one octet or more of a record does.
#[derive(Debug, Clone, Copy)]
struct Step {
    register: Register,
    /// Where the value begins: an offset in a record of fixed layout, else the index of the field.
    at: u16,
    /// Octets of the value, 1 to 8.
    width: u8,
    /// Bits by which eight octets read at `at` are too many: what [`Plan::load`] needs of `width`.
    shift: u8,
    /// In a record of variable layout, octets of the field before the value: an IPv6 address has two halves. In one of
    /// fixed layout they are in `at` already.
    skip: u8,
}

/// Octets of the longest record whose values all begin where one octet can say.
const MAX_NEAR: usize = u8::MAX as usize;
/// Octets from the beginning of such a record that [`Plan::load`] may look at.
const WINDOW: usize = MAX_NEAR + 9;

/// Bytes and packets.
pub(super) type Pair = (Register, Register);

const NONE: Pair = (Register::Nothing, Register::Nothing);

/// A compiled template.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// Octets of a record, or `None` when each record says its own.
    pub(super) size: Option<usize>,
    pub(super) present: Present,
    pub(super) first: TimeForm,
    pub(super) last: TimeForm,
    /// The registers of bytes and packets, and those of the answer.
    pub(super) forward: Pair,
    pub(super) reverse: Pair,
    pub(super) has_ipv6: bool,
    /// Whether a register of [`RARE`] is filled.
    pub(super) has_rare: bool,
    /// Whether the record says its sampling rate.
    pub(super) has_sampling: bool,
    /// Whether the record says which side began (239).
    pub(super) says_direction: bool,
    /// Whether the counts are those of initiator and responder (231, 232, 298, 299), whichever of them is the source.
    pub(super) is_by_role: bool,
    /// Whether the only time is the moment of an event.
    pub(super) is_event_time: bool,
    /// Duration in microseconds (162) instead of milliseconds (161).
    pub(super) is_duration_micros: bool,
    /// Whether the sampling interval in the record counts flows (RFC 7014) and not packets.
    pub(super) is_flow_sampling: bool,
}

/// Compiles a template of flows.
pub(super) fn compile(template: &Template) -> Plan {
    let variable = template.is_variable();
    let mut plan = Plan {
        steps: Vec::with_capacity(template.fields.len().min(REGISTERS)),
        size: (!variable).then(|| template.shortest()),
        present: Present::default(),
        first: TimeForm::default(),
        last: TimeForm::default(),
        forward: NONE,
        reverse: NONE,
        has_ipv6: false,
        has_rare: false,
        has_sampling: false,
        says_direction: false,
        is_by_role: false,
        is_event_time: false,
        is_duration_micros: false,
        is_flow_sampling: false,
    };
    let mut offset = 0_usize;
    for (index, field) in template.fields.iter().enumerate() {
        let at = u16::try_from(if variable { index } else { offset }).unwrap_or(u16::MAX);
        plan.field(field.element, field.length, at);
        offset = offset.saturating_add(usize::from(field.length));
    }
    if !variable {
        for step in &mut plan.steps {
            step.at = step.at.saturating_add(step.skip.into());
        }
    }
    plan.summarize();
    plan
}

/// Registers that most templates leave alone, so that most records need not be asked for them.
const RARE: &[Register] = &[
    Register::NatSrc4,
    Register::NatDst4,
    Register::NatSrc6High,
    Register::NatDst6High,
    Register::NatSrcPort,
    Register::NatDstPort,
    Register::Vlan,
    Register::PostVlan,
    Register::SrcMac,
    Register::DstMac,
    Register::Event,
    Register::EndReason,
    Register::Forwarding,
    Register::Mpls,
    Register::Application,
    Register::Vrf,
];

/// Counts of source and destination, beside which those of initiator and responder do not count.
const SIDED: &[Register] = &[
    Register::Bytes,
    Register::Packets,
    Register::TotalBytes,
    Register::TotalPackets,
    Register::ReverseBytes,
    Register::ReversePackets,
];

impl Plan {
    /// Adds the steps for one field, if we know what it means at this length.
    fn field(&mut self, element: ElementId, length: u16, at: u16) {
        match element {
            ElementId::Iana(id) => match (id, length) {
                (id, 16) if ipv6(id).is_some() => {
                    if let Some((high, low)) = ipv6(id) {
                        self.address(high, low, at);
                    }
                }
                _ => {
                    self.time(id, length, at);
                    if let Some(register) = number(id, length) {
                        self.step(register, length, at);
                    }
                }
            },
            ElementId::Vendor { pen: REVERSE, id } => {
                let register = match (id, length) {
                    (1, _) => Register::ReverseBytes,
                    (2, _) => Register::ReversePackets,
                    (5, _) => Register::ReverseTos,
                    (6, _) => Register::ReverseTcpFlags,
                    (32 | 139, 2) => Register::ReverseIcmp,
                    (176 | 178, 1) => Register::ReverseIcmpType,
                    (177 | 179, 1) => Register::ReverseIcmpCode,
                    (85, _) => Register::ReverseTotalBytes,
                    (86, _) => Register::ReverseTotalPackets,
                    _ => return,
                };
                self.step(register, length, at);
            }
            ElementId::Vendor { .. } | ElementId::V9Scope(_) => {}
        }
        self.is_flow_sampling |= element == ElementId::Iana(396);
    }

    /// The first field of a kind fills its register; what repeats it is kept in the octets only (RFC 7011 §8).
    fn step(&mut self, register: Register, length: u16, at: u16) {
        if length == 0 || self.present.has(register) {
            return;
        }
        // A counter wider than eight octets keeps its low ones; a variable field keeps what its length says.
        let width = if length == VARIABLE { 8 } else { u8::try_from(length.min(8)).unwrap_or(8) };
        let skip = if length == VARIABLE { 0 } else { u8::try_from(length.saturating_sub(8)).unwrap_or(0) };
        self.present.insert(register);
        self.push(register, at, width, skip);
    }

    fn push(&mut self, register: Register, at: u16, width: u8, skip: u8) {
        let shift = 8_u8.saturating_sub(width).saturating_mul(8);
        self.steps.push(Step { register, at, width, shift, skip });
    }

    fn address(&mut self, high: Register, low: Register, at: u16) {
        if self.present.has(high) {
            return;
        }
        for (register, skip) in [(high, 0), (low, 8)] {
            self.present.insert(register);
            self.push(register, at, 8, skip);
        }
    }

    /// A time field takes its register when it is better than what holds it.
    fn time(&mut self, id: u16, length: u16, at: u16) {
        let (form, is_first, is_last) = match (id, length) {
            (152, 8) => (TimeForm::Milliseconds, true, false),
            (153, 8) => (TimeForm::Milliseconds, false, true),
            (154 | 156, 8) => (TimeForm::Ntp, true, false),
            (155 | 157, 8) => (TimeForm::Ntp, false, true),
            (158, 1..=8) => (TimeForm::MicrosecondsBefore, true, false),
            (159, 1..=8) => (TimeForm::MicrosecondsBefore, false, true),
            (150, 4 | 8) => (TimeForm::Seconds, true, false),
            (151, 4 | 8) => (TimeForm::Seconds, false, true),
            (22, 1..=8) => (TimeForm::Uptime, true, false),
            (21, 1..=8) => (TimeForm::Uptime, false, true),
            (258 | 323, 8) => (TimeForm::Milliseconds, true, true),
            (324 | 325, 8) => (TimeForm::Ntp, true, true),
            (322, 4 | 8) => (TimeForm::Seconds, true, true),
            (161 | 162, 1..=8) => {
                self.is_duration_micros = id == 162;
                return self.step(Register::Duration, length, at);
            }
            _ => return,
        };
        if is_first && is_last {
            // The moment of an event stands in for both ends, where the record says nothing else.
            if self.first == TimeForm::Absent && self.last == TimeForm::Absent {
                self.is_event_time = true;
                self.first = form;
                self.last = form;
                self.replace(Register::First, length, at);
                self.replace(Register::Last, length, at);
            }
            return;
        }
        if self.is_event_time {
            self.is_event_time = false;
            self.first = TimeForm::Absent;
            self.last = TimeForm::Absent;
        }
        if is_first && form < self.first {
            self.first = form;
            self.replace(Register::First, length, at);
        } else if is_last && form < self.last {
            self.last = form;
            self.replace(Register::Last, length, at);
        }
    }

    fn replace(&mut self, register: Register, length: u16, at: u16) {
        self.steps.retain(|step| step.register != register);
        self.present.insert(register);
        let width = u8::try_from(length.min(8)).unwrap_or(8);
        self.push(register, at, width, 0);
    }

    /// Decides once what holds for every record.
    fn summarize(&mut self) {
        let any = |registers: &[Register]| registers.iter().any(|&register| self.present.has(register));
        self.has_ipv6 = any(&[Register::SrcIpv6High, Register::DstIpv6High]);
        self.has_rare = any(RARE);
        self.has_sampling = any(&[Register::SamplingInterval]);
        self.says_direction = any(&[Register::BiflowDirection]);
        self.is_by_role = any(&[Register::InitiatorBytes, Register::InitiatorPackets]) && !any(SIDED);
        (self.forward, self.reverse) = self.present.counts();
    }

    /// Octets of its steps, as allocated.
    pub(super) const fn octets(&self) -> usize {
        self.steps.capacity().saturating_mul(size_of::<Step>())
    }

    /// Whether a record says anything that a flow record can hold.
    pub(super) const fn is_flow(&self) -> bool {
        let p = self.present;
        p.has(Register::SrcIpv4)
            || p.has(Register::DstIpv4)
            || p.has(Register::SrcIpv6High)
            || p.has(Register::DstIpv6High)
            || p.has(Register::SrcMac)
            || p.has(Register::DstMac)
            || p.has(Register::Bytes)
            || p.has(Register::Packets)
            || p.has(Register::TotalBytes)
            || p.has(Register::OutBytes)
            || p.has(Register::InitiatorBytes)
    }

    /// Fills the registers from each record of a set of fixed layout in turn, and calls `each`.
    #[inline]
    pub(super) fn each(&self, size: usize, set: &[u8], registers: &mut Registers, mut each: impl FnMut(&Registers)) {
        if MAX_NEAR < size {
            for record in set.chunks_exact(size) {
                self.load_far(record, registers);
                each(registers);
            }
            return;
        }
        let mut rest = set;
        while let Some(window) = rest.first_chunk() {
            self.load(window, registers);
            each(registers);
            rest = rest.get(size..).unwrap_or_default();
        }
        // The last records go where there is something behind them too.
        let mut room = [0; 2 * WINDOW];
        if let Some(start) = room.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        let starts = (0..rest.len()).step_by(size.max(1)).take(rest.len().checked_div(size).unwrap_or(0));
        for window in starts.filter_map(|start| room.get(start..).and_then(<[u8]>::first_chunk)) {
            self.load(window, registers);
            each(registers);
        }
    }

    /// `window` begins at a record and goes so far beyond it that every value can be read as eight octets: one load and
    /// one shift, without a look at where the record ends.
    #[inline]
    fn load(&self, window: &[u8; WINDOW], registers: &mut Registers) {
        for step in &self.steps {
            let [_, near] = step.at.to_be_bytes();
            let at = usize::from(near);
            if let Some(octets) = window.get(at..).and_then(<[u8]>::first_chunk) {
                registers.set(step.register, u64::from_be_bytes(*octets) >> (step.shift % 64));
            }
        }
    }

    /// The same for a record of any length.
    fn load_far(&self, record: &[u8], registers: &mut Registers) {
        for step in &self.steps {
            registers.set(step.register, number_at(record, usize::from(step.at), step.width));
        }
    }

    /// Cuts one record of variable layout off `reader` and fills the registers from it. `fields` is scratch.
    ///
    /// # Errors
    /// When the record is longer than what is left.
    pub(super) fn load_variable<'a>(
        &self,
        template: &Template,
        reader: &mut Reader<'a>,
        fields: &mut Vec<&'a [u8]>,
        registers: &mut Registers,
    ) -> Result<(), Malformed> {
        fields.clear();
        template.record(reader, |_, octets| fields.push(octets))?;
        for step in &self.steps {
            let octets = fields.get(usize::from(step.at)).copied().unwrap_or_default();
            let octets = octets.get(usize::from(step.skip)..).unwrap_or_default();
            let width = octets.len().min(usize::from(step.width));
            registers.set(step.register, number_at(octets, 0, u8::try_from(width).unwrap_or(0)));
        }
        Ok(())
    }
}

/// A big-endian number of up to 8 octets; of none, 0.
fn number_at(octets: &[u8], at: usize, width: u8) -> u64 {
    let tail = octets.get(at..).unwrap_or_default();
    tail.iter().take(usize::from(width)).fold(0, |number, &octet| number << 8 | u64::from(octet))
}

/// The registers of an element of 16 octets that is an address.
const fn ipv6(id: u16) -> Option<(Register, Register)> {
    Some(match id {
        // Some exporters put 16 octets where the registry has an IPv4 address.
        8 | 27 => (Register::SrcIpv6High, Register::SrcIpv6Low),
        12 | 28 => (Register::DstIpv6High, Register::DstIpv6Low),
        62 | 63 => (Register::NextHop6High, Register::NextHop6Low),
        281 => (Register::NatSrc6High, Register::NatSrc6Low),
        282 => (Register::NatDst6High, Register::NatDst6Low),
        _ => return None,
    })
}

/// The register of an element that is a number at this length.
const fn number(id: u16, length: u16) -> Option<Register> {
    Some(match (id, length) {
        (1, _) => Register::Bytes,
        (2, _) => Register::Packets,
        (4, _) => Register::Protocol,
        (5, _) => Register::Tos,
        (6, _) => Register::TcpFlags,
        (7 | 180 | 182, 1..=4) => Register::SrcPort,
        (8, 4) => Register::SrcIpv4,
        (9, _) => Register::SrcMask,
        (10, 1..=8) => Register::InIf,
        (11 | 181 | 183, 1..=4) => Register::DstPort,
        (12, 4) => Register::DstIpv4,
        (13, _) => Register::DstMask,
        (14, 1..=8) => Register::OutIf,
        (15 | 18, 4) => Register::NextHop4,
        (16, _) => Register::SrcAs,
        (17, _) => Register::DstAs,
        (23, _) => Register::OutBytes,
        (24, _) => Register::OutPackets,
        (29, _) => Register::SrcMask6,
        (30, _) => Register::DstMask6,
        (32 | 139, 2) => Register::Icmp,
        (176 | 178, 1) => Register::IcmpType,
        (177 | 179, 1) => Register::IcmpCode,
        (34 | 50 | 305 | 396, 1..=8) => Register::SamplingInterval,
        (306 | 397, 1..=8) => Register::SamplingSpace,
        (48 | 302, 1..=8) => Register::SamplerId,
        (143, 1..=8) => Register::MeteringProcess,
        (144, 1..=8) => Register::ExportingProcess,
        (56, 6) => Register::SrcMac,
        (57 | 80, 6) => Register::DstMac,
        (58 | 243, 2) => Register::Vlan,
        (59 | 254, 2) => Register::PostVlan,
        (61, 1) => Register::Direction,
        (70, 3) => Register::Mpls,
        (85, _) => Register::TotalBytes,
        (86, _) => Register::TotalPackets,
        (89, 1 | 4) => Register::Forwarding,
        (95, 1..=8) => Register::Application,
        (136, 1) => Register::EndReason,
        (225, 4) => Register::NatSrc4,
        (226, 4) => Register::NatDst4,
        (227, 2) => Register::NatSrcPort,
        (228, 2) => Register::NatDstPort,
        (230 | 233, 1) => Register::Event,
        // Huawei uses 232 for something else, in two octets.
        (231, 4..) => Register::InitiatorBytes,
        (232, 4..) => Register::ResponderBytes,
        (234, 1..=8) => Register::Vrf,
        (239, 1) => Register::BiflowDirection,
        (252, 1..=8) => Register::PhysicalInIf,
        (253, 1..=8) => Register::PhysicalOutIf,
        (298, _) => Register::InitiatorPackets,
        (299, _) => Register::ResponderPackets,
        _ => return None,
    })
}
