//! Every flow of every capture has the record that it was made of, in the datagram with which it came.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use flowglass::capture::{Capture, Datagram};
use flowglass::collector::{Collector, Limits};
use flowglass::flow::Version;
use flowglass::wire::v5;

use crate::support::package;

#[test]
fn every_flow_of_a_capture_has_its_record() {
    let cases = fs::read_dir(package().join("fixtures")).unwrap().map(|entry| entry.unwrap().path());
    let captures: Vec<_> = cases.map(|case| case.join("capture.pcap")).filter(|path| path.exists()).collect();
    assert!(!captures.is_empty());
    captures.iter().for_each(|path| check(path));
}

fn check(path: &Path) {
    let name = path.display();
    let datagrams: Vec<Datagram> = Capture::open(path).unwrap().map_while(Result::ok).collect();
    let mut collector = Collector::new(Limits::default());
    let mut flows = Vec::new();
    let mut by_time: HashMap<_, Vec<_>> = HashMap::new();
    for datagram in &datagrams {
        collector.datagram(datagram.at, datagram.from, &datagram.payload, &mut flows).unwrap();
        by_time.entry(datagram.at).or_default().push(datagram);
    }
    for flow in &flows {
        let mut held = by_time[&flow.received].iter();
        let found = held.find_map(|datagram| {
            let evidence = collector.evidence(datagram.from, &datagram.payload, flow)?;
            let place = evidence.offset..evidence.offset + evidence.octets.len();
            assert_eq!(datagram.payload[place], *evidence.octets, "{name}");
            Some(evidence)
        });
        let evidence = found.unwrap_or_else(|| panic!("{name}: {flow:?} has no record"));
        let fields = evidence.fields();
        match flow.version {
            Version::V9 | Version::Ipfix => {
                let octets: usize = fields.iter().map(|(_, octets)| octets.len()).sum();
                // Fields of variable length have it before them.
                assert!(0 < octets && octets <= evidence.octets.len(), "{name}: {fields:?}");
            }
            Version::V1 | Version::V5 => assert_eq!((evidence.octets.len(), fields.len()), (v5::RECORD, 0)),
            Version::V7 => assert_eq!(evidence.octets.len(), v5::V7_RECORD),
            Version::Sflow => assert!(fields.is_empty() && 32 < evidence.octets.len(), "{name}"),
        }
    }
}
