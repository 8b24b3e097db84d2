//! The source thread of a live run: from the readers through the collector to the outlets.
//!
//! It never waits for an outlet: what the window or the JSON lines do not take in time is counted and passed over, and
//! the write queue drops its oldest. A replay waits for all of them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::TrySendError;
use listenfd::ListenFd;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::collector::Collector;
use crate::collector::stats::{Health, PassedOver, SocketStats};
use crate::config::{self, Adjustable, Listen};
use crate::demo::Demo;
use crate::flow::{FlowRecord, Timestamp};
use crate::receive::gate::Gate;
use crate::receive::{self, Gauge, Receiver as Socket};
use crate::run::keep::{self, Keeper};
use crate::run::now;
use crate::run::pipeline::{Message, Outlets, reachable};
use crate::run::reader::{Batch, Readers};
use crate::run::vital::Beat;
use crate::run::witness::{Found, Witness};
use crate::store;
use crate::store::templates::Stored;
use crate::tui::app::Source;

/// How long the source may sleep before it looks whether it should stop, and what time it is.
const WAKE: Duration = Duration::from_millis(200);
/// Flows of a batch at which it is handed on before the last datagram of a system call was read: a full buffer of the
/// longest datagrams would make a million.
const FLOWS: usize = 16_384;
/// Milliseconds between two accounts.
const TICK_MS: i64 = 1000;
/// Milliseconds between two warnings of one kind.
const WARN_MS: i64 = 60_000;

/// A collector and where its flows go, whoever brings the datagrams.
pub(super) struct Intake {
    collector: Collector,
    outlets: Outlets,
    /// What arrived since the last batch was handed on.
    flows: Vec<FlowRecord>,
    /// Whether the reader of the JSON lines has gone.
    unwanted: bool,
    ticked: Timestamp,
    gate: Gate,
    passed_over: PassedOver,
    warned: Warned,
    /// Of a run with a screen.
    witness: Option<Witness>,
    /// An answer that found no room on its way to the screen.
    found: Option<Found>,
    /// Of a live run that stores.
    keeper: Option<Keeper>,
    /// Of a live run.
    settings: Option<watch::Receiver<Adjustable>>,
}

impl Intake {
    pub(super) fn new(collector: Collector, mut outlets: Outlets) -> Self {
        let witness = outlets.asked.take().map(Witness::new);
        Self {
            collector,
            outlets,
            witness,
            found: None,
            flows: Vec::new(),
            unwanted: false,
            ticked: Timestamp(0),
            gate: Gate::default(),
            passed_over: PassedOver::default(),
            warned: Warned::default(),
            keeper: None,
            settings: None,
        }
    }

    /// Of a live run, which begins with the templates of the run before.
    fn live(collector: Collector, outlets: Outlets, settings: watch::Receiver<Adjustable>, templates: Stored) -> Self {
        let gate = Gate::new(settings.borrow().allowed.clone());
        let mut intake = Self { gate, settings: Some(settings), ..Self::new(collector, outlets) };
        keep::restore(&mut intake.collector, now(), templates);
        intake.keeper = intake.outlets.storage.as_ref().map(|storage| Keeper::new(storage.aside()));
        intake
    }

    /// Decodes one datagram. What is malformed was counted, and is kept for a look.
    pub(super) fn datagram(&mut self, received: Timestamp, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if !self.gate.admits(from) {
            return;
        }
        if let Some(witness) = &mut self.witness {
            witness.hold(received, from, payload);
        }
        if let Err(malformed) = self.collector.datagram(received, from, payload, &mut self.flows) {
            tracing::debug!(%from, %malformed, "datagram not decoded");
            if let Some(keeper) = &mut self.keeper {
                keeper.malformed(received, (from, to), malformed, payload);
            }
        }
        if FLOWS <= self.flows.len() {
            self.ship();
        }
    }

    /// Decodes what came with one system call, and hands it on.
    fn batch(&mut self, batch: &Batch) {
        batch.each(|at, from, to, payload| self.datagram(at, from, to, payload));
        self.ship();
    }

    /// Hands the flows on. Errors are ends of threads, which the pipeline tells of; the source goes on for the others.
    pub(super) fn ship(&mut self) {
        if self.flows.is_empty() {
            return;
        }
        let outlets = &self.outlets;
        if let Some(storage) = &outlets.storage {
            storage.push(&self.flows);
        }
        if outlets.shows || outlets.json.is_some() {
            self.show_flows();
        }
        self.flows.clear();
    }

    /// Offers the flows to those who look at them at once.
    fn show_flows(&mut self) {
        let batch: Arc<[FlowRecord]> = self.flows.as_slice().into();
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let outlets = &self.outlets;
        if outlets.shows
            && let Err(TrySendError::Full(_)) = outlets.offer_flows(&outlets.window, Arc::clone(&batch))
        {
            self.passed_over.window = self.passed_over.window.saturating_add(count);
        }
        match outlets.json.as_ref().map(|json| outlets.offer_flows(json, batch)) {
            Some(Err(TrySendError::Full(_))) => self.passed_over.json = self.passed_over.json.saturating_add(count),
            Some(Err(TrySendError::Disconnected(_))) => self.unwanted = true,
            Some(Ok(())) | None => {}
        }
    }

    /// Answers what the screen wants to know of datagrams.
    pub(super) fn answer(&mut self) {
        let Some(witness) = &mut self.witness else { return };
        self.found = witness.answer(&self.collector).or_else(|| self.found.take());
        if let Some(found) = self.found.take()
            && let Err(TrySendError::Full(_)) =
                self.outlets.offer(&self.outlets.window, Message::Evidence(Box::new(found.clone())))
        {
            self.found = Some(found);
        }
    }

    /// Once a second: lets old sets go, and tells everybody the time and the accounts.
    pub(super) fn tick(&mut self, now: Timestamp, sockets: impl FnOnce() -> Vec<SocketStats>) {
        if (0..TICK_MS).contains(&now.since(self.ticked)) {
            return;
        }
        self.ticked = now;
        self.adjust();
        self.collector.tick(now);
        let health = self.accounts(sockets());
        self.warned.look(now, &health);
        self.outlets.beats.send_replace(Beat::new(Arc::clone(&health)));
        // When the window is behind, the next account tells it as much.
        let _ = self.outlets.offer(&self.outlets.window, Message::Health(Arc::clone(&health)));
        let _ = self.outlets.offer(&self.outlets.window, Message::Now(now));
        self.store(health);
        self.hand_on(now, false);
    }

    /// Takes over settings that were changed.
    fn adjust(&mut self) {
        let Some(settings) = &mut self.settings else { return };
        if settings.has_changed().unwrap_or(false) {
            let Adjustable { allowed, overrides, .. } = settings.borrow_and_update().clone();
            self.gate.allow(allowed);
            self.collector.set_overrides(overrides);
        }
    }

    fn hand_on(&mut self, now: Timestamp, is_last: bool) {
        if let Some(keeper) = &mut self.keeper {
            keeper.hand_on(now, &self.collector, is_last);
        }
    }

    /// Tells everybody the time and the accounts for the last time, whatever it takes.
    pub(super) fn account(&mut self, now: Timestamp, sockets: Vec<SocketStats>) {
        let health = self.accounts(sockets);
        self.outlets.beats.send_replace(Beat::new(Arc::clone(&health)));
        let _ = self.outlets.window.send(Message::Health(Arc::clone(&health)));
        let _ = self.outlets.window.send(Message::Now(now));
        self.store(health);
    }

    fn accounts(&self, sockets: Vec<SocketStats>) -> Arc<Health> {
        let (barred, passed_over) = (self.gate.barred(), self.passed_over);
        Arc::new(Health { sockets, barred, passed_over, ..self.collector.health() })
    }

    fn store(&self, health: Arc<Health>) {
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

/// What was warned of, so that it is not said every second.
#[derive(Debug, Default)]
struct Warned {
    at: Timestamp,
    barred: u64,
    passed_over: PassedOver,
}

impl Warned {
    /// Says what has grown, if it is time.
    fn look(&mut self, now: Timestamp, health: &Health) {
        let (barred, passed_over) = (health.barred, health.passed_over);
        if (barred.datagrams, passed_over) == (self.barred, self.passed_over)
            || (0..WARN_MS).contains(&now.since(self.at))
        {
            return;
        }
        if let Some(last) = barred.last.filter(|_| self.barred < barred.datagrams) {
            let hint = "name its address with `--allow` if it is yours";
            warn!(datagrams = barred.datagrams, %last, hint, "refused: the sender is not allowed");
        }
        if self.passed_over != passed_over {
            let PassedOver { window, json } = passed_over;
            let hint = "they are stored; whoever reads stdout must be faster, or this host has too few processors";
            warn!(not_shown = window, not_printed = json, hint, "flows passed over");
        }
        *self = Self { at: now, barred: barred.datagrams, passed_over };
    }
}

/// The sockets of a live run, and the demonstration that sends to the first one if that was asked for.
pub(super) struct Sockets {
    sockets: Vec<Socket>,
    gauges: Vec<Arc<Gauge>>,
    settings: watch::Receiver<Adjustable>,
    demo: bool,
    /// Of the run before.
    templates: Stored,
    stop: Arc<AtomicBool>,
}

impl Sockets {
    pub(super) fn open(
        listen: &Listen,
        demo: bool,
        settings: watch::Receiver<Adjustable>,
        templates: Stored,
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut sockets = if demo { Vec::new() } else { passed(listen.buffer)? };
        if sockets.is_empty() {
            let bind = |&address: &SocketAddr| bind(address, listen.buffer);
            sockets = listen.addresses.iter().map(bind).collect::<Result<_>>()?;
        }
        let gauges: Vec<_> = sockets.iter().map(|socket| Arc::clone(socket.gauge())).collect();
        for gauge in &gauges {
            info!(address = %gauge.local_addr(), buffer = gauge.stats().buffer, "listening");
        }
        if let Some(hint) = gauges.iter().find_map(|gauge| gauge.buffer_hint()) {
            warn!(hint, "the kernel gave a smaller receive buffer than was asked for");
        }
        Ok(Self { sockets, gauges, settings, demo, templates, stop })
    }

    pub(super) fn shown(&self) -> Source {
        if self.demo {
            return Source::Demo;
        }
        let listen: Vec<_> = self.gauges.iter().map(|gauge| gauge.local_addr()).collect();
        let mut addresses = Vec::new();
        for address in listen.iter().copied().flat_map(reachable) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Source::Live { listen, reachable: addresses }
    }

    /// That the kernel gave a smaller buffer than was asked for, and the command that mends it.
    pub(super) fn notice(&self) -> Option<String> {
        let hint = self.gauges.iter().find_map(|gauge| gauge.buffer_hint())?;
        Some(format!("small receive buffer: {hint}"))
    }

    pub(super) fn run(self, collector: Collector, outlets: Outlets) -> Result<()> {
        let demo = self.start_demo()?;
        let gauges = self.gauges;
        let stats = || gauges.iter().map(|gauge| gauge.stats()).collect();
        let mut intake = Intake::live(collector, outlets, self.settings, self.templates);
        let readers = Readers::start(self.sockets)?;
        while !self.stop.load(Ordering::Relaxed) && intake.is_wanted() && !readers.have_failed() {
            if let Some(batch) = readers.next(WAKE) {
                intake.batch(&batch);
            }
            intake.answer();
            intake.tick(now(), stats);
        }
        self.stop.store(true, Ordering::Relaxed);
        if let Some(demo) = demo {
            demo.join().map_err(|_| anyhow!("the demonstration failed; this is a bug, please report it"))??;
        }
        let finished = readers.finish(|batch| intake.batch(batch));
        intake.account(now(), stats());
        intake.hand_on(now(), true);
        finished
    }

    fn start_demo(&self) -> Result<Option<JoinHandle<Result<()>>>> {
        let Some(gauge) = self.gauges.first().filter(|_| self.demo) else { return Ok(None) };
        let demo = Demo::new(gauge.local_addr(), 1);
        let stop = Arc::clone(&self.stop);
        let run = move || Ok(demo.run(&stop).map(|_| ())?);
        Ok(Some(thread::Builder::new().name("demo".to_owned()).spawn(run)?))
    }
}

/// The sockets that the service manager has bound for us (sd_listen_fds(3)); none when nobody did.
fn passed(buffer: usize) -> Result<Vec<Socket>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let problem = || {
            format!(
                "socket {index} that the service manager passed cannot be used\nhint: its socket unit needs `ListenDatagram=`"
            )
        };
        let socket = passed.take_udp_socket(index).with_context(problem)?;
        if let Some(socket) = socket {
            sockets.push(Socket::adopt(socket, buffer).with_context(problem)?);
        }
    }
    Ok(sockets)
}

fn bind(listen: SocketAddr, buffer: usize) -> Result<Socket> {
    Socket::bind(&receive::Options { listen, buffer }).map_err(|error| {
        let is_taken = matches!(&error, receive::Error::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse);
        // Who may not read what a service stores does not find it, and would take its place.
        let hidden = config::hidden_database().filter(|_| is_taken).map(store::may_read);
        match hidden.map(|may| format!("to look at what the service has, {may}")).or_else(|| error.hint()) {
            Some(hint) => anyhow!("{error}\nhint: {hint}"),
            None => anyhow!(error),
        }
    })
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
