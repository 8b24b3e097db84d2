//! What a filter asks of those who report: for most files there are few, so that it can be tried with each of them.
//!
//! A filter that all of them meet is none of exporters, and one that only one of them can meet is answered from what
//! roll-ups know of conversations by exporter. It reads nothing.

use crate::filter::Filter;
use crate::flow::{FlowRecord, Timestamp};
use crate::store::accounts::Identity;
use crate::store::ask::NOBODY;
use crate::store::ask::plan::EXPORTER;
use crate::store::scan;

/// Exporters with which a filter is tried.
const TRIED: usize = 1024;

/// The filter without what it asks of exporters, when it asks the same of all of them.
pub(super) fn reduced(filter: &Filter, exporters: &[(i64, Identity)]) -> Filter {
    let is_asked = scan::fields(filter).iter().any(|field| EXPORTER.contains(field));
    if !is_asked || TRIED < exporters.len() {
        return filter.clone();
    }
    let mut rests = exporters.iter().map(|(_, identity)| rest(filter, identity));
    match rests.next().flatten() {
        Some(first) if rests.all(|rest| rest.as_ref() == Some(&first)) => first,
        _ => filter.clone(),
    }
}

/// What is asked besides of the only exporter whose flows can match; `None` when several can, or none.
pub(super) fn only(filter: &Filter, exporters: &[(i64, Identity)]) -> Option<Filter> {
    if TRIED < exporters.len() {
        return None;
    }
    let mut rests = exporters.iter().filter_map(|(_, identity)| rest(filter, identity));
    let first = rests.next()?;
    rests.next().is_none().then_some(first)
}

/// What is asked of the flows of one exporter besides; `None` when none of them can match.
fn rest(filter: &Filter, (address, domain, version): &Identity) -> Option<Filter> {
    let flow = FlowRecord { exporter: *address, ..FlowRecord::blank(Timestamp(0), NOBODY, *domain, *version) };
    filter.given(&|test| EXPORTER.contains(&scan::field(test)).then(|| Filter::from(test.clone()).matches(&flow)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter;
    use crate::flow::{ObservationDomainId, Version};

    fn filter(text: &str) -> Filter {
        filter::parse(text, &|_| Vec::new()).unwrap()
    }

    #[test]
    fn exporters_are_taken_out_of_a_filter() {
        let exporter = |last: u8| {
            let address = std::net::IpAddr::from([192, 0, 2, last]);
            (i64::from(last), (address, ObservationDomainId(0), Version::Ipfix))
        };
        let two = [exporter(1), exporter(2)];
        for (text, all, one) in [
            ("router ip 192.0.2.1", "router ip 192.0.2.1", Some("any")),
            ("router ip in [192.0.2.1 192.0.2.2] and port 53", "port 53", None),
            ("router ip 192.0.2.1 and port 53", "router ip 192.0.2.1 and port 53", Some("port 53")),
            ("not router ip 192.0.2.1 and ip 10.0.0.1", "not router ip 192.0.2.1 and ip 10.0.0.1", Some("ip 10.0.0.1")),
            ("router ip 192.0.2.1 or port 53", "router ip 192.0.2.1 or port 53", None),
            ("router ip 192.0.2.9", "router ip 192.0.2.9", None),
            ("port 53", "port 53", None),
        ] {
            let asked = filter(text);
            assert_eq!(reduced(&asked, &two).to_string(), filter(all).to_string(), "{text}");
            assert_eq!(only(&asked, &two).map(|rest| rest.to_string()).as_deref(), one, "{text}");
        }
        // Of one exporter, everything is of it.
        assert!(reduced(&filter("router ip 192.0.2.1"), &two[..1]).is_all());
    }
}
