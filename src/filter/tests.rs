use proptest::prelude::*;

use super::{DEPTH, Fault, Filter, LIST, Meaning, TESTS, TEXT, expected_at};
use crate::flow::{FlowRecord, ObservationDomainId, Timestamp, Version};

/// A table of names of its own: `https`, `dns`, `l2tp` and `fileserver`.
fn lookup(word: &str) -> Vec<Meaning> {
    match word {
        "https" => vec![Meaning::Port { protocol: 6, port: 443 }],
        "webex" => vec![Meaning::Application(0x0300_0050), Meaning::Application(7), Meaning::Application(u64::MAX)],
        "dns" => [6, 17].map(|protocol| Meaning::Port { protocol, port: 53 }).into(),
        "l2tp" => vec![Meaning::Protocol(115), Meaning::Port { protocol: 17, port: 1701 }],
        "fileserver" => vec![Meaning::Host("10.0.0.9".parse().unwrap()), Meaning::Host("fd00::9".parse().unwrap())],
        _ => Vec::new(),
    }
}

fn parse(text: &str) -> Filter {
    match super::parse(text, &lookup) {
        Ok(filter) => filter,
        Err(error) => panic!("{}", error.render(text)),
    }
}

fn check(text: &str, printed: &str) {
    let filter = parse(text);
    assert_eq!(filter.to_string(), printed, "{text}");
    assert_eq!(parse(printed), filter, "{text}");
}

fn refused(text: &str, message: &str) {
    let error = super::parse(text, &lookup).expect_err(text);
    assert_eq!(error.render(text), message);
}

fn limit(text: &str) -> usize {
    match super::parse(text, &lookup).map_err(|error| error.fault) {
        Err(Fault::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_design_s_example() {
    check(
        "proto tcp and (dst port 443 or port in [80 8080]) and not net 10.0.0.0/8 and bytes > 1m",
        "proto tcp and (dst port 443 or port in [80 8080]) and not net 10.0.0.0/8 and bytes >= 1000001",
    );
}

#[test]
fn and_binds_tighter_than_or_and_not_tightest() {
    check("any and port 1 or port 2 and port 3", "(any and port 1) or (port 2 and port 3)");
    check("not proto tcp and port 80", "not proto tcp and port 80");
    check("! ! port 1 && (port 2 && port 3) || port 4", "(port 1 and port 2 and port 3) or port 4");
    check("not (port 1 or port 2)", "not (port 1 or port 2)");
    check("", "any");
}

#[test]
fn names_side_by_side_are_no_range_of_names() {
    check("version [1 2 4]", "version in [v1 2 4]");
    check("version in [v9 ipfix]", "version in [v9 ipfix]");
    check("version in [4 v5 6 v7 10]", "version in [4-7 ipfix]");
    check("proto [icmp 2]", "proto in [icmp igmp]");
    check("proto in [1-6 17]", "proto in [1-6 udp]");
    check("proto in [58-60]", "proto in [58-60]");
}

#[test]
fn comparisons_in_every_spelling() {
    check("PORT >= 1024 AND src port lt 10", "port >= 1024 and src port <= 9");
    check("dst port != 53", "not dst port 53");
    check("port not in [1 2-5, 4-9]", "not port in [1-9]");
    check("bytes gt 1.5k and bps 2g and duration > 5s", "bytes >= 1501 and bps 2g and duration >= 5001");
    check("src or dst port 80", "port 80");
    check("src and dst port eq 123", "src and dst port 123");
    check("bytes >= 0", "bytes >= 0");
}

#[test]
fn addresses_in_every_spelling() {
    check("host 10.1.2.3", "ip 10.1.2.3");
    check("host 10/8", "net 10.0.0.0/8");
    check("net 10.1.2.3 255.255.0.0", "net 10.1.0.0/16");
    check("src net 192.168", "src net 192.168.0.0/16");
    check("dst 2001:db8::1 or src fe80::/10", "dst ip 2001:db8::1 or src net fe80::/10");
    check("ip in [10.0.0.1, 10.0.0.0/8 ::1]", "ip in [10.0.0.0/8 ::1]");
    check("router ip 192.0.2.1 and next ip 192.0.2.2", "router ip 192.0.2.1 and next ip 192.0.2.2");
    check("xip 1.2.3.4 and src nat port 5 and nat net 1/8", "nip 1.2.3.4 and src nport 5 and nnet 1.0.0.0/8");
    check("inet6 or ipv4", "inet6 or inet");
    check("not ip != fileserver", "ip in [10.0.0.9 fd00::9]");
}

#[test]
fn the_other_fields() {
    check("in if 3 or out if in [1-4] or if 9", "in if 3 or out if in [1-4] or if 9");
    check(
        "src mac 0:1b:21:3c:4d:5e and out dst mac 00:00:00:00:00:00",
        "src mac 00:1b:21:3c:4d:5e and dst mac 00:00:00:00:00:00",
    );
    check("proto 6 or proto 115 or protocol l2tp", "proto tcp or proto 115 or proto 115");
    check("source id 7 and observation domain id 8 and ingress vrf 9", "domain 7 and domain 8 and vrf 9");
    check("version ipfix and dir ingress and sampled", "version ipfix and dir ingress and sampling >= 2");
    check("mpls label1 > 3 and nat event 1 and dscp 46", "mpls >= 4 and event 1 and dscp 46");
    check("in bytes > 1k and as 64512", "bytes >= 1001 and as 64512");
    check("app webex or application 0x10", "application in [7 50331728] or application 16");
    check("application in [1-3 webex]", "application in [1-3 7 50331728]");
    check("version v9 or version sflow", "version v9 or version sflow");
}

#[test]
fn flags_are_all_of_them_and_none_of_them_after_not() {
    let mut flow = FlowRecord::blank(Timestamp(0), [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9);
    flow.key.protocol = 6;
    for (flags, text, expected) in [
        (0x02, "flags S and not flags AFRPU", true),
        (0x12, "flags S and not flags AFRPU", false),
        (0x12, "flags AS", true),
        (0x02, "flags AS", false),
        (0x02, "flags any AS", true),
        (0x12, "flags = S", false),
        (0x02, "not flags all SA", true),
        (0x3f, "flags x", true),
    ] {
        flow.tcp_flags = flags;
        assert_eq!(parse(text).matches(&flow), expected, "{flags:#x} {text}");
    }
    flow.key.protocol = 17;
    assert!(!parse("flags 0").matches(&flow), "only TCP has flags");
    check("not flags SA or not flags all SA or flags any SA", "not flags SA or not flags all SA or flags any SA");
    check("flags X and flags 0x400 and flags any S", "flags SAFRPU and flags 1024 and flags S");
}

#[test]
fn a_bare_word_is_what_it_means() {
    check("10.0.0.1", "ip 10.0.0.1");
    check("10/8", "net 10.0.0.0/8");
    check("udp", "proto udp");
    check("https", "proto tcp and port 443");
    check("not dns", "not (proto in [tcp udp] and port 53)");
    check("l2tp", "proto 115 or (proto udp and port 1701)");
    check("fileserver", "ip in [10.0.0.9 fd00::9]");
    check("port https", "port 443");
    check("not tcp dst port 443", "not (proto tcp and dst port 443)");
}

#[test]
fn an_error_points_at_its_place() {
    refused(
        "prot tcp",
        "prot tcp\n^^^^\nfound `prot`, expected a test such as `port 443`, an address or a name\nhint: did you mean `port`?",
    );
    refused("webex", "webex\n^^^^^\nfound `webex`, expected a test such as `port 443`, an address or a name");
    refused(
        "application webx",
        "application webx\n            ^^^^\nfound `webx`, expected an application's id or an application's name",
    );
    refused("port 70000", "port 70000\n     ^^^^^\nno such value: `port` is from 0 to 65535");
    refused("port < 0", "port < 0\n       ^\nno such value: `port` is from 0 to 65535");
    refused("(port 1", "(port 1\n       ^\nfilter ends, expected `and`, `or` or `)`");
    refused(
        "port 80 443",
        "port 80 443\n        ^^^\nfound `443`, expected `and` or `or`\nhint: several values stand in brackets: `port in [80 443]`",
    );
    refused(
        "port 80 or 443",
        "port 80 or 443\n           ^^^\nfound `443`, expected a test such as `port 443`, an address or a name\n\
         hint: a number alone is no test: `port 443`, `proto 443` or `as 443`",
    );
    refused(
        "net 10.0.0.0 255.0.255.0",
        "net 10.0.0.0 255.0.255.0\n             ^^^^^^^^^^^\nfound `255.0.255.0`, expected a netmask such as `255.0.0.0`",
    );
    refused("bytes > 1x\u{1b}[", "bytes > 1x\u{fffd}[\n          ^\nfound `\u{fffd}`, expected a test or an operator");
}

#[test]
fn limits_are_errors() {
    assert_eq!(limit(&"(".repeat(DEPTH + 1)), DEPTH);
    assert_eq!(limit(&"!".repeat(TEXT)), DEPTH);
    parse(&format!("{}any{}", "(".repeat(DEPTH), ")".repeat(DEPTH)));
    assert_eq!(limit(&" ".repeat(TEXT + 1)), TEXT);
    assert_eq!(limit(&format!("port in [{}]", "1 ".repeat(LIST + 1))), LIST);
    parse(&format!("port in [{}]", "1 ".repeat(LIST)));
    assert_eq!(limit(&["any"; TESTS + 1].join(" or ")), TESTS);
    parse(&["any"; TESTS].join(" or "));
    let short: Vec<_> = (1..=200).map(|n| format!("{n}/32 0.{n}/32")).collect();
    assert_eq!(limit(&format!("ip in [{0}] or ip in [{0}]", short.join(" ")).replace("0.", "9.")), TEXT);
}

#[test]
fn what_may_stand_here() {
    assert_eq!(expected_at("por", 3), ["port"]);
    assert_eq!(expected_at("port 80 ", 8), ["and", "or"]);
    assert_eq!(expected_at("port 80 a", 9), ["and"]);
    assert!(expected_at("port 80 and ", 12).contains(&"proto"));
    assert_eq!(expected_at("dir in", 6), ["ingress"]);
    assert!(expected_at("src p", 5).contains(&"port"));
    assert!(expected_at("§", 1).is_empty());
}

/// Words that are often a filter together.
fn likely_text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "port",
        "80",
        "443-500",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        "in",
        "src",
        "dst",
        "ip",
        "net",
        "10/8",
        "::1",
        "fe80::/10",
        "<",
        ">=",
        "!=",
        "flags",
        "SA",
        "any",
        "all",
        "proto",
        "tcp",
        "bytes",
        "1.5k",
        "dns",
        "mac",
        "if",
        "0:1:2:3:4:5",
        "255.0.0.0",
        "router",
        "nat",
        "next",
        "l2tp",
        "https",
        "=",
        "0x10",
        "inet",
        "version",
        "v9",
    ]);
    proptest::collection::vec(words, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn printed_text_is_the_same_filter(text in prop_oneof![likely_text(), ".{0,40}"]) {
        match super::parse(&text, &lookup) {
            Ok(filter) => prop_assert_eq!(super::parse(&filter.to_string(), &|_| Vec::new()).unwrap(), filter),
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                prop_assert!(!error.render(&text).chars().any(|c| c.is_control() && c != '\n'));
            }
        }
        expected_at(&text, text.len() / 2);
    }
}
