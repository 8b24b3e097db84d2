//! Real sockets on the loopback interface.

use std::net::UdpSocket;
use std::time::Instant;

use super::*;

const SOON: Duration = Duration::from_secs(5);

fn receiver(listen: &str, buffer: usize) -> Receiver {
    Receiver::bind(&Options { listen: listen.parse().unwrap(), buffer }).unwrap()
}

fn sender(to: &Receiver) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", to.gauge.local_addr().port())).unwrap();
    socket
}

/// Receives until `count` datagrams are there.
fn take(receiver: &mut Receiver, count: usize) -> Vec<(Timestamp, SocketAddr, Vec<u8>)> {
    let mut all = Vec::new();
    let began = Instant::now();
    while all.len() < count {
        receiver.receive(SOON, |at, from, payload| all.push((at, from, payload.to_vec()))).unwrap();
        assert!(began.elapsed() < SOON, "{} of {count} came", all.len());
    }
    all
}

#[test]
fn datagrams_come_in_order_with_sender_content_and_time() {
    let mut receiver = receiver("127.0.0.1:0", BUFFER);
    let sender = sender(&receiver);
    let before = now();
    for text in ["one", "", "three"] {
        sender.send(text.as_bytes()).unwrap();
    }
    let got = take(&mut receiver, 3);
    let payloads: Vec<&[u8]> = got.iter().map(|(_, _, payload)| payload.as_slice()).collect();
    assert_eq!(payloads, [b"one".as_slice(), b"", b"three"]);
    for (at, from, _) in got {
        assert_eq!(from, sender.local_addr().unwrap());
        assert!((0..60_000).contains(&at.since(before.plus(-1))), "{at:?} against {before:?}");
    }
}

#[test]
fn the_time_is_that_of_arrival_and_not_of_reading() {
    let mut receiver = receiver("127.0.0.1:0", BUFFER);
    let sender = sender(&receiver);
    // The kernel turns stamping on a moment after it was asked to, when nobody on the host had wanted it before;
    // until then it stamps at reading.
    let is_stamped_at_arrival = (0..50).any(|_| {
        sender.send(b"x").unwrap();
        let arrived = now();
        while now().since(arrived) < 30 {
            std::thread::yield_now();
        }
        let (at, ..) = take(&mut receiver, 1)[0];
        at.since(arrived) < 20
    });
    assert!(is_stamped_at_arrival);
}

#[test]
fn many_datagrams_come_with_one_call_and_every_one_is_stamped() {
    let mut receiver = receiver("127.0.0.1:0", BUFFER);
    let sender = sender(&receiver);
    for number in 0..100_u32 {
        sender.send(&number.to_be_bytes()).unwrap();
    }
    let mut numbers = Vec::new();
    let mut each = |_: Timestamp, _: SocketAddr, payload: &[u8]| {
        numbers.push(u32::from_be_bytes(payload.try_into().unwrap()));
    };
    assert_eq!(receiver.receive(SOON, &mut each).unwrap(), BATCH);
    assert_eq!(receiver.receive(SOON, &mut each).unwrap(), 100 - BATCH);
    assert_eq!(numbers, Vec::from_iter(0..100));

    // Headers are laid out anew for each call, so that the kernel's stamp is there in the second one too.
    for round in 0..2 {
        sender.send(b"x").unwrap();
        let mut names = [Name::blank(); BATCH];
        let mut controls = [Control([0; CONTROL]); BATCH];
        let got = batch(&receiver.gauge.socket, &mut receiver.slots, &mut names, &mut controls).unwrap();
        assert!(controls[0].stamp(got[0].control).is_some(), "no stamp in round {round}");
        assert_eq!(controls[0].stamp(0), None);
    }
}

#[test]
fn the_longest_datagram_is_whole() {
    let mut receiver = receiver("127.0.0.1:0", BUFFER);
    let octets: Vec<u8> = (0..65_507_u32).map(|n| n.to_le_bytes()[0]).collect();
    sender(&receiver).send(&octets).unwrap();
    assert_eq!(take(&mut receiver, 1)[0].2, octets);
    assert_eq!(receiver.gauge.stats().truncated, 0);
}

#[test]
fn an_unspecified_ipv6_address_takes_both_families() {
    let mut receiver = receiver("[::]:0", BUFFER);
    let four = sender(&receiver);
    four.send(b"four").unwrap();
    assert_eq!(take(&mut receiver, 1)[0].1, four.local_addr().unwrap(), "not mapped into IPv6");
    // A host without IPv6 would have failed to bind `[::]` already.
    let six = UdpSocket::bind("[::1]:0").unwrap();
    six.send_to(b"six", ("::1", receiver.gauge.local_addr().port())).unwrap();
    let (_, from, payload) = take(&mut receiver, 1).remove(0);
    assert_eq!((from, payload.as_slice()), (six.local_addr().unwrap(), b"six".as_slice()));
}

#[test]
fn what_the_kernel_drops_is_counted_exactly() {
    let mut receiver = receiver("127.0.0.1:0", 8 * 1024);
    let sender = sender(&receiver);
    let sent = 500;
    for _ in 0..sent {
        sender.send(&[7; 1000]).unwrap();
    }
    // Loopback delivers within `send`, so that everything is in the buffer or dropped by now.
    let full = receiver.gauge.stats();
    assert!(0 < full.queued && full.queued <= full.buffer + 4096, "{full:?}");
    let mut got = 0;
    loop {
        match receiver.receive(Duration::from_millis(20), |_, _, _| ()).unwrap() {
            0 => break,
            some => got += some,
        }
    }
    let stats = receiver.gauge.stats();
    assert!(0 < got && got < sent, "{got} of {sent}");
    assert_eq!(stats.dropped, u64::try_from(sent - got).unwrap());
    assert_eq!(stats.queued, 0);
    assert_eq!(receiver.gauge.stats().dropped, stats.dropped, "asking twice counts once");
}

#[test]
fn a_socket_that_somebody_else_bound_is_taken_over() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let listen = socket.local_addr().unwrap();
    let mut receiver = Receiver::adopt(socket, 64 * 1024).unwrap();
    let sender = sender(&receiver);
    sender.send(b"x").unwrap();
    assert_eq!(take(&mut receiver, 1)[0].2, b"x");
    let stats = receiver.gauge.stats();
    assert_eq!((stats.listen, stats.buffer), (listen, 128 * 1024));
    assert_eq!(receiver.receive(Duration::from_millis(1), |_, _, _| ()).unwrap(), 0, "it waits");
}

#[test]
fn drops_go_on_beyond_32_bits() {
    let receiver = receiver("127.0.0.1:0", BUFFER);
    assert_eq!(receiver.gauge.widened(u32::MAX - 1), 0xffff_fffe);
    assert_eq!(receiver.gauge.widened(3), 0x1_0000_0003);
    assert_eq!(receiver.gauge.widened(3), 0x1_0000_0003);
}

#[test]
fn an_idle_socket_returns_after_the_timeout() {
    let mut receiver = receiver("127.0.0.1:0", BUFFER);
    let began = Instant::now();
    assert_eq!(receiver.receive(Duration::from_millis(30), |_, _, _| panic!("nobody sent")).unwrap(), 0);
    let waited = began.elapsed();
    assert!((Duration::from_millis(20)..SOON).contains(&waited), "{waited:?}");
    // No wait at all is a short one, and not one for ever.
    assert_eq!(receiver.receive(Duration::ZERO, |_, _, _| panic!("nobody sent")).unwrap(), 0);
}

#[test]
fn a_port_in_use_says_what_to_do() {
    let first = receiver("127.0.0.1:0", BUFFER);
    let listen = first.gauge.local_addr();
    let error = Receiver::bind(&Options { listen, buffer: BUFFER }).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {listen}: address in use"));
    let hint = format!("another collector? try `ss -lunp sport = :{}`", listen.port());
    assert_eq!(error.hint(), Some(hint));
}

#[test]
fn an_address_of_nobody_says_so() {
    let listen = "192.0.2.77:0".parse().unwrap();
    let error = Receiver::bind(&Options { listen, buffer: BUFFER }).unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on 192.0.2.77:0: no such address on this host");
    assert!(error.hint().unwrap().contains("192.0.2.77"));
}

#[test]
fn a_smaller_buffer_than_asked_for_names_the_setting() {
    assert_eq!(hint(64 << 20, 64 << 20), None);
    assert_eq!(hint(64 << 20, 8 << 20).unwrap(), "sysctl -w net.core.rmem_max=33554432");
    let receiver = receiver("127.0.0.1:0", 64 * 1024);
    let stats = receiver.gauge.stats();
    assert_eq!((stats.buffer_asked, stats.buffer), (128 * 1024, 128 * 1024));
    assert_eq!(receiver.gauge.buffer_hint(), None);
}
