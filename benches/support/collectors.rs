//! The collectors that the ingest bench loads: ours, and those beside it that the machine has.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::support::{peak, say};

/// A receive buffer as large as a plain user gets on many systems; the kernel cuts it where it allows less.
const BUFFER: usize = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Flowglass,
    /// Flat files, one flow after another.
    Nfcapd,
    /// SQLite too, through a process of its own. Tuned: inserts only, many rows to a statement, no index, and a buffer
    /// between its processes of 256 MiB.
    Nfacctd,
}

/// What a collector kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) flows: u64,
    /// Equals `flows` but where flows are merged.
    pub(crate) rows: u64,
    /// On disk.
    pub(crate) octets: u64,
}

pub(crate) struct Collector {
    kind: Kind,
    folder: tempfile::TempDir,
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a collector used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu_s: f64,
    /// Of all its processes together.
    pub(crate) peak_mib: u64,
    /// Datagrams that the kernel dropped at its socket.
    pub(crate) dropped: u64,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flowglass => "flowglass",
            Self::Nfcapd => "nfcapd",
            Self::Nfacctd => "nfacctd",
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        let programs: &[&str] = match self {
            Self::Flowglass => return true,
            Self::Nfcapd => &["nfcapd", "nfdump"],
            Self::Nfacctd => &["nfacctd"],
        };
        programs.iter().all(|name| program(name).is_some())
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(self) -> Collector {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let mut command = self.command(folder.path(), port);
        // Its processes are found by their group, whatever becomes of their parents.
        let child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let begin = Instant::now();
        while Socket::of(address).is_none() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{} does not listen", self.name());
            thread::sleep(Duration::from_millis(20));
        }
        Collector { kind: self, folder, child, address }
    }

    fn command(self, folder: &Path, port: u16) -> Command {
        let (port, buffer) = (port.to_string(), BUFFER.to_string());
        match self {
            Self::Flowglass => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_flowglass"));
                command.args(["--no-ui", "--host", "127.0.0.1", "--port", &port, "--db"]).arg(folder.join("flows.db"));
                command
            }
            Self::Nfcapd => {
                let mut command = Command::new(program("nfcapd").expect("nfcapd"));
                command.args(["-b", "127.0.0.1", "-p", &port, "-B", &buffer, "-t", "3600", "-w"]).arg(folder);
                command
            }
            Self::Nfacctd => {
                let database = folder.join("flows.db");
                let connection = Connection::open(&database).expect("a new database");
                connection.execute_batch(NFACCTD_TABLE).expect("a table");
                let file = folder.join("nfacctd.conf");
                let text = NFACCTD
                    .replace("PORT", &port)
                    .replace("BUFFER", &buffer)
                    .replace("DATABASE", &database.display().to_string());
                fs::write(&file, text).expect("a file of settings");
                let mut command = Command::new(program("nfacctd").expect("nfacctd"));
                command.arg("-f").arg(file);
                command
            }
        }
    }

    fn kept(self, folder: &Path) -> Kept {
        let octets = fs::read_dir(folder)
            .map_or(0, |files| files.flatten().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum());
        let kept = match self {
            Self::Flowglass => sums(folder, "SELECT sum(bytes), sum(packets), count(*), count(*) FROM flow"),
            Self::Nfacctd => sums(folder, "SELECT sum(bytes), sum(packets), sum(flows), count(*) FROM acct"),
            Self::Nfcapd => nfdump(folder),
        };
        Kept { octets, ..kept }
    }
}

impl Collector {
    /// Ends it once it has emptied its socket, and waits until it has written what it holds.
    pub(crate) fn end(mut self) -> (Used, Kept) {
        let begin = Instant::now();
        while Socket::of(self.address).is_some_and(|socket| 0 < socket.queued) {
            assert!(begin.elapsed() < Duration::from_secs(60), "{} does not empty its socket", self.kind.name());
            thread::sleep(Duration::from_millis(20));
        }
        let dropped = Socket::of(self.address).map_or(0, |socket| socket.dropped);
        let group = self.child.id();
        let before = cpu_of_children();
        let mut peak_mib = peak_of(group);
        // Not to the group: a process that stores for another ends when that one tells it to.
        let _ = Command::new("kill").args(["-INT", &group.to_string()]).status();
        while self.child.try_wait().ok().flatten().is_none() {
            peak_mib = peak_mib.max(peak_of(group));
            thread::sleep(Duration::from_millis(20));
        }
        // Children of its children come to us when their parents are gone.
        while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok_and(|status| status.is_some()) {}
        let used = Used { cpu_s: cpu_of_children() - before, peak_mib, dropped };
        (used, self.kind.kept(self.folder.path()))
    }
}

/// Has what a collector leaves behind become a child of this process, so that its time is counted too.
pub(crate) fn adopt() {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).expect("a kernel since 3.4");
}

/// One line of /proc/net/udp.
struct Socket {
    queued: u64,
    dropped: u64,
}

impl Socket {
    fn of(address: SocketAddr) -> Option<Self> {
        let table = fs::read_to_string("/proc/net/udp").expect("the kernel's table of sockets");
        let end = format!(":{:04X}", address.port());
        let line =
            table.lines().find(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&end)))?;
        let mut fields = line.split_whitespace();
        let queues = fields.nth(4)?;
        let queued = u64::from_str_radix(queues.split(':').nth(1)?, 16).ok()?;
        Some(Self { queued, dropped: fields.last()?.parse().ok()? })
    }
}

/// Peak resident MiB of all processes of a group.
fn peak_of(group: u32) -> u64 {
    let processes = fs::read_dir("/proc").expect("the kernel's table of processes").flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| group_of(name) == Some(group)).map(|name| peak(&name)).sum()
}

fn group_of(process: &str) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(2)?.parse().ok()
}

/// CPU seconds of the children that have ended: user and system time, in hundredths, behind our own.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// Daemons are often where a plain user's `PATH` does not look.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(OsString::from).map(PathBuf::from);
    env::split_paths(&path).chain(daemons).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn sums(folder: &Path, query: &str) -> Kept {
    let database = Connection::open(folder.join("flows.db")).expect("the database");
    let number =
        |row: &rusqlite::Row<'_>, at| row.get::<_, Option<i64>>(at).map(|sum| sum.unwrap_or(0).cast_unsigned());
    let row = |row: &rusqlite::Row<'_>| {
        let (bytes, packets) = (number(row, 0)?, number(row, 1)?);
        Ok(Kept { bytes, packets, flows: number(row, 2)?, rows: number(row, 3)?, octets: 0 })
    };
    database.query_row(query, [], row).unwrap_or_else(|error| {
        say(&format!("its sums cannot be read: {error}"));
        Kept::default()
    })
}

/// The sums of `nfdump -I`, lines as `Flows: 1000`.
fn nfdump(folder: &Path) -> Kept {
    let mut command = Command::new(program("nfdump").expect("nfdump"));
    let mut child = command.args(["-I", "-R"]).arg(folder).stdout(Stdio::piped()).spawn().expect("nfdump");
    let mut text = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut text).expect("text");
    let _ = child.wait();
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    let flows = number("Flows");
    Kept { bytes: number("Bytes"), packets: number("Packets"), flows, rows: flows, octets: 0 }
}

const NFACCTD: &str = "\
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: PORT
nfacctd_pipe_size: BUFFER
nfacctd_as: netflow
plugins: sqlite3[a]
aggregate[a]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface, src_as, dst_as, \
timestamp_start, timestamp_end, flows
timestamps_secs: true
sql_db[a]: DATABASE
sql_table[a]: acct
sql_table_version[a]: 9
sql_optimize_clauses[a]: true
sql_dont_try_update[a]: true
sql_refresh_time[a]: 10
sql_multi_values[a]: 1000000
sql_cache_entries[a]: 1000003
plugin_pipe_size: 268435456
plugin_buffer_size: 524288
";

const NFACCTD_TABLE: &str = "CREATE TABLE acct (
    ip_src TEXT, ip_dst TEXT, port_src INT, port_dst INT, ip_proto TEXT, tos INT, tcp_flags INT, iface_in INT,
    iface_out INT, as_src INT, as_dst INT, timestamp_start TEXT, timestamp_end TEXT, stamp_inserted TEXT,
    stamp_updated TEXT, packets INT, bytes INT, flows INT
)";
