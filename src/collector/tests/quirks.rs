//! What real exporters do beside the rules, in the shape that captures of them have; `docs/conformance.md` lists them.

use super::*;
use crate::collector::options::names::NameKind;

fn no_fault(bench: &Bench) {
    let totals = bench.collector.health().totals;
    assert_eq!((totals.malformed, totals.foreign, totals.waiting), (0, 0, 0));
    assert!(bench.collector.health().exporters.iter().all(|stats| stats.overruns == 0));
}

#[test]
fn ipt_netflow_mixes_sets_of_one_record_and_many_templates() {
    let mut bench = Bench::new();
    let (a, b) = (template(259, &[(8, 4), (10, 2), (1, 4)]), template(260, &[(8, 4), (14, 2), (1, 4)]));
    bench.send(v9(0).template(&a)).unwrap();
    let record = [10, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 5];
    let data = |message: Message, id: u16| message.data(TemplateId(id), &record);
    let message = data(v9(1), 259).template(&b);
    let order = [260, 259, 260, 259, 260, 259, 260, 259, 260];
    bench.send(order.into_iter().fold(message, data)).unwrap();
    assert_eq!(bench.bytes(), [5; 10]);
    assert!(bench.flows.iter().all(|flow| (flow.in_if, flow.out_if) == (0, 0)));
    no_fault(&bench);
}

#[test]
fn softflowd_says_its_rate_and_boot_in_an_unaligned_set() {
    let mut bench = Bench::new();
    let told = options(256, 1, &[(143, 4), (160, 8), (304, 2), (305, 4), (306, 4)]);
    let boot = NOW.0 - 60_000;
    let record = [&[0, 0, 0, 7][..], &boot.to_be_bytes(), &hex!("0001 00000001 00000063")].concat();
    let flows = template(1024, &[(8, 4), (21, 4), (22, 4), (1, 4)]);
    let message = ipfix(0).template(&told).set(256, &record).template(&flows);
    bench.send(message.set(1024, &hex!("0a000001 0000c350 00009c40 00000007"))).unwrap();
    let flow = bench.flows[0];
    assert_eq!((flow.sampling.rate, flow.first, flow.last), (100, NOW.plus(-20_000), NOW.plus(-10_000)));
    // Without sampling it sends a rate of 0.
    let record = [&[0, 0, 0, 7][..], &boot.to_be_bytes(), &[0; 10]].concat();
    let mut bench = Bench::new();
    bench.send(ipfix(0).template(&told).set(256, &record).template(&flows).set(1024, &[1; 16])).unwrap();
    assert_eq!(bench.flows[0].sampling, Sampling::default());
    no_fault(&bench);
}

#[test]
fn mikrotik_sends_uptimes_without_boot_and_a_rate_the_wrong_way_round() {
    let flow = one(&[(22, 4), (21, 4), (34, 4), (1, 1)], &hex!("000003e8 00000fa0 01000000 07"));
    assert_eq!((flow.first, flow.last, flow.time_source), (NOW.plus(-3000), NOW, TimeSource::Export));
    assert_eq!(flow.sampling, Sampling::default());
}

#[test]
fn asa_events_have_types_above_32767_and_no_packets() {
    let mut bench = Bench::new();
    let fields = [(148, 4), (8, 4), (7, 2), (12, 4), (11, 2), (4, 1), (225, 4), (227, 2), (233, 1)];
    let more = [(33_002, 2), (323, 8), (231, 4), (232, 4), (33_000, 12), (40_000, 20)];
    let known = template(263, &[fields.as_slice(), &more].concat());
    let record = [
        &hex!("00000001 0a000001 c000 cb007105 01bb 06 c6336401 3039 02 07ee")[..],
        &(NOW.0 - 42).to_be_bytes(),
        &hex!("00000100 00000200"),
        &[0xaa; 32],
    ]
    .concat();
    bench.send(v9(0).template(&known).data(TemplateId(263), &record)).unwrap();
    let [there, back] = bench.flows[..] else { panic!("{:?}", bench.flows) };
    assert_eq!((there.counts, back.counts), (Counts { bytes: 256, packets: 0 }, Counts { bytes: 512, packets: 0 }));
    assert_eq!((there.event, there.time_source, there.last), (2, TimeSource::Event, NOW.plus(-42)));
    assert_eq!(there.nat_src_ip.map(|ip| ip.to_string()).as_deref(), Some("198.51.100.1"));
    no_fault(&bench);
}

#[test]
fn wlc_pads_option_templates_with_anything_and_has_no_times() {
    let mut bench = Bench::new();
    let told = hex!("0102 0004 0008 0001 0004 5060 0002 0022 0002 beef");
    let flows = template(259, &[(56, 6), (95, 4), (1, 8), (2, 8)]);
    let record = hex!("020000000001 0d000001 0000000000000064 0000000000000002 dead");
    bench.send(v9(0).set(1, &told).template(&flows).set(259, &record)).unwrap();
    assert_eq!((bench.bytes(), bench.flows[0].application), (vec![100], 0x0d00_0001));
    assert_eq!((bench.flows[0].last, bench.flows[0].time_source), (NOW, TimeSource::Export));
    no_fault(&bench);
}

#[test]
fn zeros_behind_the_last_set_end_the_datagram() {
    // Cisco ACI sends 64 of them; Palo Alto fills up to 1,400 octets. Of IPFIX they stand behind the message.
    for zeros in [1, 3, 64, 1300] {
        for start in [v9(0), ipfix(0)] {
            let mut bench = Bench::new();
            let tail = vec![0; zeros];
            let message = start.template(&template(256, &[(1, 4)])).set(256, &[0, 0, 0, 5]).finish();
            let octets = [message.as_slice(), &tail].concat();
            bench.collector.datagram(NOW, sender(1), &octets, &mut bench.flows).unwrap();
            assert_eq!(bench.bytes(), [5]);
            no_fault(&bench);
        }
    }
}

#[test]
fn palo_alto_sets_end_anywhere() {
    let mut bench = Bench::new();
    let known = template(256, &[(8, 4), (1, 8), (56_701, 3), (56_702, 5)]);
    let record = [&hex!("0a000001 0000000000000064")[..], b"dnsalice"].concat();
    let one_and_a_bit = [record.as_slice(), &[0]].concat();
    bench.send(v9(0).template(&known).set(256, &one_and_a_bit).set(256, &record).set(256, &one_and_a_bit)).unwrap();
    assert_eq!(bench.bytes(), [100; 3]);
    no_fault(&bench);
}

#[test]
fn srx_has_a_scope_of_no_octets_and_counts_in_totals() {
    let mut bench = Bench::new();
    let told = hex!("0200 0004 0008 0001 0000 0022 0004 0023 0001 000000");
    let flows = template(256, &[(8, 4), (85, 4), (86, 4)]);
    // Records of five octets, and three of padding.
    let message = v9(0).set(1, &told).set(512, &hex!("00000064 01 000000")).template(&flows);
    bench.send(message.set(256, &hex!("0a000001 00000100 00000002"))).unwrap();
    assert_eq!(bench.flows[0].counts, Counts { bytes: 256, packets: 2 });
    assert_eq!((bench.flows[0].sampling.rate, bench.stats().options_records), (100, 1));
    no_fault(&bench);
}

#[test]
fn mx_options_tell_boot_and_rate_and_its_direction_is_unknown() {
    let mut bench = Bench::new();
    let told = options(
        512,
        1,
        &[(144, 4), (41, 8), (42, 8), (160, 8), (130, 4), (131, 16), (34, 4), (36, 2), (37, 2), (214, 1), (215, 1)],
    );
    let record = [
        &hex!("00000001 0000000000000001 0000000000000002")[..],
        &(NOW.0 - 50_000).to_be_bytes(),
        &[0; 20],
        &hex!("00000032 003c 003c 0a 11"),
    ]
    .concat();
    let flows = template(256, &[(8, 4), (61, 1), (15, 4), (14, 4), (22, 4), (21, 4), (1, 8)]);
    let message = ipfix(0).template(&told).set(512, &record).template(&flows);
    bench.send(message.set(256, &hex!("0a000001 ff 00000000 00000000 00009c40 0000afc8 0000000000000064"))).unwrap();
    let flow = bench.flows[0];
    assert_eq!((flow.direction, flow.next_hop, flow.out_if), (Direction::Unknown, None, 0));
    assert_eq!((flow.sampling.rate, flow.first, flow.last), (50, NOW.plus(-10_000), NOW.plus(-5000)));
    no_fault(&bench);
}

#[test]
fn fortigate_counts_the_answer_in_23_and_24() {
    let mut bench = Bench::new();
    let known = template(258, &[(8, 4), (12, 4), (1, 8), (23, 8), (2, 4), (24, 4), (10, 2), (14, 2)]);
    let record = hex!("0a000001 cb007105 0000000000000064 00000000000000c8 00000001 00000002 0003 0004");
    bench.send(v9(0).template(&known).data(TemplateId(258), &record)).unwrap();
    let [there, back] = bench.flows[..] else { panic!("{:?}", bench.flows) };
    assert_eq!((there.counts, back.counts), (Counts { bytes: 100, packets: 1 }, Counts { bytes: 200, packets: 2 }));
    assert_eq!((back.key, back.in_if), (there.key.reversed(), 4));
    // A session with no answer is one flow.
    let record = hex!("0a000001 cb007105 0000000000000064 0000000000000000 00000001 00000000 0003 0004");
    bench.send(v9(1).data(TemplateId(258), &record)).unwrap();
    assert_eq!(bench.flows.len(), 3);
}

#[test]
fn h3c_has_variable_lengths_in_v9() {
    let mut bench = Bench::new();
    let known = template(3281, &[(8, 4), (82, VARIABLE), (34, 4), (1, 4)]);
    let message = v9(0).template(&known).set(3281, b"\x0a\0\0\x01\x02ge\0\0\0\x0a\0\0\0\x05");
    bench.send(message.set(3281, b"\x0a\0\0\x01\0\0\0\0\x0a\0\0\0\x06")).unwrap();
    assert_eq!((bench.bytes(), bench.flows[1].sampling.rate), (vec![5, 6], 10));
    no_fault(&bench);
}

#[test]
fn nprobe_has_types_of_its_own_and_padding_of_anything() {
    let mut bench = Bench::new();
    let known = template(257, &[(8, 4), (1, 4), (57_590, 2), (57_591, 7)]);
    let record = hex!("0a000001 00000064 0005 646e732e636f6d");
    let padded = [&record[..], &hex!("beefbe")].concat();
    bench.send(v9(0).template(&known).set(257, &padded).set(257, &padded)).unwrap();
    assert_eq!(bench.bytes(), [100; 2]);
    no_fault(&bench);
}

#[test]
fn nprobe_counts_templates_in_its_sequence() {
    let mut bench = Bench::new();
    let known = template(256, &[(1, 1)]);
    let mut sequence = 0;
    for _ in 0..20 {
        bench.send(ipfix(sequence).template(&known).set(256, &[1, 1])).unwrap();
        sequence += 3;
    }
    assert_eq!(bench.stats().lost, 0);
}

#[test]
fn ixia_sends_strings_of_no_octets_and_seven_of_padding_in_template_sets() {
    let mut bench = Bench::new();
    let mut known = template(256, &[(8, 4), (12, 4), (1, 4)]);
    known.fields.push(vendor(REVERSE, 1, 4));
    known.fields.push(vendor(3054, 110, VARIABLE));
    known.fields.push(vendor(3054, 111, VARIABLE));
    let made = ipfix(0).template(&known).finish();
    let body = [&made[20..], &[0; 7]].concat();
    let record = hex!("0a000001 0a000002 00000064 000000c8 00 03 646e73");
    let bare = hex!("0a000001 0a000002 00000001 00000000 00 00");
    bench.send(ipfix(0).set(2, &body).set(256, &[&record[..], &bare].concat())).unwrap();
    assert_eq!(bench.bytes(), [100, 200, 1]);
    no_fault(&bench);
}

#[test]
fn yaf_has_totals_in_both_directions_and_lists_that_are_skipped() {
    let mut bench = Bench::new();
    let mut known = template(45_841, &[(8, 4), (12, 4), (85, 4), (86, 4)]);
    known.fields.extend([vendor(REVERSE, 85, 4), vendor(REVERSE, 86, 4), vendor(6871, 14, 1)]);
    // A subTemplateMultiList at the end.
    known.fields.extend(iana(&[(293, VARIABLE)]));
    let told = options(53_248, 2, &[(149, 4), (143, 4), (42, 8)]);
    let list = hex!("08 03 c003 0007 010203");
    let record = [&hex!("0a000001 0a000002 00000064 00000001 000000c8 00000002 02")[..], &list].concat();
    let message = ipfix(0).template(&told).set(53_248, &[0; 16]).template(&known);
    bench.send(message.set(45_841, &[record.as_slice(), &record].concat())).unwrap();
    assert_eq!((bench.bytes(), bench.stats().options_records), (vec![100, 200, 100, 200], 1));
    no_fault(&bench);
}

#[test]
fn vmware_fields_of_its_own_stand_between_the_known() {
    let mut bench = Bench::new();
    let mut known = template(257, &[(8, 4), (12, 4), (1, 8)]);
    known.fields.insert(1, vendor(6876, 880, 1));
    known.fields.insert(3, vendor(6876, 888, 2));
    bench.send(ipfix(0).template(&known).set(257, &hex!("0a000001 01 0a000002 0005 0000000000000064"))).unwrap();
    let key = bench.flows[0].key;
    assert_eq!((bench.bytes(), key.dst_ip.to_string()), (vec![100], "10.0.0.2".to_owned()));
}

#[test]
fn nokia_events_have_padding_fields_and_no_counters() {
    let mut bench = Bench::new();
    let mut known = template(286, &[(230, 1), (210, 1), (8, 4), (225, 4), (210, 3), (227, 2), (323, 8)]);
    known.fields.push(vendor(637, 91, 2));
    let record = [&hex!("04 ff 0a000001 cb007105 ffffff 3039")[..], &NOW.0.to_be_bytes(), &[0, 7]].concat();
    bench.send(ipfix(0).template(&known).set(286, &record)).unwrap();
    let flow = bench.flows[0];
    assert_eq!((flow.event, flow.nat_src_port, flow.counts.is_zero()), (4, 12_345, true));
    assert_eq!((flow.time_source, flow.last), (TimeSource::Event, NOW));
}

#[test]
fn asr_sends_rates_in_two_octets_and_what_became_of_packets_in_four() {
    let mut bench = Bench::new();
    let told = options(260, 1, &[(1, 4), (48, 4), (50, 2), (49, 1), (84, 8)]);
    let message = v9(0).template(&told).data(TemplateId(260), b"\0\0\0\x01\0\0\0\x03\x03\xe8\x02sampler1");
    let known = template(261, &[(8, 4), (48, 1), (89, 4), (44_999, 4), (152, 8), (153, 8), (1, 4), (1, 4)]);
    let record = [
        &hex!("0a000001 03 00000040 00000000")[..],
        &(NOW.0 - 9).to_be_bytes(),
        &NOW.0.to_be_bytes(),
        &hex!("00000005 00000006"),
    ]
    .concat();
    bench.send(message.template(&known).set(261, &record)).unwrap();
    let flow = bench.flows[0];
    assert_eq!((flow.sampling.rate, flow.forwarding, flow.counts.bytes), (1000, 0x40, 5));
    assert_eq!((flow.first, flow.time_source), (NOW.plus(-9), TimeSource::Absolute));
    no_fault(&bench);
}

#[test]
fn nbar_names_its_applications_in_unaligned_options() {
    let mut bench = Bench::new();
    let told = options(256, 1, &[(1, 4), (95, 4), (96, 24), (94, 55)]);
    let record = |id: u8, name: &[u8], described: &[u8]| {
        let mut record = vec![0; 87];
        record[7] = id;
        record[4] = 13;
        record[8..8 + name.len()].copy_from_slice(name);
        record[32..32 + described.len()].copy_from_slice(described);
        record
    };
    let records = [record(1, b"dns\x1b[2J", b"Domain Name System"), record(2, b"", b"Secure HTTP"), vec![0; 87]];
    bench.send(v9(0).template(&told).set(256, &records.concat())).unwrap();
    assert_eq!(bench.stats().options_records, 3);
    let names = &bench.collector.health().names[0].names;
    let names: Vec<_> = names.iter().collect();
    let application = NameKind::Application;
    assert_eq!(names, [(application, 0x0d00_0001, "dns[2J"), (application, 0x0d00_0002, "Secure HTTP")]);
    no_fault(&bench);
}

#[test]
fn xr_names_its_vrfs() {
    let mut bench = Bench::new();
    let told = options(256, 1, &[(1, 4), (234, 4), (236, 32)]);
    let record = |id: u8, name: &[u8; 4]| [&[0, 0, 0, 1, 0x60, 0, 0, id], name.as_slice(), &[0; 28]].concat();
    let outward = options(257, 1, &[(1, 4), (235, 4), (236, 4)]);
    let message = v9(0).template(&told).set(256, &[record(1, b"blue"), record(2, b"red\0")].concat());
    bench.send(message.template(&outward).set(257, b"\0\0\0\x01\0\0\0\x07pink")).unwrap();
    let names = &bench.collector.health().names[0].names;
    let name = |id| names.find(NameKind::Vrf, id);
    assert_eq!([name(0x6000_0001), name(0x6000_0002), name(7)], [Some("blue"), Some("red"), Some("pink")]);
    no_fault(&bench);
}

#[test]
fn ios_xe_has_no_rate_for_records_before_its_options() {
    let mut bench = Bench::new();
    let told = options(256, 1, &[(1, 4), (48, 1), (50, 2)]);
    let flows = template(257, &[(48, 1), (1, 1)]);
    let data = |message: Message| message.set(257, &[1, 7]);
    bench.send(data(v9(0).template(&flows))).unwrap();
    bench.send(data(v9(1).template(&told).set(256, &hex!("00000001 01 03e8")))).unwrap();
    assert_eq!(bench.flows[0].sampling, Sampling::default());
    assert_eq!(bench.flows[0].sampling.source, SamplingSource::None);
    assert_eq!((bench.flows[1].sampling.rate, bench.flows[1].sampling.source), (1000, SamplingSource::Options));
}

#[test]
fn ptx_has_two_samplers_of_different_rates() {
    let mut bench = Bench::new();
    let told = options(256, 1, &[(149, 4), (302, 4), (305, 4), (306, 4)]);
    let rates = hex!("00000000 00000001 00000001 00000063 00000000 00000002 00000001 000003e7");
    let (named, unnamed) = (template(257, &[(302, 4), (1, 4)]), template(258, &[(1, 4)]));
    let message = ipfix(0).template(&told).set(256, &rates).template(&named).template(&unnamed);
    let message = message.set(257, &hex!("00000001 00000007 00000002 00000007 00000003 00000007"));
    bench.send(message.set(258, &hex!("00000007"))).unwrap();
    // A record of a sampler that announced nothing, or that names none, has no rate: it might be either.
    let rates: Vec<_> = bench.flows.iter().map(|flow| flow.sampling.rate).collect();
    assert_eq!(rates, [100, 1000, 0, 0]);
    no_fault(&bench);
}

#[test]
fn pensando_has_ports_in_their_protocols_elements() {
    let flow = one(&[(4, 1), (182, 2), (183, 2), (1, 1)], &hex!("06 c000 01bb 07"));
    assert_eq!((flow.key.src_port, flow.key.dst_port), (49_152, 443));
}
