use super::*;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// Short enough for a column, and nothing that a terminal or a CSV file could take amiss.
fn assert_speakable(name: &str, extra: &str) {
    assert!((1..=15).contains(&name.len()), "{name:?} is {} long", name.len());
    assert!(
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c)),
        "{name:?} has an odd character"
    );
    assert!(!name.starts_with('-') && !name.ends_with('-'), "{name:?} has a stray hyphen");
}

/// Protocol, port and name.
const EXPECTED: &[(u8, u16, &str)] = &[
    (TCP, 22, "ssh"),
    (TCP, 25, "smtp"),
    (TCP, 49, "tacacs"),
    (TCP, 53, "dns"),
    (UDP, 53, "dns"),
    (UDP, 67, "dhcp"),
    (UDP, 68, "dhcp"),
    (UDP, 69, "tftp"),
    (TCP, 80, "http"),
    (TCP, 88, "kerberos"),
    (UDP, 123, "ntp"),
    (UDP, 161, "snmp"),
    (UDP, 162, "snmptrap"),
    (TCP, 179, "bgp"),
    (TCP, 389, "ldap"),
    (TCP, 443, "https"),
    (UDP, 443, "quic"),
    (TCP, 445, "smb"),
    (UDP, 500, "isakmp"),
    (UDP, 514, "syslog"),
    (UDP, 546, "dhcpv6"),
    (TCP, 554, "rtsp"),
    (TCP, 587, "submission"),
    (TCP, 631, "ipp"),
    (TCP, 853, "dns-over-tls"),
    (TCP, 873, "rsync"),
    (TCP, 993, "imaps"),
    (UDP, 1194, "openvpn"),
    (UDP, 1701, "l2tp"),
    (TCP, 1723, "pptp"),
    (UDP, 1812, "radius"),
    (TCP, 1883, "mqtt"),
    (UDP, 1900, "ssdp"),
    (TCP, 1935, "rtmp"),
    (UDP, 1985, "hsrp"),
    (TCP, 2049, "nfs"),
    (UDP, 2055, "netflow"),
    (UDP, 2152, "gtp-u"),
    (TCP, 2379, "etcd"),
    (TCP, 3128, "squid"),
    (TCP, 3260, "iscsi"),
    (TCP, 3306, "mysql"),
    (TCP, 3389, "rdp"),
    (UDP, 3478, "stun"),
    (UDP, 3784, "bfd"),
    (UDP, 4500, "ipsec-nat-t"),
    (UDP, 4739, "ipfix"),
    (SCTP, 4739, "ipfix"),
    (UDP, 4789, "vxlan"),
    (UDP, 5060, "sip"),
    (TCP, 5223, "apns"),
    (TCP, 5228, "fcm"),
    (UDP, 5353, "mdns"),
    (UDP, 5355, "llmnr"),
    (TCP, 5432, "postgres"),
    (TCP, 5900, "vnc"),
    (UDP, 6081, "geneve"),
    (UDP, 6343, "sflow"),
    (TCP, 6379, "redis"),
    (TCP, 6443, "kube-api"),
    (TCP, 6667, "irc"),
    (TCP, 6881, "bittorrent"),
    (TCP, 8080, "http-alt"),
    (TCP, 8291, "winbox"),
    (TCP, 8443, "https-alt"),
    (UDP, 8801, "zoom"),
    (TCP, 9001, "tor"),
    (TCP, 9042, "cassandra"),
    (TCP, 9090, "prometheus"),
    (TCP, 9092, "kafka"),
    (TCP, 9100, "jetdirect"),
    (TCP, 9200, "elasticsearch"),
    (UDP, 9993, "zerotier"),
    (UDP, 10001, "ubnt-discovery"),
    (TCP, 11211, "memcached"),
    (TCP, 22000, "syncthing"),
    (TCP, 25565, "minecraft"),
    (UDP, 27015, "steam"),
    (TCP, 27017, "mongodb"),
    (TCP, 32400, "plex"),
    (SCTP, 38412, "ngap"),
    (UDP, 41641, "tailscale"),
    (UDP, 51820, "wireguard"),
];

#[test]
fn services_people_expect_to_see() {
    for &(protocol, port, name) in EXPECTED {
        assert_eq!(service(protocol, port), Some(name), "{protocol}/{port}");
    }
}

#[test]
fn an_unknown_port_or_protocol_has_no_service() {
    assert_eq!(service(TCP, 0), None);
    assert_eq!(service(TCP, 65535), None);
    assert_eq!(service(ICMP, 80), None, "a port means nothing outside TCP, UDP and SCTP");
    assert_eq!(service(SCTP, 443), None, "a name holds for its own protocol alone");
}

#[test]
fn protocols_by_their_spoken_names() {
    let expected = [
        (1, "icmp"),
        (2, "igmp"),
        (4, "ipip"),
        (6, "tcp"),
        (17, "udp"),
        (41, "6in4"),
        (47, "gre"),
        (50, "esp"),
        (51, "ah"),
        (58, "icmp6"),
        (88, "eigrp"),
        (89, "ospf"),
        (103, "pim"),
        (112, "vrrp"),
        (115, "l2tp"),
        (132, "sctp"),
    ];
    for (number, name) in expected {
        assert_eq!(protocol(number), Some(name), "{number}");
    }
    for number in [61, 148, 252, 253, 254, 255] {
        assert_eq!(protocol(number), None, "{number}");
    }
}

#[test]
fn every_protocol_has_a_label() {
    assert_eq!(protocol_label(TCP), "tcp");
    assert_eq!(protocol_label(253), "proto 253");
    assert!(matches!(protocol_label(TCP), Cow::Borrowed(_)));
}

#[test]
fn every_line_of_services_is_sound_and_in_its_place() {
    assert_eq!(SERVICES_CSV.lines().next(), Some("port,protocol,name"));
    let mut last = None;
    let mut count = 0;
    for line in rows(SERVICES_CSV) {
        let ((port, _), name) = parse_service(line).unwrap_or_else(|| panic!("malformed: {line:?}"));
        assert_speakable(name, "-");
        // By the protocol's name, which is what a reader of the file sees.
        let key = (port, line.split(',').nth(1));
        assert!(last < Some(key), "out of order or twice: {line:?}");
        last = Some(key);
        count += 1;
    }
    assert!((500..=1500).contains(&count), "{count} services");
    assert_eq!(SERVICES.len(), count);
}

#[test]
fn every_line_of_protocols_is_sound_and_in_its_place() {
    assert_eq!(PROTOCOLS_CSV.lines().next(), Some("number,name"));
    let mut last = None;
    let mut names = std::collections::HashSet::new();
    for line in rows(PROTOCOLS_CSV) {
        let (number, name) = parse_protocol(line).unwrap_or_else(|| panic!("malformed: {line:?}"));
        assert_speakable(name, "-+");
        assert!(last < Some(number), "out of order or twice: {line:?}");
        assert!(names.insert(name), "two protocols are called {name:?}");
        last = Some(number);
    }
    assert_eq!(PROTOCOLS.iter().flatten().count(), names.len());
}
