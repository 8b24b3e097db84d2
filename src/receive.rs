//! The UDP socket: datagrams in batches, each with the kernel's receive time, and what the kernel dropped.
//!
//! It does not look into a payload, starts no thread and decides nothing about what arrives. Its input is the network;
//! what it hands out is octets that live until the next call.
//!
//! `recvmmsg` takes up to [`BATCH`] datagrams with one system call. No safe wrapper keeps every control message over
//! the life of its buffers, so the call is made here, in the only file of the crate that may be unsafe. Everything that
//! the kernel may write to is laid out anew before each call: a header that still carried the lengths of the last call
//! would lose the time stamp of the next one.
#![expect(unsafe_code, reason = "recvmmsg, its control messages and four socket options have no safe wrapper")]

pub mod gate;

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::{c_int, c_void, socklen_t};
use socket2::{Domain, Protocol, Socket, Type};

use crate::collector::stats::SocketStats;
use crate::flow::Timestamp;

/// Datagrams taken by one system call; more wait in the kernel's buffer for the next one.
pub const BATCH: usize = 64;
/// Octets of receive buffer asked for unless told otherwise: about two seconds of 100,000 flows a second.
pub const BUFFER: usize = 32 * 1024 * 1024;

/// Octets kept of one datagram. UDP cannot say more; a longer jumbogram is cut and counted.
const SLOT: usize = 65_535;
/// Octets of control messages kept of one datagram, as many words of eight; a time stamp needs 32.
const CONTROL: usize = 8;
/// The kernel doubles what is asked for, since its own overhead is counted into the buffer (socket(7)).
const OVERHEAD: u64 = 2;
/// The shortest wait, since 0 would mean "for ever" to the kernel.
const SHORTEST: Duration = Duration::from_millis(1);

/// What to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `[::]` takes IPv4 too.
    pub listen: SocketAddr,
    /// Octets of receive buffer to ask for; what is granted stands in [`Gauge::stats`].
    pub buffer: usize,
}

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open a UDP socket for {listen}: {source}")]
    Socket { listen: SocketAddr, source: io::Error },
    #[error("cannot listen on {listen}: {}", reason(source))]
    Bind { listen: SocketAddr, source: io::Error },
}

impl Error {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let Self::Bind { listen, source } = self else { return None };
        match source.kind() {
            io::ErrorKind::AddrInUse => Some(format!("another collector? try `ss -lunp sport = :{}`", listen.port())),
            io::ErrorKind::AddrNotAvailable => {
                Some(format!("no interface has {}; `ip address` lists what there is", listen.ip()))
            }
            io::ErrorKind::PermissionDenied => {
                Some(format!("port {} is for the superuser; take one from 1024 up", listen.port()))
            }
            _ => None,
        }
    }
}

fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no such address on this host".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => source.to_string(),
    }
}

/// A bound socket and the room for one batch.
#[derive(Debug)]
pub struct Receiver {
    gauge: Arc<Gauge>,
    timeout: Duration,
    /// [`BATCH`] slots of [`SLOT`] octets; the pages that no datagram reaches are never touched.
    slots: Vec<u8>,
}

/// What the kernel says of a socket, to be asked by any thread while another one reads.
#[derive(Debug)]
pub struct Gauge {
    socket: Socket,
    listen: SocketAddr,
    buffer_asked: u64,
    truncated: AtomicU64,
    /// The kernel's count of 32 bits, carried on beyond its wrap.
    dropped: AtomicU64,
}

impl Receiver {
    /// Binds and asks for time stamps and buffer.
    ///
    /// # Errors
    /// When there is no socket to be had, or the address is taken, not ours, or not allowed.
    pub fn bind(options: &Options) -> Result<Self, Error> {
        let listen = options.listen;
        let socket = open(listen).map_err(|source| Error::Socket { listen, source })?;
        let asked = prepare(&socket, options.buffer).map_err(|source| Error::Socket { listen, source })?;
        socket.bind(&listen.into()).map_err(|source| Error::Bind { listen, source })?;
        let bound = socket.local_addr().map_err(|source| Error::Bind { listen, source })?;
        Ok(Self::new(socket, bound.as_socket().unwrap_or(listen), asked))
    }

    /// Takes over a socket that was bound by somebody else.
    ///
    /// # Errors
    /// When the kernel does not say where it is bound, or refuses the buffer.
    pub fn adopt(socket: UdpSocket, buffer: usize) -> io::Result<Self> {
        let listen = socket.local_addr()?;
        // Whoever made it may have had no wish to wait.
        socket.set_nonblocking(false)?;
        let socket = Socket::from(socket);
        let asked = prepare(&socket, buffer)?;
        Ok(Self::new(socket, listen, asked))
    }

    fn new(socket: Socket, listen: SocketAddr, buffer_asked: u64) -> Self {
        let (truncated, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        let gauge = Arc::new(Gauge { socket, listen, buffer_asked, truncated, dropped });
        Self { gauge, timeout: Duration::ZERO, slots: vec![0; BATCH * SLOT] }
    }

    pub const fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// Waits until at least one datagram came or `timeout` passed, and hands every datagram that is there, up to
    /// [`BATCH`], to `each` with its receive time and sender. Returns how many there were.
    ///
    /// # Errors
    /// When the kernel reports anything but "nothing came" and "a signal came".
    pub fn receive(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(Timestamp, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let timeout = timeout.max(SHORTEST);
        if timeout != self.timeout {
            self.gauge.socket.set_read_timeout(Some(timeout))?;
            self.timeout = timeout;
        }
        let mut names = [Name::blank(); BATCH];
        let mut controls = [Control([0; CONTROL]); BATCH];
        let received = batch(&self.gauge.socket, &mut self.slots, &mut names, &mut controls)?;
        for (((got, name), control), slot) in
            received.iter().zip(&names).zip(&controls).zip(self.slots.chunks_exact(SLOT))
        {
            self.gauge.truncated.fetch_add(u64::from(got.is_cut), Ordering::Relaxed);
            let Some(payload) = slot.get(..got.octets) else { continue };
            let at = control.stamp(got.control).unwrap_or_else(now);
            each(at, name.address(got.name), payload);
        }
        Ok(received.len())
    }
}

impl Gauge {
    /// The address with the port that was given, where 0 was asked for.
    pub const fn local_addr(&self) -> SocketAddr {
        self.listen
    }

    /// What the kernel says of the socket.
    pub fn stats(&self) -> SocketStats {
        let memory = memory(&self.socket).unwrap_or_default();
        SocketStats {
            listen: self.listen,
            buffer_asked: self.buffer_asked,
            buffer: memory.buffer.into(),
            queued: memory.queued.into(),
            dropped: self.widened(memory.dropped),
            truncated: self.truncated.load(Ordering::Relaxed),
        }
    }

    /// The command that lets the kernel grant the buffer that was asked for, when it granted less.
    pub fn buffer_hint(&self) -> Option<String> {
        let stats = self.stats();
        hint(stats.buffer_asked, stats.buffer)
    }

    /// The kernel's count wraps within half a day at 100,000 drops a second; ours does not.
    fn widened(&self, count: u32) -> u64 {
        let before = self.dropped.load(Ordering::Relaxed);
        let low = u32::try_from(before & u64::from(u32::MAX)).unwrap_or(0);
        let after = before.saturating_add(count.wrapping_sub(low).into());
        self.dropped.fetch_max(after, Ordering::Relaxed).max(after)
    }
}

fn open(listen: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    if listen.is_ipv6() && listen.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// Asks for time stamps and buffer; returns the octets of buffer that were asked for, with the kernel's overhead.
fn prepare(socket: &Socket, buffer: usize) -> io::Result<u64> {
    let asked = c_int::try_from(buffer).unwrap_or(c_int::MAX).min(c_int::MAX / 2);
    // Without the right to exceed `net.core.rmem_max` the second call gets as much of it as allowed.
    let wanted = u64::try_from(asked).unwrap_or(0).saturating_mul(OVERHEAD);
    let has = |socket: &Socket| memory(socket).is_ok_and(|memory| wanted <= u64::from(memory.buffer));
    // A service manager may have given more than this process could ask for.
    if set(socket, libc::SO_RCVBUFFORCE, asked).is_err() && !has(socket) {
        set(socket, libc::SO_RCVBUF, asked)?;
    }
    // A kernel that cannot stamp leaves it to the clock of this process.
    let _ = set(socket, libc::SO_TIMESTAMPNS, 1);
    Ok(u64::try_from(asked).unwrap_or(0).saturating_mul(OVERHEAD))
}

/// Both in octets with the kernel's overhead; `net.core.rmem_max` is meant without.
fn hint(asked: u64, granted: u64) -> Option<String> {
    (granted < asked).then(|| format!("sysctl -w net.core.rmem_max={}", asked / OVERHEAD))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the kernel wrote into the header of one datagram.
#[derive(Debug, Clone, Copy, Default)]
struct Got {
    octets: usize,
    name: usize,
    control: usize,
    is_cut: bool,
}

/// One call, for which everything that the kernel reads and writes is laid out anew.
fn batch(
    socket: &Socket,
    slots: &mut [u8],
    names: &mut [Name; BATCH],
    controls: &mut [Control; BATCH],
) -> io::Result<Vec<Got>> {
    // SAFETY: both are plain numbers and pointers of C, for which all bits zero is a value.
    let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { (zeroed(), zeroed()) };
    let rooms = slots.chunks_exact_mut(SLOT).zip(names).zip(controls);
    for ((header, vector), ((slot, name), control)) in headers.iter_mut().zip(&mut vectors).zip(rooms) {
        *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        header.msg_hdr.msg_name = (&raw mut name.0).cast();
        header.msg_hdr.msg_namelen = length_of::<libc::sockaddr_storage>();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = size_of::<Control>() as _;
    }
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    let count = loop {
        // SAFETY: the descriptor is open as long as `socket` lives. Every header points to one vector, one name and
        // one control buffer of its own, with their true lengths; all of them are borrowed until after the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_WAITFORONE as _,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => break count,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.kind() == io::ErrorKind::WouldBlock => break 0,
                error => return Err(error),
            },
        }
    };
    let got = |header: &libc::mmsghdr| Got {
        octets: usize::try_from(header.msg_len).unwrap_or(0),
        name: usize::try_from(header.msg_hdr.msg_namelen).unwrap_or(0),
        control: header.msg_hdr.msg_controllen as _,
        is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
    };
    Ok(headers.iter().take(count).map(got).collect())
}

/// Room for the sender's address.
#[derive(Clone, Copy)]
struct Name(libc::sockaddr_storage);

impl Name {
    const fn blank() -> Self {
        // SAFETY: an address is plain numbers, for which all bits zero is a value.
        Self(unsafe { zeroed() })
    }

    /// The address, an IPv4 one as itself and not mapped into IPv6.
    fn address(&self, length: usize) -> SocketAddr {
        let family = c_int::from(self.0.ss_family);
        if family == libc::AF_INET && size_of::<libc::sockaddr_in>() <= length {
            // SAFETY: the storage is larger than any address and aligned for all of them, and the kernel has written
            // an address of this family and at least this length.
            let name = unsafe { *(&raw const self.0).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            return SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into();
        }
        if family == libc::AF_INET6 && size_of::<libc::sockaddr_in6>() <= length {
            // SAFETY: as above.
            let name = unsafe { *(&raw const self.0).cast::<libc::sockaddr_in6>() };
            let port = u16::from_be(name.sin6_port);
            let ip = std::net::Ipv6Addr::from(name.sin6_addr.s6_addr);
            return match ip.to_ipv4_mapped() {
                Some(ip) => SocketAddrV4::new(ip, port).into(),
                None => SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into(),
            };
        }
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into()
    }
}

/// Room for control messages, aligned as their headers want it.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Control([u64; CONTROL]);

impl Control {
    /// The kernel's receive time, if it is among the `length` octets of control messages.
    fn stamp(&self, length: usize) -> Option<Timestamp> {
        // SAFETY: plain numbers and pointers of C, for which all bits zero is a value.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_control = self.0.as_ptr().cast_mut().cast();
        header.msg_controllen = length.min(size_of::<Self>()) as _;
        // SAFETY: the header says where the control messages are and how long; the macros of C stay within, and
        // nothing is written through the pointer.
        let mut message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        while !message.is_null() {
            // SAFETY: the pointer is not null, so that it is one to a whole header within `self`.
            let head = unsafe { *message };
            // SAFETY: a sum of constants, no memory is read.
            let whole = unsafe { libc::CMSG_LEN(length_of::<libc::timespec>()) } as usize;
            if (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)
                && whole <= head.cmsg_len as usize
            {
                // SAFETY: the message is long enough for a time, which may stand at any alignment.
                let time = unsafe { libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned() };
                let (seconds, nanoseconds) = (time.tv_sec as i64, time.tv_nsec as i64);
                return Some(Timestamp(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)));
            }
            // SAFETY: `message` came from the same header.
            message = unsafe { libc::CMSG_NXTHDR(&raw const header, message) };
        }
        None
    }
}

/// What `SO_MEMINFO` says, in the kernel's order (`SK_MEMINFO_…` of linux/sock_diag.h).
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    queued: u32,
    buffer: u32,
    dropped: u32,
}

fn memory(socket: &Socket) -> io::Result<Memory> {
    let mut numbers = [0_u32; 9];
    let mut length = length_of::<[u32; 9]>();
    // SAFETY: the kernel writes at most `length` octets, which is what the array has; all bits make numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let [queued, buffer, .., dropped] = numbers;
    Ok(Memory { queued, buffer, dropped })
}

fn set(socket: &Socket, option: c_int, value: c_int) -> io::Result<()> {
    let length = length_of::<c_int>();
    // SAFETY: the kernel reads one number, which lives until after the call.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast::<c_void>(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The size of a type as C counts it.
fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
