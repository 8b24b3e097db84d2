//! Any text as a filter. What is read prints as a text that reads the same, and what is refused says where.

#![no_main]

use std::net::Ipv4Addr;

use flowglass::filter;
use flowglass::flow::{FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match filter::parse(text, &names::meanings) {
        Ok(read) => {
            assert_eq!(filter::parse(&read.to_string(), &|_| Vec::new()).as_ref(), Ok(&read));
            let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
            let mut flow = FlowRecord::blank(Timestamp(0), exporter, ObservationDomainId(0), Version::Ipfix);
            let chosen = read.matches(&flow);
            assert_ne!(chosen, read.clone().negated().matches(&flow));
            flow.last = Timestamp(i64::MAX);
            (flow.counts.bytes, flow.counts.packets) = (u64::MAX, 1);
            read.matches(&flow);
        }
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some());
            assert!(!error.render(text).is_empty());
        }
    }
    filter::expected_at(text, text.len() / 2);
});
