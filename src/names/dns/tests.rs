use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use domain::base::iana::{Class, Rcode};
use domain::base::message_builder::AnswerBuilder;
use domain::base::{Message, MessageBuilder, Name, Record, Rtype, Serial, Ttl};
use domain::rdata::{Ptr, Soa};

use super::message;
use super::*;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a tiny server does with a question.
#[derive(Debug, Clone, Copy)]
enum Answers {
    Name(&'static str, u32),
    NoName,
    Fails,
    /// Says nothing.
    Nothing,
    /// Another question's number first, then the right one.
    Forged(&'static str),
}

/// A server on loopback; gives back how often it was asked.
fn server(answers: Answers) -> (SocketAddr, Arc<AtomicU64>) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        let mut octets = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut octets) {
            count.fetch_add(1, Ordering::SeqCst);
            let query = octets[..length].to_vec();
            if let Answers::Forged(_) = answers {
                let mut forged = reply(&query, Answers::Name("forged.example", 600)).unwrap();
                forged[0] ^= 0x55;
                socket.send_to(&forged, from).unwrap();
                socket.send_to(b"garbage", from).unwrap();
            }
            if let Some(reply) = reply(&query, answers) {
                socket.send_to(&reply, from).unwrap();
            }
        }
    });
    (address, asked)
}

fn reply(query: &[u8], answers: Answers) -> Option<Vec<u8>> {
    let query = Message::from_octets(query).unwrap();
    assert!(query.header().rd());
    let rcode = match answers {
        Answers::NoName => Rcode::NXDOMAIN,
        Answers::Fails => Rcode::SERVFAIL,
        _ => Rcode::NOERROR,
    };
    let mut message: AnswerBuilder<Vec<u8>> = MessageBuilder::new_vec().start_answer(&query, rcode).unwrap();
    let owner = query.first_question().unwrap().qname().to_owned();
    match answers {
        Answers::Nothing => return None,
        Answers::Name(name, ttl) => {
            let name: Name<Vec<u8>> = name.parse().unwrap();
            message.push(Record::new(owner, Class::IN, Ttl::from_secs(ttl), Ptr::new(name))).unwrap();
        }
        Answers::Forged(name) => {
            let name: Name<Vec<u8>> = name.parse().unwrap();
            message.push(Record::new(owner, Class::IN, Ttl::from_secs(600), Ptr::new(name))).unwrap();
        }
        Answers::NoName => {
            let mut message = message.authority();
            let root = Name::<Vec<u8>>::root_vec();
            let second = Ttl::from_secs(1);
            let soa = Soa::new(root.clone(), root.clone(), Serial(1), second, second, second, Ttl::from_secs(300));
            message.push(Record::new(root, Class::IN, Ttl::from_secs(7200), soa)).unwrap();
            return Some(message.finish());
        }
        Answers::Fails => {}
    }
    Some(message.finish())
}

fn start(servers: Vec<SocketAddr>) -> (Resolver, Receiver<()>) {
    let (woken, wakes) = channel();
    let resolver = Resolver::start(servers, move || {
        let _ = woken.send(());
    })
    .unwrap();
    (resolver, wakes)
}

const NAS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

#[test]
fn a_name_is_known_later_and_asked_for_once() {
    let (server, asked) = server(Answers::Name("nas.example.", 600));
    let (resolver, wakes) = start(vec![server]);
    assert_eq!(resolver.host(NAS), None);
    assert_eq!(resolver.generation(), 0);
    wakes.recv_timeout(PATIENCE).unwrap();
    for _ in 0..100 {
        assert_eq!(resolver.host(NAS).as_deref(), Some("nas.example"));
    }
    assert_eq!(resolver.generation(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(resolver.addresses("NAS.example"), [NAS]);
}

#[test]
fn more_names_than_may_wait_are_asked_for_side_by_side() {
    let (server, _) = server(Answers::Name("host.example.", 600));
    let (resolver, wakes) = start(vec![server]);
    let addresses: Vec<IpAddr> = (0..2_000_u32).map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n).into()).collect();
    let end = Instant::now() + PATIENCE;
    while addresses.iter().any(|&address| resolver.host(address).is_none()) {
        assert!(Instant::now() < end, "all are answered");
        let _ = wakes.recv_timeout(Duration::from_secs(1));
    }
}

#[test]
fn that_there_is_no_name_is_asked_once() {
    for answers in [Answers::NoName, Answers::Fails] {
        let (server, asked) = server(answers);
        let (resolver, wakes) = start(vec![server]);
        resolver.host(NAS);
        wakes.recv_timeout(PATIENCE).unwrap();
        for _ in 0..100 {
            assert_eq!(resolver.host(NAS), None);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{answers:?}");
    }
}

#[test]
fn another_server_is_asked_when_the_first_does_not_know_better() {
    for answers in [Answers::Nothing, Answers::Fails] {
        let (first, asked) = server(answers);
        let (second, _) = server(Answers::Name("nas.example.", 600));
        let (resolver, wakes) = start(vec![first, second]);
        resolver.host(NAS);
        wakes.recv_timeout(PATIENCE).unwrap();
        assert_eq!(resolver.host(NAS).as_deref(), Some("nas.example"), "{answers:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn what_answers_no_question_is_not_believed() {
    let (server, _) = server(Answers::Forged("right.example."));
    let (resolver, wakes) = start(vec![server]);
    resolver.host(NAS);
    wakes.recv_timeout(PATIENCE).unwrap();
    assert_eq!(resolver.host(NAS).as_deref(), Some("right.example"));
}

#[test]
fn addresses_of_many_hosts_are_not_asked_for() {
    let (server, asked) = server(Answers::Name("x.example.", 600));
    let (resolver, _) = start(vec![server]);
    for address in ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255"] {
        assert_eq!(resolver.host(address.parse().unwrap()), None);
    }
    resolver.host(NAS);
    let end = Instant::now() + PATIENCE;
    while asked.load(Ordering::SeqCst) == 0 && Instant::now() < end {
        thread::yield_now();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn questions_and_answers_are_bounded_in_time() {
    let query = message::question(7, NAS).unwrap();
    let lasts = |answers| message::answer(&reply(&query, answers).unwrap(), NAS).unwrap().lasts.as_secs();
    assert_eq!(lasts(Answers::Name("a.example.", 0)), 60);
    assert_eq!(lasts(Answers::Name("a.example.", 3_600)), 3_600);
    assert_eq!(lasts(Answers::Name("a.example.", u32::MAX)), 86_400);
    assert_eq!(lasts(Answers::NoName), 300, "the shorter one of the SOA record's two times");
    assert_eq!(lasts(Answers::Fails), 60);
}

#[test]
fn hostile_answers_are_harmless() {
    let query = message::question(7, NAS).unwrap();
    let hostile = "a\\027[2J\\155b.\\226\\128\\174x.example.";
    let said = message::answer(&reply(&query, Answers::Name(hostile, 600)).unwrap(), NAS).unwrap();
    let name = said.name.unwrap();
    assert!(name.chars().all(|letter| !letter.is_control() && letter != '\u{202e}'), "{name:?}");
    let whole = reply(&query, Answers::Name("nas.example.", 600)).unwrap();
    for at in 0..whole.len() {
        let _ = message::answer(&whole[..at], NAS);
        let mut octets = whole.clone();
        octets[at] ^= 0xff;
        let _ = message::answer(&octets, NAS);
    }
    assert_eq!(message::answer(&whole, "192.0.2.8".parse().unwrap()), None, "another address was asked for");
    assert_eq!(message::answer(&query, NAS), None, "a question is no answer");
}

#[test]
fn both_families_are_asked_for_by_their_reverse_names() {
    for (address, name) in [("192.0.2.7", "7.2.0.192.in-addr.arpa"), ("2001:db8::1", "8.b.d.0.1.0.0.2.ip6.arpa")] {
        let octets = message::question(0x1234, address.parse().unwrap()).unwrap();
        let query = Message::from_octets(&octets).unwrap();
        let question = query.first_question().unwrap();
        assert_eq!(query.header().id(), 0x1234);
        assert_eq!(question.qtype(), Rtype::PTR);
        let asked = question.qname().to_string().to_ascii_lowercase();
        assert!(asked.ends_with(name), "{asked}");
    }
}

#[test]
fn the_servers_of_the_system_are_read() {
    let text = "# by hand\nsearch lan\nnameserver 192.0.2.1\n  nameserver fe80::1%eth0 \nnameserver x\noptions edns0\n";
    let expected = ["192.0.2.1:53", "[fe80::1]:53"].map(|server| server.parse::<SocketAddr>().unwrap());
    assert_eq!(servers(text), expected);
    assert_eq!(servers(&"nameserver 192.0.2.1\n".repeat(9)).len(), 3);
    assert!(servers("").is_empty());
}
