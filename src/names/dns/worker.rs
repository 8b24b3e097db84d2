//! The thread that asks: questions in, answers out, one socket at a time.
//!
//! A socket is made anew whenever nothing is out, so that its port is hard to guess for who would like to answer in the
//! server's place, and a host that changed its network finds its way.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crate::names::dns::message::{self, Said};

/// Questions that are out at a time; others wait.
pub(super) const IN_FLIGHT: usize = 64;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How often a question is put, each time to the next server.
const ATTEMPTS: usize = 2;

/// How long the thread listens before it looks for new questions.
const LISTEN: Duration = Duration::from_millis(30);

/// What became of a question.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) address: IpAddr,
    pub(super) name: Option<Arc<str>>,
    pub(super) until: Instant,
}

/// Answers questions until nobody can ask any more.
pub(super) fn run(servers: &[SocketAddr], questions: &Receiver<IpAddr>, tell: impl Fn(Vec<Answer>)) {
    let mut asker = Asker { servers, ids: RandomState::new(), asked: 0, out: HashMap::new() };
    while let Ok(first) = questions.recv() {
        let Ok(sockets) = Sockets::open() else {
            tell(vec![given_up(first)]);
            continue;
        };
        asker.ask(first, 0, &sockets);
        while !asker.out.is_empty() {
            let mut answers = asker.listen(&sockets);
            answers.extend(asker.put_again(&sockets));
            if !answers.is_empty() {
                tell(answers);
            }
            while asker.out.len() < IN_FLIGHT {
                match questions.try_recv() {
                    Ok(address) => asker.ask(address, 0, &sockets),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
        }
    }
}

/// One for each family that a server may have; a host may lack one.
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    fn open() -> io::Result<Self> {
        let open = |address: IpAddr| {
            let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
            socket.set_read_timeout(Some(LISTEN))?;
            Ok(socket)
        };
        let v4: io::Result<_> = open(Ipv4Addr::UNSPECIFIED.into());
        let v6 = open(Ipv6Addr::UNSPECIFIED.into());
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self { v4: v4.ok(), v6: v6.ok() }),
        }
    }

    fn to(&self, server: SocketAddr) -> Option<&UdpSocket> {
        if server.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

/// A question that is out.
#[derive(Debug, Clone, Copy)]
struct Question {
    address: IpAddr,
    server: SocketAddr,
    attempt: usize,
    until: Instant,
}

struct Asker<'a> {
    servers: &'a [SocketAddr],
    ids: RandomState,
    asked: u64,
    out: HashMap<u16, Question>,
}

impl Asker<'_> {
    fn ask(&mut self, address: IpAddr, attempt: usize, sockets: &Sockets) {
        let Some(&server) = self.servers.get(attempt % self.servers.len().max(1)) else { return };
        let id = self.id();
        self.out.insert(id, Question { address, server, attempt, until: Instant::now() + PATIENCE });
        let octets = message::question(id, address);
        if let (Some(octets), Some(socket)) = (octets, sockets.to(server)) {
            // One that cannot be sent is put again when its time is over, as one that was lost.
            let _ = socket.send_to(&octets, server);
        }
    }

    /// A number that nobody can foresee and that is free.
    fn id(&mut self) -> u16 {
        loop {
            self.asked += 1;
            let [a, b, ..] = self.ids.hash_one(self.asked).to_le_bytes();
            let id = u16::from_le_bytes([a, b]);
            if !self.out.contains_key(&id) {
                return id;
            }
        }
    }

    /// Takes the answers of a short time.
    fn listen(&mut self, sockets: &Sockets) -> Vec<Answer> {
        let waits = |v4| self.out.values().any(|question| question.server.is_ipv4() == v4);
        let families = [(&sockets.v4, waits(true)), (&sockets.v6, waits(false))];
        let mut answers = Vec::new();
        let mut octets = [0; 4096];
        for socket in families.iter().filter(|(_, waits)| *waits).filter_map(|(socket, _)| socket.as_ref()) {
            // Whoever floods the port with what is no answer holds nothing up.
            let end = Instant::now() + LISTEN;
            while Instant::now() < end && !self.out.is_empty() {
                let Ok((length, from)) = socket.recv_from(&mut octets) else { break };
                answers.extend(octets.get(..length).and_then(|octets| self.take(octets, from)));
            }
        }
        if families.iter().all(|(socket, waits)| !waits || socket.is_none()) {
            std::thread::sleep(LISTEN);
        }
        answers
    }

    /// Believes an answer to a question that is out, from whom it was put to.
    fn take(&mut self, octets: &[u8], from: SocketAddr) -> Option<Answer> {
        let id = message::id(octets)?;
        let question = *self.out.get(&id)?;
        if (question.server.ip(), question.server.port()) != (from.ip(), from.port()) {
            return None;
        }
        let said = message::answer(octets, question.address)?;
        // Another server may do better than one that fails.
        if said == Said::NOTHING && question.attempt + 1 < ATTEMPTS && 1 < self.servers.len() {
            if let Some(question) = self.out.get_mut(&id) {
                question.until = Instant::now();
            }
            return None;
        }
        self.out.remove(&id);
        Some(Answer { address: question.address, name: said.name, until: Instant::now() + said.lasts })
    }

    /// Puts those again that nobody answered, and gives up those that were put often enough.
    fn put_again(&mut self, sockets: &Sockets) -> Vec<Answer> {
        let now = Instant::now();
        let late: Vec<_> = self.out.iter().filter(|(_, question)| question.until <= now).map(|(&id, _)| id).collect();
        let mut answers = Vec::new();
        for question in late.iter().filter_map(|id| self.out.remove(id)).collect::<Vec<_>>() {
            if question.attempt + 1 < ATTEMPTS {
                self.ask(question.address, question.attempt + 1, sockets);
            } else {
                answers.push(given_up(question.address));
            }
        }
        answers
    }
}

fn given_up(address: IpAddr) -> Answer {
    let Said { name, lasts } = Said::NOTHING;
    Answer { address, name, until: Instant::now() + lasts }
}
