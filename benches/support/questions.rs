//! What is asked of a large file, with nfdump beside it over the same flows in its own files.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flowglass::flow::{FlowRecord, Timestamp};
use flowglass::store::RowKey;
use flowglass::store::ask::{By, Question, Read};
use flowglass::store::history::History;
use flowglass::store::scan::Watch;
use flowglass::store::top::Order;
use flowglass::window::{Dimension, Limits, View, Window};
use flowglass::wire::emit::Message;
use flowglass::wire::v9;
use flowglass::{filter, names};

use super::support::{FIELDS, say, template};

/// Flows per second that are sent to nfcapd, which loses some when more come.
const RATE: f64 = 250_000.0;

/// Asks everything of the database at `path`, with nfdump's files beside it.
pub(crate) fn ask(path: &Path, rare: Ipv4Addr) {
    let history = History::open(path).expect("the database");
    let newest = history.newest().expect("a key").expect("a row").received();
    let minute = newest.0.div_euclid(60_000);
    let end = Timestamp((minute + 1) * 60_000);
    let files = nfdump_files(path, &history);
    let day = (end.plus(-86_400_000), end);
    // Host 0 is the largest of all, 5,000 one among many.
    let (heavy, middle) = ("10.0.0.0", "10.0.19.136");
    for (by, text, aggregate) in [
        (By::Conversation, "any".to_owned(), "srcip,dstip,proto"),
        (By::Source, "any".to_owned(), "srcip"),
        (By::Service, "any".to_owned(), "dstport,proto"),
        (By::Conversation, format!("ip {heavy}"), "srcip,dstip,proto"),
        (By::Conversation, format!("ip {middle}"), "srcip,dstip,proto"),
        (By::Conversation, format!("ip {rare}"), "srcip,dstip,proto"),
        (By::Conversation, "net 203.0.113.0/24".to_owned(), "srcip,dstip,proto"),
        (By::Conversation, "service 443".to_owned(), "srcip,dstip,proto"),
        (By::Interface, "router ip 192.0.2.1".to_owned(), "inif"),
        (By::Conversation, "router ip 192.0.2.1".to_owned(), "srcip,dstip,proto"),
        (By::As, "any".to_owned(), "srcas"),
    ] {
        ranking(&history, (by, &text, aggregate), day, &files);
    }
    for text in [format!("ip {rare}"), format!("ip {middle}")] {
        flows(&history, &text, day, &files);
    }
    a_minute(&history, end.plus(-3 * 3_600_000), &files);
    scan(&history, end);
}

/// What the screen does when somebody goes to a moment, at three of them.
pub(crate) fn rewind(path: &Path) {
    let newest = History::open(path).and_then(|history| history.newest()).expect("a key").expect("a row").received();
    for hours in [1, 3, 20] {
        let minute = (newest.0 - hours * 3_600_000).div_euclid(60_000);
        to_a_minute(path, Timestamp(minute * 60_000));
    }
}

/// The minute before a moment at once, from the rows that have a part in it.
fn to_a_minute(path: &Path, at: Timestamp) {
    let begin = Instant::now();
    let history = History::open(path).expect("the database");
    let mut window = Window::new(Limits::default()).with_end(at);
    let (mut flows, mut count) = (Vec::with_capacity(4096), 0);
    let all = filter::Filter::all();
    let read = history.flows(&all, (at.plus(-60_000), at), &Watch::NOBODY, |flow| {
        flows.push(*flow);
        if flows.len() == 4096 {
            count += flows.len();
            window.record_all(&flows);
            flows.clear();
        }
        ControlFlow::Continue(())
    });
    read.expect("flows");
    window.record_all(&flows);
    count += flows.len();
    let read_ms = begin.elapsed().as_secs_f64() * 1e3;
    let mut rows = |dimension| window.snapshot(&View { dimension, ..View::default() }, at).row_count;
    let rows = [Dimension::Conversation, Dimension::Service].map(&mut rows);
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    say(&format!("rewind to a minute: {ms:.1} ms, {read_ms:.1} of it for {count} flows; rows: {rows:?}"));
}

fn ranking(history: &History, (by, text, aggregate): (By, &str, &str), span: (Timestamp, Timestamp), files: &Files) {
    let filter = filter::parse(text, &names::meanings).expect("a filter");
    let question = Question { filter: &filter, by, order: Order::Bytes, span, read: Read::Quick };
    let ask = || history.ranking(&question, 20, &Watch::NOBODY).expect("a ranking");
    let begin = Instant::now();
    let found = ask();
    let mut ms = begin.elapsed().as_secs_f64() * 1e3;
    for _ in 0..2 {
        if ms < 10_000.0 {
            let begin = Instant::now();
            ask();
            ms = ms.min(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    let theirs = files.time(&["-s", "record/bytes", "-n", "20", "-A", aggregate], &nfdump_filter(text));
    let name = by.name();
    say(&format!(
        "top 20 by {name}, 24 h, {text}: {ms:.1} ms from {:?}, exact: {}; {}",
        found.source,
        found.exact,
        beside(theirs, ms)
    ));
}

fn flows(history: &History, text: &str, span: (Timestamp, Timestamp), files: &Files) {
    let filter = filter::parse(text, &names::meanings).expect("a filter");
    let begin = Instant::now();
    let mut first = None;
    let count = history.flows(&filter, span, &Watch::NOBODY, |_| {
        first.get_or_insert_with(|| begin.elapsed());
        ControlFlow::Continue(())
    });
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    let first = first.map_or(0.0, |first: Duration| first.as_secs_f64() * 1e3);
    let theirs = files.time(&["-o", "line"], &nfdump_filter(text));
    let count = count.expect("flows");
    say(&format!("flows, 24 h, {text}: {count} in {ms:.1} ms, the first after {first:.1} ms; {}", beside(theirs, ms)));
}

/// What a screen shows of one minute: rankings of five kinds, and the series of the hour around it.
fn a_minute(history: &History, at: Timestamp, files: &Files) {
    let all = filter::Filter::all();
    let begin = Instant::now();
    for by in [By::Conversation, By::Host, By::Service, By::Protocol, By::Interface] {
        let span = (at, at.plus(60_000));
        let question = Question { filter: &all, by, order: Order::Bytes, span, read: Read::Quick };
        history.ranking(&question, 50, &Watch::NOBODY).expect("a ranking");
    }
    let span = (at.plus(-1_800_000), at.plus(1_800_000));
    let question = Question { filter: &all, by: By::Protocol, order: Order::Bytes, span, read: Read::Quick };
    history.rates(&question, 60_000, &Watch::NOBODY).expect("a series");
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    let theirs = files.time(&["-s", "record/bytes", "-n", "50", "-A", "srcip,dstip,proto"], "any");
    say(&format!("a minute three hours ago, five rankings and the hour's series: {ms:.1} ms; {}", beside(theirs, ms)));
}

/// How many raw rows are read a second where all must be.
fn scan(history: &History, end: Timestamp) {
    for (by, text) in [(By::Conversation, "any"), (By::As, "any"), (By::Protocol, "bytes > 90k")] {
        let filter = filter::parse(text, &names::meanings).expect("a filter");
        let span = (end.plus(-7_200_000), end);
        let question = Question { filter: &filter, by, order: Order::Bytes, span, read: Read::Rows };
        let begin = Instant::now();
        let found = history.ranking(&question, 20, &Watch::NOBODY).expect("a ranking");
        let seconds = begin.elapsed().as_secs_f64();
        let all = Question { filter: &filter::Filter::all(), by: By::Exporter, ..question };
        let rows = history.ranking(&all, 1, &Watch::NOBODY).expect("a count").total.flows as f64;
        let name = by.name();
        say(&format!(
            "two hours of rows by {name}, {text}: {:.2} million rows/s, {:?}",
            rows / seconds / 1e6,
            found.source
        ));
    }
}

/// In nfdump's words.
fn nfdump_filter(text: &str) -> String {
    text.replace("service", "port")
}

fn beside(theirs: Option<f64>, ours: f64) -> String {
    theirs.map_or_else(
        || "nfdump is not installed".to_owned(),
        |theirs| format!("nfdump {theirs:.0} ms over all its files, {:.1} times ours", theirs / ours),
    )
}

/// The folder of nfcapd's files, where it is installed.
struct Files(Option<PathBuf>);

impl Files {
    /// Milliseconds of one run.
    fn time(&self, arguments: &[&str], filter: &str) -> Option<f64> {
        let folder = self.0.as_ref()?;
        let begin = Instant::now();
        let mut command = Command::new("nfdump");
        command.arg("-R").arg(folder).args(arguments).arg(filter).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().ok()?;
        Some(begin.elapsed().as_secs_f64() * 1e3)
    }
}

/// Sends every flow of the database to nfcapd, unless a run before did.
fn nfdump_files(path: &Path, history: &History) -> Files {
    let folder = path.with_extension("nfcapd");
    if Command::new("nfdump").arg("-V").stdout(Stdio::null()).status().is_err() {
        return Files(None);
    }
    let mark = path.with_extension("nfcapd.done");
    if !mark.exists() {
        fs::create_dir_all(&folder).expect("a folder");
        let port = 29_995;
        let mut nfcapd: Child = Command::new("nfcapd")
            .args(["-p", &port.to_string(), "-B", "50000000", "-y", "-w"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nfcapd");
        thread::sleep(Duration::from_secs(1));
        let sent = send(history, ([127, 0, 0, 1], port).into());
        thread::sleep(Duration::from_secs(3));
        let pid = rustix::process::Pid::from_child(&nfcapd);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = nfcapd.wait();
        let stored = stored(&folder);
        say(&format!("nfcapd was sent {sent} flows and stored {stored}"));
        fs::write(mark, "").expect("a mark");
    }
    Files(Some(folder))
}

/// Flows in nfdump's files.
fn stored(folder: &Path) -> String {
    let output = Command::new("nfdump").arg("-R").arg(folder).args(["-I"]).output().expect("nfdump");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = text.lines().find_map(|line| line.strip_prefix("Flows: ").map(str::to_owned));
    count.unwrap_or_else(|| "?".to_owned())
}

fn send(history: &History, to: SocketAddr) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (mut after, mut flows) = (RowKey::START, Vec::new());
    let (begin, mut sent, mut sequence) = (Instant::now(), 0_u64, 0_u32);
    let boot = history_begin(history);
    loop {
        flows.clear();
        let Some(last) = history.since(after, 50_000, &mut flows).expect("flows") else { return sent };
        after = last;
        for chunk in flows.chunks(24) {
            socket.send_to(&datagram(chunk, boot, sequence), to).expect("sending on loopback");
            sequence += 1;
            sent += chunk.len() as u64;
            let due = Duration::from_secs_f64(sent as f64 / RATE);
            if let Some(early) = due.checked_sub(begin.elapsed()).filter(|early| Duration::from_millis(1) < *early) {
                thread::sleep(early);
            }
        }
    }
}

fn history_begin(history: &History) -> Timestamp {
    let mut first = Vec::new();
    history.since(RowKey::START, 1, &mut first).expect("a flow");
    first[0].received.plus(-3_600_000)
}

fn datagram(flows: &[FlowRecord], boot: Timestamp, sequence: u32) -> Vec<u8> {
    let now = flows.last().map_or(boot, |flow| flow.received);
    let uptime = u32::try_from(now.since(boot)).unwrap_or(0);
    let seconds = u32::try_from(now.0 / 1000).unwrap_or(0);
    let header = v9::Header { count: 24, uptime, seconds, sequence, source_id: 0 };
    let mut message = Message::v9(header);
    if sequence.is_multiple_of(500) {
        message = message.template(&template(256, 0, FIELDS));
    }
    let mut octets = Vec::with_capacity(1200);
    for flow in flows {
        let address = |ip: std::net::IpAddr| if let std::net::IpAddr::V4(ip) = ip { ip.octets() } else { [0; 4] };
        octets.extend(address(flow.key.src_ip));
        octets.extend(address(flow.key.dst_ip));
        octets.extend(flow.key.src_port.to_be_bytes());
        octets.extend(flow.key.dst_port.to_be_bytes());
        octets.extend([flow.key.protocol, flow.tos, 0x1b]);
        octets.extend(u32::try_from(flow.counts.bytes).unwrap_or(u32::MAX).to_be_bytes());
        octets.extend(u32::try_from(flow.counts.packets).unwrap_or(u32::MAX).to_be_bytes());
        for time in [flow.first, flow.last] {
            octets.extend(u32::try_from(time.since(boot)).unwrap_or(0).to_be_bytes());
        }
        octets.extend(u16::try_from(flow.in_if).unwrap_or(0).to_be_bytes());
        octets.extend(u16::try_from(flow.out_if).unwrap_or(0).to_be_bytes());
        octets.extend(flow.src_as.to_be_bytes());
        octets.extend(flow.dst_as.to_be_bytes());
    }
    message.set(256, &octets).finish()
}
