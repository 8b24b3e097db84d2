//! What the dearest datagrams cost that somebody could think of, beside an honest one: CPU time and flow records per
//! octet sent.
//!
//! ```sh
//! cargo bench --bench worst
//! ```

#[path = "support/clock.rs"]
mod clock;
#[path = "support/common.rs"]
mod support;

use std::hint::black_box;

use flowglass::collector::{Collector, Limits};
use flowglass::flow::Timestamp;
use flowglass::ie::ElementId;
use flowglass::wire::emit::Message;
use flowglass::wire::ipfix;
use flowglass::wire::template::{FieldSpecifier, Template, VARIABLE};

use crate::clock::spent;
use crate::support::{FIELDS, peak, say, template};

/// Octets sent in each case.
const OCTETS: usize = 100_000_000;
/// Octets of a datagram on an Ethernet.
const SIZE: usize = 1400;
/// Octets of the longest message.
const LONGEST: usize = 65_000;

fn main() {
    let zeros = [&[(8, 0); 1000][..], &[(95, VARIABLE)]].concat();
    let empty_options = [&[(10, 0); 1000][..], &[(34, 1)]].concat();
    let data = |template: Template, size: usize| {
        let octets = message().set(256, &vec![1; size]).finish();
        (message().template(&template).finish(), move |_| octets.clone())
    };
    let case = |name: &str, (told, make): (Vec<u8>, &dyn Fn(u32) -> Vec<u8>)| measure(name, &told, make);
    let (told, make) = data(template(256, 0, FIELDS), SIZE - 20);
    case("an honest router", (told, &make));
    let (told, make) = data(template(256, 0, &[(1, 1)]), SIZE - 20);
    case("records of one octet", (told, &make));
    let (told, make) = data(template(256, 0, &[(1, 1)]), LONGEST);
    case("records of one octet, longest", (told, &make));
    let (told, make) = data(template(256, 0, &[(1, VARIABLE), (95, VARIABLE)]), SIZE - 20);
    case("records of two variable fields", (told, &make));
    let (told, make) = data(template(256, 0, &zeros), LONGEST);
    case("1,000 fields of no octets", (told, &make));
    let (told, make) = data(template(256, 1, &empty_options), LONGEST);
    case("1,000 empty fields of options", (told, &make));
    case("templates of 1,024 fields, changing", (Vec::new(), &|number| templates(number, 1024, LONGEST)));
    case("templates of one field, changing", (Vec::new(), &|number| templates(number, 1, SIZE)));
    case("sets of no octets that wait", (Vec::new(), &|number| sets(number, 0, SIZE)));
    case("sets that wait, then their template", (Vec::new(), &wait_and_learn));
    case("a new domain each", (Vec::new(), &|number| of_domain(number).template(&template(256, 0, FIELDS)).finish()));
    case("a new name each", (message().template(&template(256, 1, &[(10, 4), (82, 4)])).finish(), &names));
    say(&format!("peak {} MiB, bound {} MiB", peak("self"), Limits::default().octets() >> 20));
}

fn measure(name: &str, told: &[u8], make: &dyn Fn(u32) -> Vec<u8>) {
    let mut collector = Collector::new(Limits::default());
    let from = ([192, 0, 2, 1], 2055).into();
    let mut flows = Vec::new();
    let _ = collector.datagram(Timestamp(0), from, told, &mut flows);
    let lot: Vec<_> = (0..1000).map(make).collect();
    let (mut octets, mut datagrams, mut made) = (0, 0_usize, 0);
    let begin = spent();
    while octets < OCTETS {
        let payload = &lot[datagrams % lot.len()];
        flows.clear();
        let _ = black_box(collector.datagram(
            Timestamp(i64::try_from(datagrams / 100).unwrap_or(0)),
            from,
            payload,
            &mut flows,
        ));
        (octets, datagrams, made) = (octets + payload.len(), datagrams + 1, made + flows.len());
    }
    let took = (spent() - begin).as_nanos() as f64;
    say(&format!(
        "{name:36} {:7.2} ns and {:.3} flows per octet, {:9.2} µs per datagram of {}",
        took / octets as f64,
        made as f64 / octets as f64,
        took / 1000.0 / datagrams as f64,
        octets / datagrams,
    ));
}

fn message() -> Message {
    of_domain(0)
}

fn of_domain(domain: u32) -> Message {
    Message::ipfix(ipfix::Header { domain, ..Default::default() })
}

/// As many templates as fit, each with other fields than the last time.
fn templates(number: u32, fields: u16, size: usize) -> Vec<u8> {
    let field = |id: u16| FieldSpecifier {
        element: ElementId::Iana((id.wrapping_add(small(number))) % 512),
        length: 1 + small(number % 7),
    };
    let mut message = message();
    let mut id = 256;
    while message.length() + usize::from(fields) * 4 + 16 < size {
        let fields = (0..fields).map(field).collect();
        message = message.template(&Template { scopes: 0, fields, ..template(id, 0, &[]) });
        id += 1;
    }
    message.finish()
}

fn sets(number: u32, octets: usize, size: usize) -> Vec<u8> {
    let id = 300 + small(number % 1000);
    (0..(size - 16) / (4 + octets)).fold(message(), |message, _| message.set(id, &vec![1; octets])).finish()
}

/// Three times data, then the template, which another datagram in between has redefined for the rest.
fn wait_and_learn(number: u32) -> Vec<u8> {
    let (domain, step) = (number / 4, number % 4);
    match step {
        3 => of_domain(domain).template(&template(256, 0, &[(1, 1)])).finish(),
        _ => of_domain(domain).set(256, &[1; SIZE]).finish(),
    }
}

fn names(number: u32) -> Vec<u8> {
    let records: Vec<u8> =
        (0..170).flat_map(|n| [number * 170 + n, 0x6162_6364].map(u32::to_be_bytes)).flatten().collect();
    message().set(256, &records).finish()
}

fn small(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
