use hex_literal::hex;

use super::*;
use crate::collector::Limits;
use crate::collector::options::names::NAME_OCTETS;
use crate::collector::options::rates::Scope;
use crate::collector::room::{Pools, Room};
use crate::flow::{FlowRecord, ObservationDomainId, SamplingKind, SamplingSource, Version};
use crate::wire::template::{FieldSpecifier, TemplateId};

fn options(scopes: usize, fields: &[(u16, u16)]) -> Template {
    let field = |&(id, length): &(u16, u16)| FieldSpecifier { element: ElementId::Iana(id), length };
    Template { id: TemplateId(256), scopes, fields: fields.iter().map(field).collect() }
}

fn announced(rate: u32) -> Sampling {
    Sampling { rate, kind: SamplingKind::Packet, source: SamplingSource::Options }
}

fn blank() -> FlowRecord {
    FlowRecord::blank(Timestamp(0), [192, 0, 2, 1].into(), ObservationDomainId(0), Version::Ipfix)
}

/// Room for everything; what it is made of stays until the test ends.
fn room() -> Account<'static> {
    let (pools, held) = (Box::leak(Box::new(Pools::new(&Limits::default()))), Box::leak(Box::default()));
    Box::leak(Box::new(Room { pools, held })).facts()
}

#[test]
fn the_longest_prefix_of_an_override_wins() {
    let prefix = |text: &str| text.parse().unwrap();
    let overrides = Overrides::new([
        (prefix("192.0.2.0/24"), 512),
        (prefix("0.0.0.0/0"), 1000),
        (prefix("192.0.2.7/32"), 5),
        (prefix("2001:db8::/32"), 64),
        (prefix("192.0.2.7/32"), 7),
    ]);
    let rate = |exporter: &str| overrides.sampling(exporter.parse().unwrap()).map(|sampling| sampling.rate);
    assert_eq!([rate("192.0.2.7"), rate("192.0.2.8"), rate("10.0.0.1")], [Some(7), Some(512), Some(1000)]);
    assert_eq!([rate("2001:db8::1"), rate("2001:db9::1")], [Some(64), None]);
    let sampling = overrides.sampling([10, 0, 0, 1].into()).unwrap();
    assert_eq!((sampling.kind, sampling.source), (SamplingKind::Packet, SamplingSource::Operator));
}

/// Takes the winner away, again and again: the next one of the list in `rates` wins.
#[test]
fn rates_win_in_the_order_that_is_written_down() {
    let scopes = [
        Scope::Sampler(1),
        Scope::Template(300),
        Scope::Interface(3),
        Scope::MeteringProcess(5),
        Scope::ExportingProcess(6),
        Scope::Domain,
    ];
    let named = || Named { sampler: Some(1), metering: Some(5), exporting: Some(6) };
    let flow = FlowRecord { in_if: 3, out_if: 4, ..blank() };
    for first in 0..scopes.len() {
        let mut rates = Rates::default();
        for (at, scope) in scopes.into_iter().enumerate().skip(first).rev() {
            rates.learn(scope, announced(10 + u32::try_from(at).unwrap()));
        }
        // Of those named, a process is said last; the domain must have its own rate for this.
        rates.learn(Scope::Domain, announced(15));
        let sampling = rates.of_set(300).of(&flow, named);
        assert_eq!(sampling.rate, 10 + u32::try_from(first).unwrap(), "{:?}", scopes[first]);
    }
    assert_eq!(Rates::default().of_set(300).of(&flow, named), Sampling::default());
}

#[test]
fn a_record_has_the_rate_of_the_interface_where_it_was_seen() {
    let mut rates = Rates::default();
    rates.learn(Scope::Domain, announced(9));
    rates.learn(Scope::Interface(3), announced(30));
    rates.learn(Scope::Interface(4), announced(40));
    let rate = |direction, in_if, out_if| {
        let flow = FlowRecord { direction, in_if, out_if, ..blank() };
        rates.of_set(300).of(&flow, Named::default).rate
    };
    use crate::flow::Direction::{Egress, Ingress, Unknown};
    assert_eq!([rate(Ingress, 3, 4), rate(Egress, 3, 4), rate(Unknown, 3, 4)], [30, 40, 30]);
    assert_eq!([rate(Unknown, 7, 4), rate(Ingress, 7, 4), rate(Unknown, 0, 0)], [40, 9, 9]);
}

#[test]
fn samplers_that_agree_are_the_rate_of_the_domain() {
    let mut rates = Rates::default();
    rates.learn(Scope::Sampler(1), announced(100));
    rates.learn(Scope::Sampler(2), announced(100));
    assert_eq!(rates.of_domain().rate, 100);
    rates.learn(Scope::Sampler(2), announced(1000));
    assert_eq!(rates.of_domain(), Sampling::default());
    rates.learn(Scope::Sampler(1), announced(1000));
    assert_eq!(rates.of_domain().rate, 1000);
}

#[test]
fn rates_are_bounded_and_those_beyond_hold_for_the_domain() {
    let mut facts = ExporterFacts::default();
    let told = options(1, &[(10, 4), (34, 4)]);
    for index in 1..=u32::try_from(FACTS).unwrap() + 2 {
        facts.learn(&told, &[&index.to_be_bytes(), &hex!("00000064")], &mut room());
    }
    assert_eq!((facts.refused, facts.sampling().rate), (2, 100));
    // One that is known changes all the same.
    facts.learn(&told, &[&hex!("00000001"), &hex!("00000007")], &mut room());
    let flow = FlowRecord { in_if: 1, ..blank() };
    assert_eq!((facts.refused, facts.rates.of_set(300).of(&flow, Named::default).rate), (2, 7));
}

#[test]
fn nonsense_rates_are_refused_in_every_scope() {
    for scope in [10, 14, 143, 144, 145, 149, 302] {
        let mut facts = ExporterFacts::default();
        for rate in [hex!("00000000"), hex!("01000000"), hex!("ffffffff")] {
            facts.learn(&options(1, &[(scope, 4), (34, 4)]), &[&hex!("00000001"), &rate], &mut room());
        }
        assert_eq!(facts, ExporterFacts::default(), "scope {scope}");
    }
}

#[test]
fn numbers_of_a_template_or_an_interface_are_not_those_of_the_exporter() {
    let mut facts = ExporterFacts::default();
    for scope in [145, 10] {
        facts.learn(&options(1, &[(scope, 4), (41, 4)]), &[&hex!("00000100"), &hex!("00000007")], &mut room());
    }
    assert_eq!(facts.said, Said::default());
    facts.learn(&options(1, &[(149, 4), (41, 4)]), &[&hex!("00000001"), &hex!("00000009")], &mut room());
    facts.learn(&options(1, &[(149, 4), (166, 4)]), &[&hex!("00000001"), &hex!("00000000")], &mut room());
    let said = Said { exported_messages: Some(9), not_sent_flows: Some(0), ..Default::default() };
    assert_eq!(facts.said, said);
}

#[test]
fn names_are_bounded_in_number_and_length_and_are_not_copied_in_vain() {
    let mut facts = ExporterFacts::default();
    let told = options(1, &[(234, 4), (236, 300)]);
    let long = [b'x'; 300];
    facts.learn(&told, &[&hex!("00000001"), &long], &mut room());
    assert_eq!(facts.names.find(NameKind::Vrf, 1).map(str::len), Some(NAME_OCTETS));
    let shared = Arc::clone(&facts.names);
    facts.learn(&told, &[&hex!("00000001"), &long], &mut room());
    assert!(Arc::ptr_eq(&shared, &facts.names), "nothing is new");
    for index in 1..=u32::try_from(FACTS).unwrap() {
        facts.learn_name(index, b"e0", &mut room());
    }
    // The VRF has one of the places.
    assert_eq!((facts.names.len(), facts.refused), (FACTS, 1));
    facts.learn_name(1, b"e1", &mut room());
    assert_eq!((facts.names.find(NameKind::Interface, 1), facts.refused), (Some("e1"), 1));
    assert_eq!(shared.len(), 1);
}

#[test]
fn unknown_elements_are_bounded() {
    let mut facts = ExporterFacts::default();
    let field = |id: u16| FieldSpecifier { element: ElementId::Vendor { pen: 99_999, id }, length: 4 };
    let fields = (0..u16::try_from(UNKNOWN).unwrap() + 3).map(field).collect();
    let template = Template { id: TemplateId(256), scopes: 0, fields };
    facts.note_unknown(&template, &mut room());
    assert_eq!((facts.unknown.len(), facts.refused), (UNKNOWN, 3));
}
