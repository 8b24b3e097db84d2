//! Files made here, octet by octet, so that each says what a real recorder says.

use std::io::Write;

use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, Ipv6FlowLabel, Ipv6Header, PacketBuilder, UdpHeader,
};
use proptest::prelude::*;

use super::file::BLOCK;
use super::*;

const FROM: [u8; 4] = [192, 0, 2, 1];
const TO: [u8; 4] = [198, 51, 100, 7];

/// What reading a file gives: datagrams, tally and the error, if there was one.
struct Outcome {
    datagrams: Vec<Datagram>,
    tally: Tally,
    error: Option<Error>,
    progress: (u64, u64),
}

fn read(octets: &[u8]) -> Outcome {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(octets).unwrap();
    let mut outcome = Outcome { datagrams: Vec::new(), tally: Tally::default(), error: None, progress: (0, 0) };
    let mut capture = match Capture::open(file.path()) {
        Ok(capture) => capture,
        Err(error) => return Outcome { error: Some(error), ..outcome },
    };
    for item in capture.by_ref() {
        assert!(outcome.error.is_none(), "an error is the last thing");
        match item {
            Ok(datagram) => outcome.datagrams.push(datagram),
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome.tally = capture.tally();
    outcome.progress = capture.progress();
    let t = outcome.tally;
    assert_eq!(t.frames, t.datagrams + t.fragments + t.other + t.headless + t.unread, "{t:?}");
    outcome
}

/// Numbers in one byte order or the other.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, number: u16) -> [u8; 2] {
        if self == Self::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        if self == Self::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// A classic pcap of one link type; each frame with seconds, fraction, length on the wire, and octets.
fn classic(order: Order, magic: u32, link: u32, frames: &[(u32, u32, usize, &[u8])]) -> Vec<u8> {
    let mut file =
        [order.u32(magic), order.u32(0x0002_0004), [0; 4], [0; 4], order.u32(65_535), order.u32(link)].concat();
    for (seconds, fraction, original, octets) in frames {
        for number in [*seconds, *fraction, length(octets), u32::try_from(*original).unwrap()] {
            file.extend(order.u32(number));
        }
        file.extend(*octets);
    }
    file
}

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;

/// A classic pcap with whole frames, one a second.
fn plain(link: u32, frames: &[&[u8]]) -> Vec<u8> {
    let frames: Vec<_> = frames.iter().zip(1..).map(|(octets, at)| (at, 0, octets.len(), *octets)).collect();
    classic(Order::Little, MICROS, link, &frames)
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let total = order.u32(length(&body) + 12);
    [&order.u32(kind), &total, body.as_slice(), &total].concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = [order.u32(0x1a2b_3c4d).as_slice(), &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

fn interface(order: Order, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = [order.u16(link).as_slice(), &[0; 2], &order.u32(snap)].concat();
    for (code, value) in options {
        body.extend(order.u16(*code));
        body.extend(order.u16(u16::try_from(value.len()).unwrap()));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(order, 1, &body)
}

fn enhanced(order: Order, id: u32, ticks: u64, octets: &[u8], original: usize) -> Vec<u8> {
    let (high, low) = (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap());
    let original = u32::try_from(original).unwrap();
    let mut body: Vec<u8> = [id, high, low, length(octets), original].map(|number| order.u32(number)).concat();
    body.extend(octets);
    block(order, 6, &body)
}

fn simple(order: Order, octets: &[u8], original: usize) -> Vec<u8> {
    block(order, 3, &[order.u32(u32::try_from(original).unwrap()).as_slice(), octets].concat())
}

fn length(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).unwrap()
}

/// An IPv4 packet with a UDP datagram.
fn ipv4(payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    PacketBuilder::ipv4(FROM, TO, 64).udp(50_000, 2055).write(&mut octets, payload).unwrap();
    octets
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    let (from, to) = ([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0xfe; 16]);
    let mut octets = Vec::new();
    PacketBuilder::ipv6(from, to, 64).udp(50_000, 4739).write(&mut octets, payload).unwrap();
    octets
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0x02; 12], kind.to_be_bytes().as_slice(), payload].concat()
}

fn payloads(outcome: &Outcome) -> Vec<&[u8]> {
    outcome.datagrams.iter().map(|datagram| datagram.payload.as_slice()).collect()
}

#[test]
fn classic_pcap_in_both_orders_and_both_resolutions() {
    let frame = ipv4(b"flow");
    for order in [Order::Big, Order::Little] {
        for (magic, fraction) in [(MICROS, 250_999), (NANOS, 250_999_999)] {
            let file = classic(order, magic, 101, &[(1_700_000_000, fraction, frame.len(), &frame)]);
            let outcome = read(&file);
            assert!(outcome.error.is_none(), "{:?}", outcome.error);
            let expected = Datagram {
                at: Timestamp(1_700_000_000_250),
                from: "192.0.2.1:50000".parse().unwrap(),
                to: "198.51.100.7:2055".parse().unwrap(),
                payload: b"flow".to_vec(),
            };
            assert_eq!(outcome.datagrams, [expected], "{order:?} {magic:x}");
            let octets = u64::try_from(file.len()).unwrap();
            assert_eq!(outcome.progress, (octets, octets));
        }
    }
}

#[test]
fn kuznetzovs_pcap_has_longer_frame_headers() {
    let frame = ipv4(b"flow");
    let mut file = classic(Order::Little, 0xa1b2_cd34, 101, &[(1, 0, frame.len(), &[])]);
    let header = file.len();
    file[header - 8..header - 4].copy_from_slice(&length(&frame).to_le_bytes());
    file.extend([0; 8]);
    file.extend(&frame);
    assert_eq!(payloads(&read(&file)), [b"flow"]);
}

#[test]
fn every_link_type_leads_to_the_same_datagram() {
    let (four, six) = (ipv4(b"4"), ipv6(b"6"));
    let sll = |kind: u16, packet: &[u8]| [&[0; 14], kind.to_be_bytes().as_slice(), packet].concat();
    let sll2 = |kind: u16, packet: &[u8]| [kind.to_be_bytes().as_slice(), &[0; 18], packet].concat();
    let null = |family: [u8; 4], packet: &[u8]| [family.as_slice(), packet].concat();
    let vlan = |id: u16, inner: u16, packet: &[u8]| [&id.to_be_bytes(), &inner.to_be_bytes(), packet].concat();
    let both = |link: u32, a: &[u8], b: &[u8]| {
        let outcome = read(&plain(link, &[a, b]));
        assert_eq!(payloads(&outcome), [b"4", b"6"], "link type {link}");
        assert_eq!(outcome.datagrams[1].from.to_string(), "[2001:db8::1]:50000");
    };
    both(1, &ethernet(0x0800, &four), &ethernet(0x86dd, &six));
    both(1, &ethernet(0x8100, &vlan(7, 0x0800, &four)), &ethernet(0x8100, &vlan(7, 0x86dd, &six)));
    let inner = vlan(9, 0x86dd, &six);
    let qinq = [ethernet(0x88a8, &vlan(7, 0x8100, &inner)), ethernet(0x9100, &vlan(7, 0x8100, &inner))];
    for outer in &qinq {
        both(1, &ethernet(0x88a8, &vlan(7, 0x8100, &vlan(9, 0x0800, &four))), outer);
    }
    both(113, &sll(0x0800, &four), &sll(0x86dd, &six));
    both(113, &sll(0x8100, &vlan(3, 0x0800, &four)), &sll(0x86dd, &six));
    both(276, &sll2(0x0800, &four), &sll2(0x86dd, &six));
    for raw in [12, 14, 101, 228, 229] {
        both(raw, &four, &six);
    }
    both(0, &null([2, 0, 0, 0], &four), &null([30, 0, 0, 0], &six));
    both(0, &null([0, 0, 0, 2], &four), &null([0, 0, 0, 24], &six));
    both(108, &null([0, 0, 0, 2], &four), &null([0, 0, 0, 10], &six));
    // Some recorders note the length of the frame check sequence above the link type.
    both(0x2400_0001, &ethernet(0x0800, &four), &ethernet(0x86dd, &six));
}

#[test]
fn options_and_extension_headers_are_stepped_over() {
    let udp = UdpHeader { source_port: 1, destination_port: 2, length: 12, checksum: 0 }.to_bytes();
    let udp = [udp.as_slice(), b"flow"].concat();
    let mut four = Ipv4Header::new(12, 64, IpNumber::UDP, FROM, TO).unwrap();
    four.options = Ipv4Options::from([1; 8]);
    four.set_payload_len(12).unwrap();
    let mut with_options = Vec::new();
    four.write(&mut with_options).unwrap();
    with_options.extend(&udp);

    let mut with_extensions = ipv6_header(0, 12 + 16);
    with_extensions.extend([60, 0, 1, 4, 0, 0, 0, 0]); // Hop by hop, then destination options.
    with_extensions.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    with_extensions.extend(&udp);
    let outcome = read(&plain(101, &[&with_options, &with_extensions]));
    assert_eq!(payloads(&outcome), [b"flow", b"flow"]);
}

fn ipv6_header(next: u8, payload: u16) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: payload,
        next_header: IpNumber(next),
        hop_limit: 64,
        source: [1; 16],
        destination: [2; 16],
    };
    header.to_bytes().to_vec()
}

#[test]
fn the_udp_length_and_not_the_frame_says_where_a_payload_ends() {
    // Ethernet fills short frames up to 60 octets.
    let mut frame = ethernet(0x0800, &ipv4(b"tiny"));
    frame.resize(60, 0);
    assert_eq!(payloads(&read(&plain(1, &[&frame]))), [b"tiny"]);
    // An IP packet may be longer than the datagram in it.
    let mut packet = ipv4(b"payload and more");
    packet[25] = 8 + 7;
    let outcome = read(&plain(101, &[&packet]));
    assert_eq!(payloads(&outcome), [b"payload"]);
    assert_eq!(outcome.tally.cut, 0);
}

#[test]
fn fragments_are_counted_and_not_handed_out() {
    let fragment = |more: bool, offset: u16| {
        let mut header = Ipv4Header::new(16, 64, IpNumber::UDP, FROM, TO).unwrap();
        header.more_fragments = more;
        header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        let mut octets = Vec::new();
        header.write(&mut octets).unwrap();
        octets.extend([0, 1, 0, 2, 0, 32, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7]);
        octets
    };
    let mut six = ipv6_header(44, 8 + 16);
    six.extend([17, 0, 0, 1, 0, 0, 0, 9]);
    six.extend([0; 16]);
    let outcome = read(&plain(101, &[&fragment(true, 0), &fragment(false, 2), &six, &ipv4(b"whole")]));
    assert_eq!((outcome.tally.fragments, outcome.tally.datagrams), (3, 1));
}

#[test]
fn what_the_snap_length_cut_is_handed_out_and_counted() {
    let whole = ethernet(0x0800, &ipv4(b"0123456789"));
    let keep = |octets: usize| classic(Order::Little, MICROS, 1, &[(1, 0, whole.len(), &whole[..octets])]);
    let outcome = read(&keep(whole.len() - 4));
    assert_eq!((payloads(&outcome), outcome.tally.cut), (vec![b"012345".as_slice()], 1));
    // Cut within the headers of UDP, of IP, of Ethernet: there is nothing to hand out.
    for octets in [14 + 20 + 7, 14 + 19, 13, 0] {
        let outcome = read(&keep(octets));
        let tally = Tally { frames: 1, headless: 1, ..Tally::default() };
        assert_eq!((outcome.tally, outcome.datagrams.len()), (tally, 0), "{octets} octets kept");
    }
    // Where only padding was cut, nothing is missing.
    let file = classic(Order::Little, MICROS, 1, &[(1, 0, 60, &whole)]);
    assert_eq!(read(&file).tally, Tally { frames: 1, datagrams: 1, ..Tally::default() });
}

#[test]
fn other_frames_are_counted_as_such() {
    let mut tcp = Vec::new();
    PacketBuilder::ipv4(FROM, TO, 64).tcp(1, 2, 3, 4).write(&mut tcp, b"").unwrap();
    let arp = ethernet(0x0806, &[0; 28]);
    let spanning_tree = ethernet(38, &[0x42; 38]);
    let outcome = read(&plain(1, &[&ethernet(0x0800, &tcp), &arp, &spanning_tree]));
    assert_eq!(outcome.tally, Tally { frames: 3, other: 3, ..Tally::default() });
    // 105 is 802.11, which has no IP where we could find it.
    let outcome = read(&plain(105, &[&tcp]));
    assert_eq!(outcome.tally, Tally { frames: 1, unread: 1, unread_link: Some(105), ..Tally::default() });
}

#[test]
fn pcapng_with_several_interfaces_clocks_and_sections() {
    for order in [Order::Big, Order::Little] {
        let offset = 1_700_000_000_u64;
        let offset = if order == Order::Big { offset.to_be_bytes() } else { offset.to_le_bytes() };
        let (raw, framed) = (ipv4(b"raw"), ethernet(0x0800, &ipv4(b"eth")));
        let file = [
            section(order),
            interface(order, 101, 0, &[]),
            interface(order, 1, 0, &[(2, b"eth0"), (9, &[9])]),
            // 2⁻¹⁰ s, counted from a second of its own.
            interface(order, 1, 0, &[(9, &[0x8a]), (14, &offset)]),
            block(order, 5, &[0; 12]), // Statistics, which are stepped over.
            enhanced(order, 0, 1_700_000_001_250_000, &raw, raw.len()),
            enhanced(order, 1, 1_700_000_001_500_000_000, &framed, framed.len()),
            enhanced(order, 2, 2 * 1024 + 512, &framed, framed.len()),
            enhanced(order, 3, 0, &framed, framed.len()),
            simple(order, &raw, raw.len()),
        ]
        .concat();
        let outcome = read(&file);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let seen: Vec<_> =
            outcome.datagrams.iter().map(|d| (d.at.0 - 1_700_000_000_000, d.payload.as_slice())).collect();
        let expected: [(i64, &[u8]); 4] = [(1250, b"raw"), (1500, b"eth"), (2500, b"eth"), (2500, b"raw")];
        assert_eq!(seen, expected, "{order:?}");
        // The frame of an interface that was never described.
        assert_eq!(outcome.tally, Tally { frames: 5, datagrams: 4, unread: 1, ..Tally::default() });
        // A section forgets the interfaces of the one before, and may turn the byte order around.
        let other = if order == Order::Big { Order::Little } else { Order::Big };
        let second =
            [section(other), interface(other, 1, 0, &[]), enhanced(other, 0, 0, &framed, framed.len())].concat();
        assert_eq!(read(&[file, second].concat()).tally.datagrams, 5);
    }
}

#[test]
fn a_simple_packet_ends_with_the_snap_length_of_its_interface() {
    let order = Order::Little;
    let packet = ipv4(b"0123456");
    let snap = packet.len() - 2;
    let limit = u32::try_from(snap).unwrap();
    let file =
        [section(order), interface(order, 101, limit, &[]), simple(order, &packet[..snap], packet.len())].concat();
    let outcome = read(&file);
    assert_eq!((payloads(&outcome), outcome.tally.cut), (vec![b"01234".as_slice()], 1));
}

#[test]
fn a_file_cut_anywhere_gives_all_before_the_cut_and_one_error() {
    let order = Order::Little;
    let frame = ipv4(b"flow");
    let packet = enhanced(order, 0, 0, &frame, frame.len());
    let head = [section(order), interface(order, 101, 0, &[])].concat();
    let ng = [head.as_slice(), &packet, &packet].concat();
    let pcap = plain(101, &[&frame, &frame]);
    for (file, head, record) in [(ng, head.len(), packet.len()), (pcap, 24, 16 + frame.len())] {
        for cut in head..file.len() {
            let outcome = read(&file[..cut]);
            let (whole, is_between) = ((cut - head) / record, (cut - head) % record == 0);
            assert_eq!(outcome.datagrams.len(), whole, "cut at {cut}");
            match outcome.error {
                None => assert!(is_between, "cut at {cut} is no end"),
                Some(Error::CutShort { offset, .. }) => {
                    assert_eq!(offset, u64::try_from(head + whole * record).unwrap(), "cut at {cut}");
                }
                Some(error) => panic!("cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    for octets in [b"".as_slice(), b"GIF", b"\x1f\x8b\x08\x00 gzip", b"not a capture at all, but text"] {
        assert!(matches!(read(octets).error, Some(Error::NotACapture { .. })), "{octets:?}");
    }
    // One that is cut within its first header is a capture, but not much of one.
    let cut = &plain(1, &[])[..20];
    assert!(matches!(read(cut).error, Some(Error::CutShort { offset: 0, .. })));
    let missing = Capture::open(Path::new("/nonexistent/x.pcap")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open `/nonexistent/x.pcap`: "), "{missing}");
}

#[test]
fn no_length_in_a_file_is_believed() {
    let order = Order::Little;
    let huge = |at: usize, mut file: Vec<u8>| {
        file[at..at + 4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
        read(&file)
    };
    let outcome = huge(24 + 8, plain(101, &[&ipv4(b"flow")]));
    let Some(Error::TooLong { offset: 24, octets: 0xffff_fff0, limit: BLOCK, .. }) = outcome.error else {
        panic!("{:?}", outcome.error)
    };
    let head = [section(order), interface(order, 101, 0, &[])].concat();
    let packet = enhanced(order, 0, 0, &ipv4(b"flow"), 32);
    // The length of the block, and the length of the frame in it.
    let file = [head.as_slice(), &packet].concat();
    assert!(matches!(huge(head.len() + 4, file.clone()).error, Some(Error::TooLong { .. })));
    assert!(matches!(huge(head.len() + 20, file).error, Some(Error::Damaged { .. })));
    // A block that is stepped over costs no memory, and ends where the file ends.
    let file = [head.as_slice(), &block(order, 0x0bad, b"custom"), &packet].concat();
    assert_eq!(read(&file).tally.datagrams, 1);
    assert!(matches!(huge(head.len() + 4, file).error, Some(Error::CutShort { .. })));
    // Neither shorter than a block can be, nor odd.
    for length in [0_u32, 8, 13] {
        let file = [head.as_slice(), &6_u32.to_le_bytes(), &length.to_le_bytes(), &[0; 40]].concat();
        assert!(matches!(read(&file).error, Some(Error::Damaged { .. })), "{length}");
    }
}

proptest! {
    #[test]
    fn no_octets_can_stop_it(tail in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200, flip in any::<u8>()) {
        let frame = ethernet(0x0800, &ipv4(b"flow"));
        let order = Order::Little;
        let files = [
            plain(1, &[&frame, &tail]),
            [section(order), interface(order, 1, 0, &[(9, &[6])]), enhanced(order, 0, 1, &frame, 60), tail].concat(),
        ];
        for mut file in files {
            let at = at % file.len();
            file[at] = flip;
            let outcome = read(&file);
            prop_assert!(outcome.progress.0 <= outcome.progress.1);
        }
    }
}
