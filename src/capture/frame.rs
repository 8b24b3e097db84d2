//! Where a UDP datagram lies in a frame: link header, VLAN tags, IP with options or extension headers, UDP.
//!
//! It puts no fragments together and verifies no checksum: a recorder on the sending host sees frames whose checksums
//! the network card has yet to fill in.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// What a frame holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        payload: &'a [u8],
        is_cut: bool,
    },
    Fragment,
    /// Something else, for certain.
    Other,
    /// A frame too short for its headers.
    Unknown,
    /// Nobody here knows how such frames begin.
    UnreadLink,
}

pub(super) fn content(link: Option<u16>, octets: &[u8]) -> Content<'_> {
    match network(link, octets) {
        Layer::Packet(packet) => datagram(&packet),
        Layer::Other => Content::Other,
        Layer::Short => Content::Unknown,
        Layer::Unread => Content::UnreadLink,
    }
}

/// A frame without its link header.
enum Layer<'a> {
    Packet(Box<LaxSlicedPacket<'a>>),
    Other,
    Short,
    Unread,
}

/// Takes the link header off (<https://www.tcpdump.org/linktypes.html>).
fn network(link: Option<u16>, octets: &[u8]) -> Layer<'_> {
    let found = match link {
        Some(0 | 108) => return loopback(octets),
        Some(1) => return LaxSlicedPacket::from_ethernet(octets).map_or(Layer::Short, packet),
        // Raw IP; 12 and 14 are what the BSDs call it.
        Some(12 | 14 | 101 | 228 | 229) => return raw(octets),
        // Linux cooked: of the first version's 16 octets the last two are the type, of the second's 20 the first two.
        Some(113) => octets.get(14..16).and_then(|kind| kind.first_chunk()).zip(octets.get(16..)),
        Some(276) => octets.first_chunk().zip(octets.get(20..)),
        _ => return Layer::Unread,
    };
    match found {
        Some((kind, rest)) => packet(LaxSlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), rest)),
        None => Layer::Short,
    }
}

/// The address family of the recording host stands first, in its byte order (NULL) or in network order (LOOP).
fn loopback(octets: &[u8]) -> Layer<'_> {
    let Some((family, rest)) = octets.split_first_chunk() else { return Layer::Short };
    let family = u32::from_be_bytes(*family);
    match family.min(family.swap_bytes()) {
        // IPv4 everywhere; IPv6 on NetBSD and OpenBSD, FreeBSD, macOS, Linux.
        2 | 24 | 28 | 30 | 10 => raw(rest),
        _ => Layer::Other,
    }
}

fn raw(octets: &[u8]) -> Layer<'_> {
    match octets.first().map(|first| first >> 4) {
        Some(4 | 6) => LaxSlicedPacket::from_ip(octets).map_or(Layer::Short, packet),
        Some(_) => Layer::Other,
        None => Layer::Short,
    }
}

fn packet(packet: LaxSlicedPacket<'_>) -> Layer<'_> {
    Layer::Packet(Box::new(packet))
}

fn datagram<'a>(packet: &LaxSlicedPacket<'a>) -> Content<'a> {
    let (from, to): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(LaxNetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(LaxNetSlice::Arp(_)) => return Content::Other,
        None if packet.stop_err.is_some() => return Content::Unknown,
        None => return Content::Other,
    };
    if packet.net.as_ref().and_then(LaxNetSlice::ip_payload_ref).is_some_and(|payload| payload.fragmented) {
        return Content::Fragment;
    }
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => Content::Datagram {
            from: SocketAddr::new(from, udp.source_port()),
            to: SocketAddr::new(to, udp.destination_port()),
            payload: udp.payload(),
            // Octets behind the UDP length are gone already; those that miss were cut by the recorder.
            is_cut: udp.slice().len() < usize::from(udp.length()),
        },
        None if packet.stop_err.is_some() => Content::Unknown,
        _ => Content::Other,
    }
}
