//! The traffic of a house that is not there: who talks to whom, how long, how much, as flows that an exporter reports.
//!
//! It is a pure model: a seed and a time go in, finished and still running flows come out, and the same seed gives the
//! same flows. It knows no wire format, no socket and no clock. All addresses are from the ranges that are kept free
//! for documentation, save the private ones inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::{Counts, FlowKey, Timestamp};

/// Who exports a flow. Each flow is seen by exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// The way out of most hosts.
    Gateway,
    /// What hosts say among themselves.
    Switch,
    /// The way out of a few hosts, in IPv4.
    Router,
}

/// The way a flow goes, seen from the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    Out,
    In,
    Inside,
}

/// One direction of one conversation over some span of time, as an exporter saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub via: Via,
    pub sense: Sense,
    pub key: FlowKey,
    pub counts: Counts,
    pub first: Timestamp,
    pub last: Timestamp,
    pub tcp_flags: u8,
    pub tos: u8,
    /// ICMP type and code as `type << 8 | code`.
    pub icmp: u16,
    /// Whether the conversation is over; else this is a slice of it.
    pub is_over: bool,
}

/// How long a running flow is kept back at least before a slice of it is reported, in milliseconds. It is short, so
/// that a live screen moves smoothly.
const ACTIVE_MS: (u64, u64) = (4500, 5500);

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Becomes ICMPv6 between IPv6 addresses.
const ICMP: u8 = 1;

/// The hosts of the house by the last part of their addresses, 192.168.1.n and 2001:db8:1::n.
const INSIDE: [(u8, &str); 13] = [
    (GATEWAY, "gateway"),
    (NAS, "nas"),
    (WORKSTATION, "workstation"),
    (LAPTOP, "laptop"),
    (TV, "tv"),
    (41, "phone-anna"),
    (42, "phone-ben"),
    (43, "tablet"),
    (DOOR, "camera-door"),
    (YARD, "camera-yard"),
    (PRINTER, "printer"),
    (CONSOLE, "console"),
    (THERMOSTAT, "thermostat"),
];
const GATEWAY: u8 = 1;
const NAS: u8 = 10;
const WORKSTATION: u8 = 21;
const LAPTOP: u8 = 22;
const TV: u8 = 31;
const DOOR: u8 = 51;
const YARD: u8 = 52;
const PRINTER: u8 = 60;
const CONSOLE: u8 = 71;
const THERMOSTAT: u8 = 81;

/// Those whose IPv4 traffic goes out through the router.
const ROUTED: [u8; 3] = [PRINTER, CONSOLE, THERMOSTAT];
const PEOPLE: &[u8] = &[WORKSTATION, LAPTOP, 41, 42, 43];
const EVERYBODY: &[u8] = &[WORKSTATION, LAPTOP, TV, 41, 42, 43, CONSOLE, NAS];
const THINGS: &[u8] = &[NAS, TV, DOOR, YARD, PRINTER, CONSOLE, THERMOSTAT, WORKSTATION];

/// How many servers there are outside; [`server`] says where.
const SERVERS: u8 = 60;
const CDN: Party = Party::Outside(0, 24);
const SITES: Party = Party::Outside(20, 48);
const MAIL: Party = Party::Outside(48, 51);
const CLOCKS: Party = Party::Outside(51, 55);
const RESOLVERS: Party = Party::Outside(55, 58);
const OFFICE: Party = Party::Outside(58, 59);
const VAULT: Party = Party::Outside(59, 60);

/// One side of a conversation.
#[derive(Debug, Clone, Copy)]
enum Party {
    /// One of these hosts of the house.
    Inside(&'static [u8]),
    /// One of the servers from the first up to the second, which is not meant.
    Outside(u8, u8),
    /// The one who tries all doors.
    Scanner,
    /// Everybody who listens to mDNS.
    Group,
}

/// A kind of conversation, and how often it happens. Pairs are the least and the most.
#[derive(Debug, Clone, Copy)]
struct Habit {
    client: Party,
    server: Party,
    protocol: u8,
    /// The server's port; 0 for the next door of the scan.
    port: u16,
    /// Milliseconds from one to the next, half as much to half as much again.
    every_ms: u64,
    /// How many begin at once.
    at_once: u8,
    /// At least one.
    lasts_ms: (u64, u64),
    /// Octets of payload over the whole conversation. What nobody answers has none down.
    up: (u64, u64),
    down: (u64, u64),
    tos: u8,
    /// How many of a hundred use IPv6.
    six: u64,
}

const KB: u64 = 1000;
const MB: u64 = 1000 * KB;

/// A small conversation with one answer, the pattern that the table below varies.
const PLAIN: Habit = Habit {
    client: Party::Inside(EVERYBODY),
    server: SITES,
    protocol: TCP,
    port: 443,
    every_ms: 1000,
    at_once: 1,
    lasts_ms: (100, 500),
    up: (KB, 2 * KB),
    down: (KB, 2 * KB),
    tos: 0,
    six: 0,
};

/// Some 80 flows a second and 100 Mbit/s in the mean.
#[rustfmt::skip]
const HABITS: [Habit; 21] = [
    // The long ones: a download at 40 Mbit/s, films, cameras, the backup, the tunnel to the office.
    Habit { client: Party::Inside(&[WORKSTATION]), server: CDN, every_ms: 270_000, lasts_ms: (240_000, 241_000), up: (200 * KB, 201 * KB), down: (1200 * MB, 1210 * MB), ..PLAIN },
    Habit { client: Party::Inside(&[TV]), server: CDN, protocol: UDP, every_ms: 600_000, lasts_ms: (590_000, 600_000), up: (MB, 2 * MB), down: (580 * MB, 620 * MB), tos: 0x88, ..PLAIN },
    Habit { client: Party::Inside(&[41, 42, 43]), server: CDN, protocol: UDP, every_ms: 180_000, lasts_ms: (160_000, 180_000), up: (300 * KB, 400 * KB), down: (80 * MB, 90 * MB), tos: 0x88, six: 100, ..PLAIN },
    Habit { client: Party::Inside(&[NAS]), server: Party::Inside(&[DOOR]), port: 554, every_ms: 300_000, lasts_ms: (299_000, 300_000), up: (90 * KB, 99 * KB), down: (140 * MB, 160 * MB), tos: 0x88, ..PLAIN },
    Habit { client: Party::Inside(&[NAS]), server: Party::Inside(&[YARD]), port: 554, every_ms: 300_000, lasts_ms: (299_000, 300_000), up: (90 * KB, 99 * KB), down: (140 * MB, 160 * MB), tos: 0x88, ..PLAIN },
    Habit { client: Party::Inside(&[NAS]), server: VAULT, port: 22, every_ms: 300_000, lasts_ms: (200_000, 220_000), up: (300 * MB, 320 * MB), down: (500 * KB, 600 * KB), tos: 0x08, ..PLAIN },
    Habit { client: Party::Inside(&[LAPTOP]), server: OFFICE, protocol: UDP, port: 51_820, every_ms: 120_000, lasts_ms: (119_000, 120_000), up: (6 * MB, 7 * MB), down: (20 * MB, 24 * MB), ..PLAIN },
    Habit { client: Party::Inside(&[WORKSTATION]), server: OFFICE, port: 22, every_ms: 60_000, lasts_ms: (50_000, 59_000), up: (40 * KB, 60 * KB), down: (300 * KB, 500 * KB), tos: 0x10, six: 50, ..PLAIN },
    // Now and then: files, print jobs, and a burst every half minute.
    Habit { client: Party::Inside(&[LAPTOP, WORKSTATION]), server: Party::Inside(&[NAS]), port: 445, every_ms: 45_000, lasts_ms: (15_000, 20_000), up: (8 * MB, 12 * MB), down: (50 * MB, 60 * MB), six: 50, ..PLAIN },
    Habit { client: Party::Inside(&[WORKSTATION, LAPTOP]), server: Party::Inside(&[PRINTER]), port: 9100, every_ms: 40_000, lasts_ms: (3000, 6000), up: (500 * KB, 4 * MB), ..PLAIN },
    Habit { client: Party::Inside(&[LAPTOP, CONSOLE]), server: CDN, every_ms: 30_000, at_once: 6, lasts_ms: (2500, 5000), up: (20 * KB, 30 * KB), down: (6 * MB, 10 * MB), ..PLAIN },
    // All the time: pages, names, the time, mail, pings.
    Habit { every_ms: 110, lasts_ms: (200, 6000), up: (KB, 8 * KB), down: (5 * KB, 250 * KB), six: 35, ..PLAIN },
    Habit { client: Party::Inside(PEOPLE), server: CDN, protocol: UDP, every_ms: 180, lasts_ms: (200, 6000), up: (2 * KB, 9 * KB), down: (8 * KB, 300 * KB), six: 50, ..PLAIN },
    Habit { server: Party::Inside(&[GATEWAY]), protocol: UDP, port: 53, every_ms: 75, lasts_ms: (1, 60), up: (60, 80), down: (80, 400), six: 30, ..PLAIN },
    Habit { client: Party::Inside(&[GATEWAY]), server: RESOLVERS, protocol: UDP, port: 53, every_ms: 160, lasts_ms: (8, 90), up: (60, 80), down: (80, 400), six: 30, ..PLAIN },
    Habit { client: Party::Inside(THINGS), server: CLOCKS, protocol: UDP, port: 123, every_ms: 1500, lasts_ms: (10, 60), up: (76, 77), down: (76, 77), six: 20, ..PLAIN },
    Habit { client: Party::Inside(&[NAS, PRINTER, GATEWAY]), server: SITES, protocol: ICMP, port: 0, every_ms: 1000, lasts_ms: (10, 3000), up: (84, 336), down: (84, 336), six: 40, ..PLAIN },
    Habit { client: Party::Inside(PEOPLE), server: MAIL, port: 993, every_ms: 4000, lasts_ms: (500, 3000), up: (KB, 4 * KB), down: (2 * KB, 80 * KB), six: 30, ..PLAIN },
    Habit { client: Party::Inside(&[NAS, WORKSTATION]), server: MAIL, port: 25, every_ms: 7000, lasts_ms: (300, 1500), up: (4 * KB, 60 * KB), ..PLAIN },
    Habit { server: Party::Group, protocol: UDP, port: 5353, every_ms: 900, lasts_ms: (1, 1000), up: (80, 600), down: (0, 1), six: 50, ..PLAIN },
    Habit { client: Party::Scanner, server: Party::Inside(THINGS), port: 0, every_ms: 700, lasts_ms: (1, 2), up: (44, 45), down: (0, 1), ..PLAIN },
];

/// The doors that the scan tries, one after the other.
const DOORS: [u16; 12] = [22, 23, 80, 443, 445, 1433, 3306, 3389, 5432, 5900, 8080, 8443];
const SYN: u8 = 0x02;
const ACK_PSH: u8 = 0x18;
const FIN: u8 = 0x01;

/// The model at one moment.
#[derive(Debug, Clone)]
pub struct Traffic {
    random: Random,
    /// When each habit of [`HABITS`] happens next.
    next: [Timestamp; HABITS.len()],
    talks: Vec<Talk>,
    doors_tried: usize,
}

impl Traffic {
    /// A house in which nothing was reported before `start`.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let mut random = Random::new(seed);
        // The rare and long ones run from the beginning, so that there is something to see at once.
        let next = HABITS.map(|habit| start.plus(signed(random.within((0, habit.every_ms.min(2000))))));
        Self { random, next, talks: Vec::new(), doors_tried: 0 }
    }

    /// Lets the time pass up to `until`, and appends the flows that are reported on the way, in the order in which
    /// they ended.
    pub fn step(&mut self, until: Timestamp, flows: &mut Vec<Flow>) {
        for (index, habit) in HABITS.iter().enumerate() {
            while let Some(&at) = self.next.get(index).filter(|&&at| at <= until) {
                for _ in 0..habit.at_once {
                    self.begin(habit, at);
                }
                let pause = self.random.within((habit.every_ms / 2, habit.every_ms * 3 / 2));
                if let Some(next) = self.next.get_mut(index) {
                    *next = at.plus(signed(pause.max(1)));
                }
            }
        }
        let before = flows.len();
        self.talks.retain_mut(|talk| talk.report(until, flows));
        if let Some(new) = flows.get_mut(before..) {
            new.sort_by_key(|flow| flow.last);
        }
    }

    fn begin(&mut self, habit: &Habit, began: Timestamp) {
        let random = &mut self.random;
        let is_six = random.within((0, 100)) < habit.six;
        let (client, server) = (random.party(habit.client), random.party(habit.server));
        let protocol = if (habit.protocol, is_six) == (ICMP, true) { 58 } else { habit.protocol };
        let port = match (habit.protocol, habit.port) {
            (TCP, 0) => {
                self.doors_tried += 1;
                DOORS.get(self.doors_tried % DOORS.len()).copied().unwrap_or(22)
            }
            (_, port) => port,
        };
        let own_port = if habit.protocol == ICMP { 0 } else { random.within((32_768, 60_999)) };
        self.talks.push(Talk {
            key: FlowKey {
                src_ip: client.address(is_six),
                dst_ip: server.address(is_six),
                src_port: if port == 5353 { port } else { u16::try_from(own_port).unwrap_or(0) },
                dst_port: port,
                protocol,
            },
            via: via(client, server, is_six),
            senses: match (client, server) {
                (Place::Inside(_), Place::Outside(_)) => (Sense::Out, Sense::In),
                (Place::Scanner | Place::Outside(_), _) => (Sense::In, Sense::Out),
                _ => (Sense::Inside, Sense::Inside),
            },
            began,
            lasts_ms: random.within(habit.lasts_ms),
            reported_ms: 0,
            active_ms: random.within(ACTIVE_MS),
            up: random.within(habit.up),
            down: random.within(habit.down),
            tos: habit.tos,
            is_answered: 1 < habit.down.1,
        });
    }
}

/// A name for every address that is in the traffic.
pub fn names() -> Vec<(IpAddr, String)> {
    let inside = INSIDE.iter().map(|&(number, name)| (Place::Inside(number), format!("{name}.home.example")));
    let outside = (0..SERVERS).map(|number| {
        let role = match number {
            0..24 => "cdn",
            24..48 => "www",
            48..51 => "mail",
            51..55 => "time",
            55..58 => "dns",
            58 => "office",
            _ => "backup",
        };
        (Place::Outside(number), format!("{role}{number}.example.net"))
    });
    let both = |(place, name): (Place, String)| [(place.address(false), name.clone()), (place.address(true), name)];
    inside.chain(outside).flat_map(both).collect()
}

/// A conversation that is going on.
#[derive(Debug, Clone)]
struct Talk {
    /// As the client sends.
    key: FlowKey,
    via: Via,
    /// Of the client's flow and of the server's.
    senses: (Sense, Sense),
    began: Timestamp,
    lasts_ms: u64,
    /// How much of it was reported.
    reported_ms: u64,
    active_ms: u64,
    /// Octets of payload from the client and from the server.
    up: u64,
    down: u64,
    tos: u8,
    is_answered: bool,
}

impl Talk {
    /// Reports what is due at `until`; `false` when nothing more will come.
    fn report(&mut self, until: Timestamp, flows: &mut Vec<Flow>) -> bool {
        let elapsed = u64::try_from(until.since(self.began)).unwrap_or(0);
        let is_over = self.lasts_ms <= elapsed;
        if !is_over && elapsed - self.reported_ms.min(elapsed) < self.active_ms {
            return true;
        }
        self.slice(elapsed.min(self.lasts_ms), is_over, flows);
        !is_over
    }

    /// Reports both directions from where the last slice ended.
    fn slice(&mut self, to_ms: u64, is_over: bool, flows: &mut Vec<Flow>) {
        let from_ms = std::mem::replace(&mut self.reported_ms, to_ms);
        let share = |whole: u64| part(whole, to_ms, self.lasts_ms) - part(whole, from_ms, self.lasts_ms);
        let (up, down) = (share(self.up), share(self.down));
        let (requests, answers) = (self.packets(up), self.packets(down));
        let flow = Flow {
            via: self.via,
            sense: self.senses.0,
            key: self.key,
            counts: self.counts(up, requests, answers),
            first: self.began.plus(signed(from_ms)),
            last: self.began.plus(signed(to_ms)),
            tcp_flags: self.flags(from_ms == 0, is_over),
            tos: self.tos,
            icmp: match self.key.protocol {
                ICMP => 8 << 8,
                58 => 128 << 8,
                _ => 0,
            },
            is_over,
        };
        flows.push(flow);
        if self.is_answered {
            let icmp = if self.key.protocol == 58 { 129 << 8 } else { 0 };
            let counts = self.counts(down, answers, requests);
            flows.push(Flow { sense: self.senses.1, key: self.key.reversed(), counts, icmp, ..flow });
        }
    }

    /// Packets that carry so much payload.
    fn packets(&self, octets: u64) -> u64 {
        let longest = if self.key.protocol == TCP { 1400 } else { 1300 };
        octets.div_ceil(longest).max(1)
    }

    /// Adds the acknowledgement of every second packet of the other side, and headers.
    fn counts(&self, octets: u64, packets: u64, other: u64) -> Counts {
        let acknowledgements = if self.is_answered { other / 2 } else { 0 };
        let header = if self.key.src_ip.is_ipv4() { 40 } else { 60 };
        let packets = packets + acknowledgements;
        // What is smaller than a packet is meant to be the whole packet, of a query or of a ping.
        let bytes = if octets < 1000 { octets.max(44) + acknowledgements * header } else { octets + packets * header };
        Counts { bytes, packets }
    }

    fn flags(&self, is_first: bool, is_over: bool) -> u8 {
        match (self.key.protocol, self.is_answered) {
            (TCP, true) => ACK_PSH | if is_first { SYN } else { 0 } | if is_over { FIN } else { 0 },
            (TCP, false) => SYN,
            _ => 0,
        }
    }
}

/// The part of `whole` that has passed after `at` of `of` milliseconds.
fn part(whole: u64, at: u64, of: u64) -> u64 {
    (whole * at).checked_div(of).unwrap_or(0)
}

/// Who was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Inside(u8),
    Outside(u8),
    Scanner,
    Group,
}

impl Place {
    fn address(self, is_six: bool) -> IpAddr {
        match (self, is_six) {
            (Self::Inside(number), false) => Ipv4Addr::new(192, 168, 1, number).into(),
            (Self::Inside(number), true) => Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, number.into()).into(),
            (Self::Outside(number), _) => server(number, is_six),
            (Self::Scanner, _) => Ipv4Addr::new(198, 51, 100, 166).into(),
            (Self::Group, false) => Ipv4Addr::new(224, 0, 0, 251).into(),
            (Self::Group, true) => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into(),
        }
    }
}

/// Servers stand in the three documentation networks of IPv4, and all in one of IPv6.
fn server(number: u8, is_six: bool) -> IpAddr {
    if is_six {
        return Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 10 + u16::from(number)).into();
    }
    let [a, b, c] = match number {
        0..24 => [203, 0, 113],
        24..48 => [198, 51, 100],
        _ => [192, 0, 2],
    };
    Ipv4Addr::new(a, b, c, 10 + number).into()
}

fn via(client: Place, server: Place, is_six: bool) -> Via {
    match (client, server) {
        (Place::Inside(host), Place::Outside(_)) | (Place::Outside(_) | Place::Scanner, Place::Inside(host)) => {
            if !is_six && ROUTED.contains(&host) {
                Via::Router
            } else {
                Via::Gateway
            }
        }
        _ => Via::Switch,
    }
}

/// Marsaglia's xorshift with Vigna's multiplication: plenty for a house that is not there.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    /// Zero is the one state that it never leaves.
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// From the first number up to the second, which is not meant.
    fn within(&mut self, (least, most): (u64, u64)) -> u64 {
        least + self.next() % most.saturating_sub(least).max(1)
    }

    fn party(&mut self, party: Party) -> Place {
        match party {
            Party::Inside(hosts) => {
                let index = self.within((0, u64::try_from(hosts.len()).unwrap_or(1)));
                let host = usize::try_from(index).ok().and_then(|index| hosts.get(index));
                Place::Inside(host.copied().unwrap_or(GATEWAY))
            }
            Party::Outside(from, to) => {
                Place::Outside(u8::try_from(self.within((from.into(), to.into()))).unwrap_or(from))
            }
            Party::Scanner => Place::Scanner,
            Party::Group => Place::Group,
        }
    }
}

/// Milliseconds of the model as those of a [`Timestamp`].
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
