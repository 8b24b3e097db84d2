//! What `/proc` says: who has which UDP port, who holds which lock, and what the kernel counts.
//!
//! All of it is text that the kernel wrote. What is missing or looks different is not known, and no error.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::doctor::{Kernel, Listener};
use crate::store;

/// The octet of the write-ahead log's index that its writer locks (sqlite.org/walformat.html).
const WRITE_LOCK: u64 = 120;

/// The UDP sockets on some ports; one that `own` has open with others is its own.
pub(super) fn listeners(ports: &[u16], own: Option<u32>) -> Vec<Listener> {
    let read = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let sockets: Vec<_> = sockets(&read("udp")).chain(sockets(&read("udp6"))).collect();
    let wanted = sockets.into_iter().filter(|(address, _)| ports.contains(&address.port()));
    wanted
        .map(|(address, inode)| Listener { address, process: owner(inode, own).map(|pid| (pid, name(pid))) })
        .collect()
}

/// Local address and inode of each line of `/proc/net/udp` or `udp6`.
fn sockets(table: &str) -> impl Iterator<Item = (SocketAddr, u64)> {
    table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (address, port) = columns.nth(1)?.split_once(':')?;
        let inode = columns.nth(7)?.parse().ok()?;
        Some((SocketAddr::new(address_of(address)?, u16::from_str_radix(port, 16).ok()?), inode))
    })
}

/// The kernel writes words of four octets as numbers of this host.
fn address_of(hex: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = hex
        .as_bytes()
        .chunks(8)
        .map(|word| Some(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    let octets = words.concat();
    let address = <[u8; 4]>::try_from(octets.as_slice()).map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
    let long = || <[u8; 16]>::try_from(octets.as_slice()).map(|octets| IpAddr::from(Ipv6Addr::from(octets)));
    address.or_else(|_| long()).ok().map(|address| address.to_canonical())
}

/// The process that has a socket open, as far as this one may look. Others may have it open as well: the service manager
/// that made it, and what it has just forked. The manager is named only when there is no other.
fn owner(inode: u64, own: Option<u32>) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    };
    let order = |pid: &u32| (Some(*pid) != own, *pid == 1, *pid);
    numbers.filter(has).min_by_key(order)
}

/// What a process is called.
pub(super) fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim_end() {
        "" => "a program".to_owned(),
        name => name.to_owned(),
    }
}

/// The process that collects into a database: the one that holds the lock beside it.
pub(super) fn holder(file: &Path) -> Option<u32> {
    locks(&store::lock_name(file)).into_iter().find(|lock| lock.kind == "FLOCK").map(|lock| lock.pid)
}

/// The process that holds SQLite's write lock on a database at this moment.
pub(super) fn write_lock(file: &Path) -> Option<u32> {
    let writes = |lock: &Lock| lock.is_write && (lock.from..=lock.to).contains(&WRITE_LOCK);
    locks(&store::log_index(file)).into_iter().find(writes).map(|lock| lock.pid)
}

/// A line of `/proc/locks`.
#[derive(Debug)]
struct Lock {
    kind: String,
    is_write: bool,
    pid: u32,
    from: u64,
    to: u64,
}

/// The locks on a file.
fn locks(file: &Path) -> Vec<Lock> {
    let Ok(metadata) = fs::metadata(file) else { return Vec::new() };
    let device = metadata.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let wanted = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let table = fs::read_to_string("/proc/locks").unwrap_or_default();
    table.lines().filter_map(|line| lock(line, &wanted)).collect()
}

/// `1: POSIX  ADVISORY  WRITE 123 08:01:456 120 120`; one that waits has `->` behind its number.
fn lock(line: &str, wanted: &str) -> Option<Lock> {
    let columns: Vec<_> = line.split_whitespace().skip(1).collect();
    let [kind, _, access, pid, file, from, to] = columns.as_slice() else { return None };
    (*file == wanted).then_some(())?;
    let to = if *to == "EOF" { u64::MAX } else { to.parse().ok()? };
    let (kind, is_write) = ((*kind).to_owned(), *access == "WRITE");
    Some(Lock { kind, is_write, pid: pid.parse().ok()?, from: from.parse().ok()?, to })
}

/// What the kernel has counted since it began, and what it is set to.
pub(super) fn counters() -> Kernel {
    let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
    let number = |name: &str| read(name).trim().parse::<u64>().ok();
    let filters = fs::read_dir("/proc/sys/net/ipv4/conf").into_iter().flatten().flatten();
    let strict = |path: &Path| number(&path.join("rp_filter").to_string_lossy()) == Some(1);
    Kernel {
        no_port: counter(&read("/proc/net/snmp"), "Udp:", "NoPorts"),
        reverse_path: counter(&read("/proc/net/netstat"), "TcpExt:", "IPReversePathFilter"),
        is_reverse_path_strict: filters.into_iter().any(|entry| strict(&entry.path())),
        rmem_max: number("/proc/sys/net/core/rmem_max"),
    }
}

/// A table of two lines: names, and numbers below them.
fn counter(table: &str, prefix: &str, name: &str) -> u64 {
    let mut lines = table.lines().filter(|line| line.starts_with(prefix));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return 0 };
    let at = names.split_whitespace().position(|column| column == name);
    at.and_then(|at| numbers.split_whitespace().nth(at)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_sockets_are_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             44: 0100007F:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000 9\n\
             45: nonsense\n\
             46: 00000000000000000000000000000000:1282 0:0 07 0:0 0:0 0 0 0 77 2 0 0\n";
        let found: Vec<_> = sockets(table).collect();
        assert_eq!(found, [("127.0.0.1:2055".parse().unwrap(), 12_345), ("[::]:4738".parse().unwrap(), 77)]);
        assert_eq!(address_of("0000000000000000FFFF00000100007F"), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!([address_of("xx"), address_of(""), address_of("0100007F0100007F")], [None, None, None]);
    }

    #[test]
    fn locks_are_read() {
        let line = "3: POSIX  ADVISORY  WRITE 4711 fe:01:99 120 120 ";
        let found = lock(line, "fe:01:99").unwrap();
        assert_eq!(
            (found.kind.as_str(), found.is_write, found.pid, found.from, found.to),
            ("POSIX", true, 4711, 120, 120)
        );
        assert_eq!(lock("1: FLOCK  ADVISORY  WRITE 1 fe:01:99 0 EOF", "fe:01:99").unwrap().to, u64::MAX);
        assert!(lock(line, "fe:01:9").is_none());
        assert!(lock("3: -> POSIX  ADVISORY  WRITE 4711 fe:01:99 120 120", "fe:01:99").is_none());
    }

    #[test]
    fn counters_stand_below_their_names() {
        let table = "Udp: InDatagrams NoPorts\nUdp: 5 7\nUdpLite: InDatagrams NoPorts\nUdpLite: 1 2\n";
        assert_eq!(counter(table, "Udp:", "NoPorts"), 7);
        assert_eq!(counter(table, "Udp:", "Nothing"), 0);
        assert_eq!(counter("", "Udp:", "NoPorts"), 0);
    }

    #[test]
    fn a_socket_of_this_process_is_known_as_its_own() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let found = listeners(&[address.port()], None);
        let own = found.iter().find(|listener| listener.address == address).unwrap();
        assert_eq!(own.process.as_ref().map(|(pid, _)| *pid), Some(std::process::id()));
    }
}
