//! NetFlow v9 from several exporters at a steady rate, of which every sum is known.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use flowglass::wire::emit::Message;
use flowglass::wire::v9;

use super::support::{FIELDS, template};

/// Records of a datagram: 24 of 46 octets, as routers fill a packet of 1,500.
const RECORDS: u32 = 24;
/// Bytes and packets of every record.
pub(crate) const BYTES: u32 = 1000;
pub(crate) const PACKETS: u32 = 2;
const EXPORTERS: u32 = 4;

/// Sends at a steady rate; returns how many flows.
pub(crate) fn send(to: SocketAddr, rate: u64, seconds: u64, conversations: u32) -> u64 {
    let sockets: Vec<_> = (0..EXPORTERS).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    let mut sequences = [0_u32; EXPORTERS as usize];
    let mut record = 0_u32;
    let (start, mut sent) = (Instant::now(), 0_u64);
    let total = rate * seconds;
    let mut datagram = 0_usize;
    while sent < total {
        let exporter = datagram % sockets.len();
        let payload =
            payload(u32::try_from(exporter).unwrap_or(0), sequences[exporter], &mut record, conversations, datagram);
        sockets[exporter].send_to(&payload, to).expect("sending on loopback");
        sequences[exporter] = sequences[exporter].wrapping_add(1);
        datagram += 1;
        sent += u64::from(RECORDS);
        let due = Duration::from_secs_f64(sent as f64 / rate as f64);
        // Sleeping for less than a millisecond costs more than it saves.
        if let Some(early) = due.checked_sub(start.elapsed()).filter(|early| Duration::from_millis(1) < *early) {
            thread::sleep(early);
        }
    }
    sent
}

/// Sends so many datagrams within a time, made beforehand; returns how many flows, and how long it took.
#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) fn burst(to: SocketAddr, datagrams: u32, within: Duration) -> (u64, Duration) {
    let sockets: Vec<_> = (0..EXPORTERS).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    let mut record = 0;
    let payloads: Vec<_> =
        (0..datagrams).map(|n| payload(n % EXPORTERS, n / EXPORTERS, &mut record, 50_000, n as usize)).collect();
    let start = Instant::now();
    for (payload, n) in payloads.iter().zip(0..) {
        // Not in packs that a sleep would make: as evenly as one sender can.
        while start.elapsed() < within * n / datagrams {
            std::hint::spin_loop();
        }
        sockets[n as usize % sockets.len()].send_to(payload, to).expect("sending on loopback");
    }
    (u64::from(datagrams) * u64::from(RECORDS), start.elapsed())
}

fn payload(exporter: u32, sequence: u32, record: &mut u32, conversations: u32, datagram: usize) -> Vec<u8> {
    let seconds = u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let header = v9::Header { count: 24, uptime: 3_600_000, seconds, sequence, source_id: exporter };
    let mut message = Message::v9(header);
    if datagram < EXPORTERS as usize || datagram.is_multiple_of(1000) {
        message = message.template(&template(256, 0, FIELDS));
    }
    let mut octets = Vec::with_capacity(1200);
    for _ in 0..RECORDS {
        let n = *record % conversations;
        *record = record.wrapping_add(1);
        octets.extend((0x0a00_0000 + n).to_be_bytes());
        octets.extend((0xc000_0200 + n % 200).to_be_bytes());
        // A new connection each time, of the same conversation.
        let port = 0x8000 | u16::try_from(*record / conversations % 0x7fff).unwrap_or(0);
        octets.extend(port.to_be_bytes());
        octets.extend([1, 187, 6, 0, 0x1b]);
        octets.extend(BYTES.to_be_bytes());
        octets.extend(PACKETS.to_be_bytes());
        octets.extend(3_590_000_u32.to_be_bytes());
        octets.extend(3_599_000_u32.to_be_bytes());
        octets.extend([0, 1, 0, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0x3b, 0x41]);
    }
    message.set(256, &octets).finish()
}
