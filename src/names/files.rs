//! Files of names in the shape of `/etc/hosts` and `/etc/services`: text to pairs.
//!
//! It opens nothing. A line that cannot be read is skipped in the system's files, which are not the person's to mend
//! here, and an error in a file that was given on purpose.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::names::text;

/// Names of one file; more are an error, since the file is then no list of names that somebody wrote.
pub(super) const ENTRIES: usize = 1_000_000;

/// Why a line of a file of names cannot be read, and which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// Puts the lines of a file like `/etc/hosts` into `names`: an address and its name; further names of a line are others
/// for the same host, of which the first is shown. Gives back the first line that could not be read.
pub(super) fn hosts(text: &str, names: &mut HashMap<IpAddr, Arc<str>>) -> Option<BadLine> {
    let mut bad = None;
    for (number, line) in lines(text) {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        let problem = match (first.split('%').next().unwrap_or(first).parse(), words.next().map(text::safe)) {
            (Err(_), _) => format!("`{first}` is no address"),
            (Ok(_), None) => format!("`{first}` has no name"),
            (Ok(_), Some(None)) => format!("the name of `{first}` has no letter that can be shown"),
            (Ok(_), Some(Some(_))) if ENTRIES <= names.len() => format!("more than {ENTRIES} names"),
            (Ok(address), Some(Some(name))) => {
                // The first line wins, as for the system's resolver.
                names.entry(address).or_insert(name);
                continue;
            }
        };
        bad.get_or_insert(BadLine { line: number, problem });
    }
    bad
}

/// Puts the lines of a file like `/etc/services` into `services`: `https 443/tcp`.
pub(super) fn services(text: &str, services: &mut HashMap<(u8, u16), Arc<str>>) {
    for (_, line) in lines(text) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(port)) = (words.next().and_then(text::safe), words.next()) else { continue };
        let Some((port, protocol)) = port.split_once('/') else { continue };
        let protocol = match protocol {
            "tcp" => 6,
            "udp" => 17,
            "dccp" => 33,
            "sctp" => 132,
            _ => continue,
        };
        if let Ok(port) = port.parse() {
            services.entry((protocol, port)).or_insert(name);
        }
    }
}

/// Numbered from 1, without comments and blank lines.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let line = line.split('#').next().unwrap_or("").trim();
        (!line.is_empty()).then_some((number, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts_of(text: &str) -> (HashMap<IpAddr, Arc<str>>, Option<BadLine>) {
        let mut names = HashMap::new();
        let bad = hosts(text, &mut names);
        (names, bad)
    }

    #[test]
    fn hosts_have_the_first_name_of_the_first_line() {
        let (names, bad) = hosts_of(
            "# mine\n127.0.0.1 localhost\n\n192.168.1.2\tnas.lan nas # the box\n192.168.1.2 other\nfe80::1%eth0 router\n",
        );
        assert_eq!(bad, None);
        let name = |address: &str| names.get(&address.parse().unwrap()).map(|name| &**name);
        assert_eq!(name("192.168.1.2"), Some("nas.lan"));
        assert_eq!(name("fe80::1"), Some("router"));
        assert_eq!(name("192.168.1.3"), None);
    }

    #[test]
    fn a_bad_line_is_told_and_costs_no_other() {
        for (text, problem) in [
            ("10.0.0.1 a\nnas 10.0.0.2\n10.0.0.3 c", "`nas` is no address"),
            ("10.0.0.1 a\n10.0.0.2\n10.0.0.3 c", "`10.0.0.2` has no name"),
            ("10.0.0.1 a\n10.0.0.2 \u{7}\n10.0.0.3 c", "the name of `10.0.0.2` has no letter that can be shown"),
        ] {
            let (names, bad) = hosts_of(text);
            assert_eq!(bad, Some(BadLine { line: 2, problem: problem.to_owned() }));
            assert_eq!(names.len(), 2);
        }
    }

    #[test]
    fn services_are_read_by_protocol() {
        let mut found = HashMap::new();
        services("# x\nhttps 443/tcp\nquic\t443/udp # alias\nbad\nworse 70000/tcp\nodd 5/xyz\n", &mut found);
        assert_eq!(found.len(), 2);
        assert_eq!(found.get(&(17, 443)).map(|name| &**name), Some("quic"));
    }
}
