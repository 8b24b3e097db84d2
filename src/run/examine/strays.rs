//! What is sent to usual ports where nobody listens: an exporter that was told the wrong one.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::doctor::Stray;
use crate::wire;

/// Ports that collectors of flows are given.
pub(super) const USUAL: &[u16] = &[2055, 2056, 2100, 4739, 6343, 9025, 9555, 9995, 9996];
/// Senders that are told of.
const SENDERS: usize = 8;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Listens for so long on the usual ports that are not `taken`.
pub(super) fn hear(taken: &[u16], wait: Duration) -> Vec<Stray> {
    let free = USUAL.iter().filter(|port| !taken.contains(port));
    // Where IPv6 is off, IPv4 alone is heard.
    let bind = |port: u16| {
        let any = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), (Ipv4Addr::UNSPECIFIED, port).into()];
        let socket = UdpSocket::bind(any.as_slice()).ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((port, socket))
    };
    let sockets: Vec<_> = free.filter_map(|&port| bind(port)).collect();
    let until = Instant::now() + wait;
    let mut strays: Vec<Stray> = Vec::new();
    let mut payload = [0; 65_535];
    while Instant::now() < until {
        for (port, socket) in &sockets {
            while let Ok((octets, from)) = socket.recv_from(&mut payload) {
                let read = payload.get(..octets).unwrap_or_default();
                note(&mut strays, *port, from, wire::version(read));
            }
        }
        std::thread::sleep(PAUSE);
    }
    strays
}

/// Keeps what looks like an export.
fn note(strays: &mut Vec<Stray>, port: u16, from: SocketAddr, version: Option<u16>) {
    let Some(version @ (0 | 1 | 5 | 7 | 9 | 10)) = version else { return };
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let is_same = |stray: &&mut Stray| (stray.from.ip(), stray.port) == (from.ip(), port);
    if let Some(stray) = strays.iter_mut().find(is_same) {
        stray.datagrams = stray.datagrams.saturating_add(1);
    } else if strays.len() < SENDERS {
        strays.push(Stray { from, port, version, datagrams: 1 });
    }
}
