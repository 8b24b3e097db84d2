//! Three synthetic exporters on real sockets, so that there is something to see before there is a network to watch.
//!
//! It knows nothing of the collector at the other end but its address, and reads nothing from it. [`traffic`] is the
//! model, [`exporters`] make datagrams of it; both are pure, and what has a clock and sockets stands here.

pub mod exporters;
pub mod traffic;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::demo::exporters::{IptNetflow, Router, Switch};
use crate::demo::traffic::{Flow, Traffic, Via};
use crate::flow::Timestamp;

/// How much has already happened when it begins, in milliseconds: longer than the longest slice of a running flow, so
/// that the first picture is alive.
const HEAD_START_MS: i64 = 7000;
/// How often datagrams are sent.
const STEP: Duration = Duration::from_millis(200);
/// How far the model may lag behind, in milliseconds. After a longer sleep of the machine the house begins anew.
const LAG_MS: i64 = 30_000;
/// When the exporters say that they booted, in milliseconds before the beginning: the day before yesterday.
const UPTIME_MS: i64 = 2 * 86_400_000;

/// What was sent, to be compared with what was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub datagrams: u64,
    /// Flow records, and the octets and packets in them.
    pub flows: u64,
    pub bytes: u64,
    pub packets: u64,
}

/// A demonstration that has not begun.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    target: SocketAddr,
    seed: u64,
}

impl Demo {
    /// Sends to `target`, or over loopback when that is an unspecified address; the same seed gives the same house.
    pub const fn new(target: SocketAddr, seed: u64) -> Self {
        Self { target, seed }
    }

    /// Sends until `stop` is set; to be called on a thread of its own, which may be unparked to stop at once.
    ///
    /// # Errors
    /// When there are no sockets to be had. A datagram that cannot be sent is left out.
    pub fn run(self, stop: &AtomicBool) -> io::Result<Sent> {
        let target = reachable(self.target);
        let sockets = sockets(target)?;
        let mut house = House::new(self.seed, now().plus(-HEAD_START_MS));
        let mut total = Sent::default();
        while !stop.load(Ordering::Relaxed) {
            let now = now();
            if LAG_MS < now.since(house.at) {
                house.traffic = Traffic::new(self.seed, now.plus(-HEAD_START_MS));
            }
            let sent = house.step(now, |via, datagram| {
                // What cannot be sent now is lost, as it is with every exporter.
                let _ = sockets.of(via).send_to(datagram, target);
            });
            total.add(sent);
            thread::park_timeout(STEP);
        }
        Ok(total)
    }
}

impl Sent {
    const fn add(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.flows += other.flows;
        self.bytes += other.bytes;
        self.packets += other.packets;
    }
}

/// Names for the addresses of the demonstration, which no resolver knows.
pub fn names() -> Vec<(IpAddr, String)> {
    traffic::names()
}

/// The model and the three who report it.
#[derive(Debug)]
struct House {
    traffic: Traffic,
    /// How far the model has come.
    at: Timestamp,
    gateway: IptNetflow,
    switch: Switch,
    router: Router,
}

impl House {
    fn new(seed: u64, start: Timestamp) -> Self {
        let boot = start.plus(-UPTIME_MS);
        Self {
            traffic: Traffic::new(seed, start),
            at: start,
            gateway: IptNetflow::new(boot),
            switch: Switch::new(boot, 1),
            router: Router::new(boot, 1),
        }
    }

    /// Lets the time pass up to `now`, and hands every datagram to `send` with its sender.
    fn step(&mut self, now: Timestamp, mut send: impl FnMut(Via, &[u8])) -> Sent {
        let mut flows = Vec::new();
        self.traffic.step(now, &mut flows);
        self.at = now;
        let mut sent = Sent::default();
        for via in [Via::Gateway, Via::Switch, Via::Router] {
            let flows: Vec<Flow> = flows.iter().filter(|flow| flow.via == via).copied().collect();
            let mut datagrams = Vec::new();
            match via {
                Via::Gateway => self.gateway.export(now, &flows, &mut datagrams),
                Via::Switch => self.switch.export(now, &flows, &mut datagrams),
                Via::Router => self.router.export(now, &flows, &mut datagrams),
            }
            datagrams.iter().for_each(|datagram| send(via, datagram));
            sent.datagrams += u64::try_from(datagrams.len()).unwrap_or(0);
            sent.flows += u64::try_from(flows.len()).unwrap_or(0);
            sent.bytes += flows.iter().map(|flow| flow.counts.bytes).sum::<u64>();
            sent.packets += flows.iter().map(|flow| flow.counts.packets).sum::<u64>();
        }
        sent
    }
}

/// A socket for each exporter.
#[derive(Debug)]
struct Sockets {
    gateway: UdpSocket,
    switch: UdpSocket,
    router: UdpSocket,
}

impl Sockets {
    const fn of(&self, via: Via) -> &UdpSocket {
        match via {
            Via::Gateway => &self.gateway,
            Via::Switch => &self.switch,
            Via::Router => &self.router,
        }
    }
}

/// Each exporter has an address of its own where loopback has many of them, else a port of its own.
fn sockets(target: SocketAddr) -> io::Result<Sockets> {
    let shared: IpAddr = match (target, target.ip().is_loopback()) {
        (SocketAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
        (SocketAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
        (SocketAddr::V6(_), true) => Ipv6Addr::LOCALHOST.into(),
        (SocketAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let has_many = shared == IpAddr::V4(Ipv4Addr::LOCALHOST);
    let socket = |last: u8| {
        let own = has_many.then(|| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0)).ok()).flatten();
        own.map_or_else(|| UdpSocket::bind((shared, 0)), Ok)
    };
    Ok(Sockets { gateway: socket(11)?, switch: socket(12)?, router: socket(13)? })
}

/// A socket that listens everywhere is reached over loopback, and in IPv4 when it takes that too.
fn reachable(target: SocketAddr) -> SocketAddr {
    if target.ip().is_unspecified() {
        return SocketAddr::new(Ipv4Addr::LOCALHOST.into(), target.port());
    }
    target
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
