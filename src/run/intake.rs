//! The source thread of a live run: from the socket through the collector to the outlets.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tracing::{info, warn};

use crate::collector::Collector;
use crate::collector::stats::{Health, SocketStats};
use crate::config::Listen;
use crate::demo::Demo;
use crate::flow::{FlowRecord, Timestamp};
use crate::receive::{self, Receiver as Socket};
use crate::run::keep::{self, Keeper};
use crate::run::now;
use crate::run::pipeline::{Message, Outlets, reachable};
use crate::store::templates::Stored;
use crate::tui::app::Source;

/// How long the source may sleep before it looks whether it should stop, and what time it is.
const WAKE: Duration = Duration::from_millis(200);
/// Flows of a batch at which it is handed on before the last datagram of a system call was read: a full buffer of the
/// longest datagrams would make a million.
const FLOWS: usize = 16_384;
/// Milliseconds between two accounts.
const TICK_MS: i64 = 1000;

/// A collector and where its flows go, whoever brings the datagrams.
pub(super) struct Intake {
    collector: Collector,
    outlets: Outlets,
    /// What arrived since the last batch was handed on.
    flows: Vec<FlowRecord>,
    /// Whether the reader of the JSON lines has gone.
    unwanted: bool,
    ticked: Timestamp,
    /// Of a live run that stores.
    keeper: Option<Keeper>,
}

impl Intake {
    pub(super) fn new(collector: Collector, outlets: Outlets) -> Self {
        let (flows, ticked) = (Vec::new(), Timestamp(0));
        Self { collector, outlets, flows, unwanted: false, ticked, keeper: None }
    }

    /// Of a live run, which begins with the templates of the run before.
    fn live(collector: Collector, outlets: Outlets, to: SocketAddr, templates: Stored) -> Self {
        let mut intake = Self::new(collector, outlets);
        keep::restore(&mut intake.collector, now(), templates);
        intake.keeper = intake.outlets.storage.as_ref().map(|storage| Keeper::new(storage.aside(), to));
        intake
    }

    /// Decodes one datagram. What is malformed was counted, and is kept for a look.
    pub(super) fn datagram(&mut self, received: Timestamp, from: SocketAddr, payload: &[u8]) {
        if let Err(malformed) = self.collector.datagram(received, from, payload, &mut self.flows) {
            tracing::debug!(%from, %malformed, "datagram not decoded");
            if let Some(keeper) = &mut self.keeper {
                keeper.malformed(received, from, malformed, payload);
            }
        }
        if FLOWS <= self.flows.len() {
            self.ship();
        }
    }

    /// Hands the flows on. Errors are ends of threads, which the pipeline tells of; the source goes on for the others.
    pub(super) fn ship(&mut self) {
        if self.flows.is_empty() {
            return;
        }
        let batch: Arc<[FlowRecord]> = self.flows.as_slice().into();
        self.flows.clear();
        let _ = self.outlets.window.send(Message::Flows(Arc::clone(&batch)));
        if let Some(json) = &self.outlets.json {
            self.unwanted |= json.send(Message::Flows(Arc::clone(&batch))).is_err();
        }
        if let Some(storage) = &self.outlets.storage {
            storage.push(batch);
        }
    }

    /// Once a second: lets old sets go, and tells everybody the time and the accounts.
    pub(super) fn tick(&mut self, now: Timestamp, sockets: impl FnOnce() -> Vec<SocketStats>) {
        if (0..TICK_MS).contains(&now.since(self.ticked)) {
            return;
        }
        self.ticked = now;
        self.collector.tick(now);
        self.account(now, sockets());
        self.hand_on(now, false);
    }

    fn hand_on(&mut self, now: Timestamp, is_last: bool) {
        if let Some(keeper) = &mut self.keeper {
            keeper.hand_on(now, &self.collector, is_last);
        }
    }

    /// Tells everybody the time and the accounts.
    pub(super) fn account(&mut self, now: Timestamp, sockets: Vec<SocketStats>) {
        let health = Arc::new(Health { sockets, ..self.collector.health() });
        let _ = self.outlets.window.send(Message::Health(Arc::clone(&health)));
        let _ = self.outlets.window.send(Message::Now(now));
        if let Some(storage) = &self.outlets.storage {
            storage.account(health);
        }
    }

    /// Says to the screen what is watched.
    pub(super) fn show(&self, source: Source) {
        let _ = self.outlets.window.send(Message::Shown(source));
    }

    /// Whether somebody still wants flows: a JSON reader that has gone ends the run.
    pub(super) const fn is_wanted(&self) -> bool {
        !self.unwanted
    }

    pub(super) fn health(&self) -> Health {
        self.collector.health()
    }
}

/// The socket of a live run, and the demonstration that sends to it if that was asked for.
pub(super) struct Sockets {
    socket: Socket,
    demo: bool,
    /// Of the run before.
    templates: Stored,
    stop: Arc<AtomicBool>,
}

impl Sockets {
    pub(super) fn open(listen: Listen, demo: bool, templates: Stored, stop: Arc<AtomicBool>) -> Result<Self> {
        let options = receive::Options { listen: listen.address, buffer: listen.buffer };
        let socket = Socket::bind(&options).map_err(|error| match error.hint() {
            Some(hint) => anyhow!("{error}\nhint: {hint}"),
            None => anyhow!(error),
        })?;
        info!(address = %socket.local_addr(), buffer = socket.stats().buffer, "listening");
        if let Some(hint) = socket.buffer_hint() {
            warn!(hint, "the kernel gave a smaller receive buffer than was asked for");
        }
        Ok(Self { socket, demo, templates, stop })
    }

    pub(super) fn shown(&self) -> Source {
        let listen = self.socket.local_addr();
        if self.demo { Source::Demo } else { Source::Live { listen: vec![listen], reachable: reachable(listen) } }
    }

    /// That the kernel gave a smaller buffer than was asked for, and the command that mends it.
    pub(super) fn notice(&self) -> Option<String> {
        Some(format!("small receive buffer: {}", self.socket.buffer_hint()?))
    }

    pub(super) fn run(mut self, collector: Collector, outlets: Outlets) -> Result<()> {
        let demo = self.start_demo()?;
        let templates = std::mem::take(&mut self.templates);
        let mut intake = Intake::live(collector, outlets, self.socket.local_addr(), templates);
        while !self.stop.load(Ordering::Relaxed) && intake.is_wanted() {
            self.receive(&mut intake, WAKE)?;
            intake.tick(now(), || vec![self.socket.stats()]);
        }
        self.stop.store(true, Ordering::Relaxed);
        if let Some(demo) = demo {
            demo.join().map_err(|_| anyhow!("the demonstration failed; this is a bug, please report it"))??;
        }
        // What the kernel has accepted is not lost by a signal.
        while 0 < self.receive(&mut intake, Duration::ZERO)? {}
        intake.account(now(), vec![self.socket.stats()]);
        intake.hand_on(now(), true);
        Ok(())
    }

    /// Takes what is there and hands it on; returns how many datagrams that were.
    fn receive(&mut self, intake: &mut Intake, timeout: Duration) -> Result<usize> {
        let count = self.socket.receive(timeout, |at, from, payload| intake.datagram(at, from, payload))?;
        intake.ship();
        Ok(count)
    }

    fn start_demo(&self) -> Result<Option<JoinHandle<Result<()>>>> {
        if !self.demo {
            return Ok(None);
        }
        let demo = Demo::new(self.socket.local_addr(), 1);
        let stop = Arc::clone(&self.stop);
        let run = move || Ok(demo.run(&stop).map(|_| ())?);
        Ok(Some(thread::Builder::new().name("demo".to_owned()).spawn(run)?))
    }
}

/// The address this host would use towards others, for "point your router here". A connected UDP socket sends nothing;
/// it only asks the routing table. Documentation addresses stand for "anywhere" (RFC 5737, RFC 3849).
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let towards = |bind: &str, far: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(far).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    [towards("0.0.0.0:0", "192.0.2.1:9"), towards("[::]:0", "[2001:db8::1]:9")].into_iter().flatten().collect()
}
