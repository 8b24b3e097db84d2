//! Framing against hand-written octets, and against what [`super::emit`] makes.

use hex_literal::hex;
use proptest::prelude::*;

use super::template::{FieldSpecifier, TemplateId, VARIABLE};
use super::*;
use crate::ie::ElementId;

fn sets(octets: &[u8]) -> (Vec<(u16, usize)>, Option<Malformed>) {
    let mut found = Vec::new();
    for set in Sets::new(Reader::new(octets, 0)) {
        match set {
            Ok(set) => found.push((set.id, set.body.len())),
            Err(malformed) => return (found, Some(malformed)),
        }
    }
    (found, None)
}

#[test]
fn sets_are_walked_by_length_alone() {
    let check = |octets: &[u8], expected: &[(u16, usize)]| assert_eq!(sets(octets), (expected.to_vec(), None));
    check(&[], &[]);
    check(&hex!("0100 0004"), &[(256, 0)]);
    // Palo Alto sends sets that end at no multiple of four; the next one starts right there.
    check(&hex!("0100 0005 aa 0101 0006 bbbb"), &[(256, 1), (257, 2)]);
    // A tail too short for a set, and a tail of zeros, end the message quietly.
    check(&hex!("0100 0004 616e"), &[(256, 0)]);
    check(&hex!("0100 0004 00000000 00000000"), &[(256, 0)]);
    // Reserved ids are handed out: whoever walks skips them by length.
    check(&hex!("0005 0006 ffff 0100 0004"), &[(5, 2), (256, 0)]);
}

#[test]
fn a_broken_length_ends_the_walk_and_says_where() {
    assert_eq!(sets(&hex!("0100 0003")).1, Some(Malformed::SetLength { offset: 0, length: 3 }));
    let (found, error) = sets(&hex!("0100 0004 0101 000a ffff"));
    assert_eq!(found, [(256, 0)]);
    let expected = Malformed::Truncated { part: Part::Set, offset: 8, needed: 6, available: 2 };
    assert_eq!(error, Some(expected));
    assert_eq!(expected.to_string(), "message truncated: set needs 6 octets at offset 8, 2 left");
}

#[test]
fn v5_count_must_fit_the_datagram() {
    let header = v5::Header { count: 2, sequence: 7, sampling: 0x4064, ..Default::default() };
    let whole = emit::v5(header, &[[1; v5::RECORD], [2; v5::RECORD]]);
    let packet = v5::Packet::parse(&whole).unwrap();
    assert_eq!((packet.header, packet.records().len(), packet.trailing), (header, 2, 0));
    let longer = [whole.as_slice(), &[0; 5]].concat();
    assert_eq!(v5::Packet::parse(&longer).unwrap().trailing, 5);
    let header = v5::Header { count: 163, ..header };
    let lying = emit::v5(header, &[[1; v5::RECORD]]);
    assert_eq!(
        v5::Packet::parse(&lying).unwrap_err(),
        Malformed::Truncated { part: Part::Record, offset: 24, needed: 163 * 48, available: 48 }
    );
}

#[test]
fn v1_and_v7_differ_from_v5_in_header_and_record() {
    let begin = hex!("0001 0001 00000001 00000002 00000003");
    let v1 = [begin.as_slice(), &[1; v5::RECORD]].concat();
    let packet = v5::Packet::parse_v1(&v1).unwrap();
    let header = v5::Header { count: 1, uptime: 1, seconds: 2, nanoseconds: 3, ..Default::default() };
    assert_eq!((packet.header, packet.records(), packet.trailing), (header, [[1; 48]].as_slice(), 0));
    let v7 = [begin.as_slice(), &hex!("00000004 ffffffff"), &[7; v5::V7_RECORD]].concat();
    let packet = v5::Packet::parse_v7(&v7).unwrap();
    let header = v5::Header { sequence: 4, ..header };
    assert_eq!((packet.header, packet.records(), packet.trailing), (header, [[7; 52]].as_slice(), 0));
    for cut in 0..v7.len() {
        v5::Packet::parse_v7(&v7[..cut]).unwrap_err();
    }
    for cut in 0..v1.len() {
        v5::Packet::parse_v1(&v1[..cut]).unwrap_err();
    }
}

#[test]
fn v9_types_above_32767_have_no_enterprise_number() {
    let set = Set { id: 0, offset: 24, body: &hex!("0100 0002 80e8 000c 0008 0004") };
    let mut found = Vec::new();
    v9::templates(set, |template| found.push(template)).unwrap();
    assert_eq!(found[0].fields[0], FieldSpecifier { element: ElementId::Iana(33_000), length: 12 });
    assert_eq!(found[0].fields.len(), 2);
}

#[test]
fn ipfix_withdrawals_are_told_apart_from_templates() {
    let set = Set { id: 2, offset: 20, body: &hex!("0100 0000 0002 0000 0101 0001 0008 0004 0000 0000") };
    let mut found = Vec::new();
    ipfix::templates(set, |record| {
        found.push(match record {
            ipfix::Announcement::Withdrawal(id) => (id.0, 0),
            ipfix::Announcement::Template(template) => (template.id.0, template.fields.len()),
        });
    })
    .unwrap();
    assert_eq!(found, [(256, 0), (2, 0), (257, 1)]);
}

#[test]
fn an_options_template_without_scope_is_malformed() {
    let set = Set { id: 3, offset: 20, body: &hex!("0100 0001 0000 0095 0004") };
    assert_eq!(ipfix::check(set), Err(Malformed::Scope { offset: 20 }));
    let set = Set { id: 1, offset: 24, body: &hex!("0100 0004 0006 0001 0004 0022 0004 0000") };
    assert_eq!(v9::options_templates(set, |_| ()), Err(Malformed::OptionLength { offset: 24, length: 6 }));
}

#[test]
fn variable_lengths_of_zero_and_in_the_long_form() {
    let element = ElementId::Iana(82);
    let fields = vec![FieldSpecifier { element, length: VARIABLE }; 3];
    let template = template::Template { id: TemplateId(300), scopes: 0, fields };
    let mut reader = Reader::new(&hex!("00 ff0001 61 02 6263 ee"), 0);
    let mut lengths = Vec::new();
    template.record(&mut reader, |_, octets| lengths.push(octets.len())).unwrap();
    assert_eq!((lengths, reader.remaining()), (vec![0, 1, 2], 1));
}

fn template(options: bool, v9: bool) -> impl Strategy<Value = template::Template> {
    let id = 256..=u16::MAX;
    let field = move |scope: bool| {
        (0..0x8000_u16, any::<u16>(), any::<Option<u32>>()).prop_map(move |(id, length, pen)| {
            let element = match pen {
                _ if v9 && scope => ElementId::V9Scope(id),
                Some(pen) if !v9 => ElementId::Vendor { pen, id },
                _ => ElementId::Iana(id),
            };
            FieldSpecifier { element, length }
        })
    };
    let scopes = if options { 1..4_usize } else { 0..1 };
    (id, proptest::collection::vec(field(true), scopes), proptest::collection::vec(field(false), 1..20)).prop_map(
        |(id, mut fields, rest)| {
            let scopes = fields.len();
            fields.extend(rest);
            template::Template { id: TemplateId(id), scopes, fields }
        },
    )
}

proptest! {
    #[test]
    fn templates_come_back_as_they_were_sent(
        (v9, options, template) in any::<(bool, bool)>().prop_flat_map(|(v9, options)| {
            template(options, v9).prop_map(move |template| (v9, options, template))
        })
    ) {
        let mut found = Vec::new();
        if v9 {
            let octets = emit::Message::v9(v9::Header::default()).template(&template).finish();
            let set = v9::Packet::parse(&octets).unwrap().sets().next().unwrap().unwrap();
            let read = if options { v9::options_templates } else { v9::templates };
            read(set, |template| found.push(template)).unwrap();
        } else {
            let octets = emit::Message::ipfix(ipfix::Header::default()).template(&template).finish();
            let set = ipfix::Message::parse(&octets).unwrap().sets().next().unwrap().unwrap();
            let push = |record| if let ipfix::Announcement::Template(template) = record { found.push(template) };
            ipfix::templates(set, push).unwrap();
        }
        prop_assert_eq!(found, vec![template]);
    }

    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), id in any::<u16>()) {
        let set = Set { id, offset: 0, body: &octets };
        let _ = v9::templates(set, |_| ());
        let _ = v9::options_templates(set, |_| ());
        let _ = ipfix::templates(set, |_| ());
        assert_eq!(ipfix::templates(set, |_| ()), ipfix::check(set));
        let _ = v5::Packet::parse(&octets);
        if let Ok(packet) = v9::Packet::parse(&octets) {
            prop_assert!(packet.sets().count() <= octets.len());
        }
        if let Ok(message) = ipfix::Message::parse(&octets) {
            prop_assert!(message.sets().count() <= octets.len());
        }
    }
}
