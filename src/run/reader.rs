//! The reader threads of a live run, one for each socket: what the kernel holds, taken at once and handed on as it is.
//!
//! Nothing is decoded here, so that a burst is out of the kernel's buffer, which may be small, as fast as it comes. What
//! waits to be decoded is bounded in octets; at the bound the readers wait, the kernel's buffer fills, and the kernel
//! counts what it drops.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::flow::Timestamp;
use crate::receive::{BATCH, Receiver as Socket};

/// Octets that may wait to be decoded, over all sockets.
const WAITING: usize = 64 << 20;
/// Octets that a datagram and a batch take besides those of payloads, rounded up.
const OVERHEAD: usize = 256;
/// How long a reader may sleep before it looks whether it should stop.
const WAKE: Duration = Duration::from_millis(200);
/// How long a reader waits for room before it looks again.
const NAP: Duration = Duration::from_millis(1);
/// How long a reader lets datagrams gather at most when fewer waited than it takes at once: each that is fetched on its
/// own wakes three threads, which costs more than to decode and to store it.
const GATHER: Duration = Duration::from_millis(5);
/// What the kernel books for a datagram of 1,500 octets.
const BOOKED: u64 = 2304;
/// Microseconds between two datagrams of the fastest burst that must not be lost: 200,000 in a second.
const BURST_US: u64 = 5;

/// Datagrams that came with one system call.
#[derive(Debug)]
pub(super) struct Batch {
    /// Where they were received.
    to: SocketAddr,
    octets: Vec<u8>,
    /// Receive time, sender, and where each ends.
    datagrams: Vec<(Timestamp, SocketAddr, usize)>,
}

impl Batch {
    fn push(&mut self, at: Timestamp, from: SocketAddr, payload: &[u8]) {
        self.octets.extend_from_slice(payload);
        self.datagrams.push((at, from, self.octets.len()));
    }

    /// Hands out each datagram with its receive time, sender and receiver, in the order in which they came.
    pub(super) fn each(&self, mut each: impl FnMut(Timestamp, SocketAddr, SocketAddr, &[u8])) {
        let mut begin = 0;
        for &(at, from, end) in &self.datagrams {
            each(at, from, self.to, self.octets.get(begin..end).unwrap_or_default());
            begin = end;
        }
    }

    const fn held(&self) -> usize {
        self.octets.len().saturating_add(self.datagrams.len().saturating_add(1).saturating_mul(OVERHEAD))
    }
}

/// The threads, and what they brought.
pub(super) struct Readers {
    threads: Vec<JoinHandle<Result<()>>>,
    batches: Receiver<Batch>,
    /// Octets that wait.
    waiting: Arc<AtomicUsize>,
    halt: Arc<AtomicBool>,
}

impl Readers {
    pub(super) fn start(sockets: Vec<Socket>) -> Result<Self> {
        let (sender, batches) = unbounded();
        let (waiting, halt) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let start = |socket: Socket| {
            let reader =
                Reader { socket, batches: sender.clone(), waiting: Arc::downgrade(&waiting), halt: Arc::clone(&halt) };
            let thread = thread::Builder::new().name("reader".to_owned()).spawn(move || reader.run());
            thread.context("cannot start a reader thread")
        };
        let threads = sockets.into_iter().map(start).collect::<Result<_>>()?;
        Ok(Self { threads, batches, waiting, halt })
    }

    /// The next batch, if one comes within the time.
    pub(super) fn next(&self, timeout: Duration) -> Option<Batch> {
        self.batches.recv_timeout(timeout).ok().inspect(|batch| self.taken(batch))
    }

    /// Whether a socket has failed.
    pub(super) fn have_failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops when nothing is left in the kernel's buffers: what it has accepted is not lost by a signal.
    ///
    /// # Errors
    /// The first socket that failed.
    pub(super) fn finish(self, mut each: impl FnMut(&Batch)) -> Result<()> {
        self.halt.store(true, Ordering::Relaxed);
        while let Ok(batch) = self.batches.recv() {
            self.taken(&batch);
            each(&batch);
        }
        let join = |thread: JoinHandle<_>| thread.join().map_err(|_| anyhow!("a reader failed; this is a bug"))?;
        self.threads.into_iter().try_for_each(join)
    }

    fn taken(&self, batch: &Batch) {
        self.waiting.fetch_sub(batch.held(), Ordering::Relaxed);
    }
}

struct Reader {
    socket: Socket,
    batches: Sender<Batch>,
    /// Gone when nobody decodes any more.
    waiting: Weak<AtomicUsize>,
    halt: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) -> Result<()> {
        let to = self.socket.gauge().local_addr();
        let gather = gather(self.socket.gauge().stats().buffer);
        // Batches of one kind of traffic are of about one size.
        let mut usual = (0, 0);
        while let Some(waiting) = self.waiting.upgrade() {
            if WAITING <= waiting.load(Ordering::Relaxed) {
                thread::sleep(NAP);
                continue;
            }
            let is_last = self.halt.load(Ordering::Relaxed);
            let timeout = if is_last { Duration::ZERO } else { WAKE };
            let mut batch = Batch { to, octets: Vec::with_capacity(usual.0), datagrams: Vec::with_capacity(usual.1) };
            let received = self.socket.receive(timeout, |at, from, payload| batch.push(at, from, payload));
            let received = received.with_context(|| format!("cannot receive on {to}"))?;
            if 0 < received {
                usual = (batch.octets.len(), batch.datagrams.len());
                waiting.fetch_add(batch.held(), Ordering::Relaxed);
                if self.batches.send(batch).is_err() {
                    break;
                }
                if received < BATCH && !is_last {
                    thread::sleep(gather);
                }
            } else if is_last {
                break;
            }
        }
        Ok(())
    }
}

/// While datagrams gather, no burst fills more than a third of the kernel's buffer.
fn gather(buffer: u64) -> Duration {
    GATHER.min(Duration::from_micros(buffer / 3 / BOOKED * BURST_US))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::receive::Options;

    fn socket() -> Socket {
        Socket::bind(&Options { listen: "127.0.0.1:0".parse().unwrap(), buffer: 1 << 24 }).unwrap()
    }

    #[test]
    fn every_datagram_of_every_socket_comes_in_order_with_where_it_was_received() {
        let sockets = [socket(), socket()];
        let addresses = sockets.each_ref().map(|socket| socket.gauge().local_addr());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..1000_u32 {
            sender.send_to(&number.to_be_bytes(), addresses[usize::from(number % 3 == 0)]).unwrap();
        }
        let readers = Readers::start(sockets.into()).unwrap();
        let mut got: [Vec<u32>; 2] = Default::default();
        readers
            .finish(|batch| {
                batch.each(|_, from, to, payload| {
                    assert_eq!(from, sender.local_addr().unwrap());
                    got[usize::from(to == addresses[1])].push(u32::from_be_bytes(payload.try_into().unwrap()));
                });
            })
            .unwrap();
        assert_eq!(got[0], (0..1000).filter(|number| number % 3 != 0).collect::<Vec<_>>());
        assert_eq!(got[1], (0..1000).step_by(3).collect::<Vec<_>>());
    }

    #[test]
    fn at_the_bound_the_kernel_keeps_what_comes() {
        let socket = socket();
        let gauge = Arc::clone(socket.gauge());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (batches, queue) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(WAITING));
        let halt = Arc::<AtomicBool>::default();
        let reader = Reader { socket, batches, waiting: Arc::downgrade(&waiting), halt: Arc::clone(&halt) };
        let thread = thread::spawn(move || reader.run());
        sender.send_to(b"waits", gauge.local_addr()).unwrap();
        halt.store(true, Ordering::Relaxed);
        assert!(0 < gauge.stats().queued && queue.is_empty(), "the reader does not read");
        waiting.store(0, Ordering::Relaxed);
        assert_eq!(queue.recv().unwrap().octets, b"waits");
        thread.join().unwrap().unwrap();
        assert_eq!(gauge.stats().queued, 0);
    }

    #[test]
    fn what_gathers_is_a_third_of_a_small_buffer_at_most() {
        // Linux' default, doubled as the kernel does.
        let default = gather(2 * 212_992).as_micros();
        assert!((250..=310).contains(&default), "{default} µs");
        assert_eq!(gather(64 << 20), GATHER);
        assert_eq!(gather(0), Duration::ZERO);
    }

    #[test]
    fn when_nobody_decodes_a_reader_ends() {
        // All but the threads is dropped here.
        let threads = |readers: Readers| readers.threads;
        let mut threads = threads(Readers::start(vec![socket()]).unwrap());
        threads.remove(0).join().unwrap().unwrap();
    }
}
