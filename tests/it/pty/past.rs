//! From live to last night and back: what a person does who was not there when it happened.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use flowglass::collector::stats::Health;
use flowglass::flow::{FlowRecord, ObservationDomainId, Timestamp, Version};
use flowglass::store::history::History;
use flowglass::store::writer::{Options, Writer};

use super::{Session, has_selected_row};
use crate::support::package;

const MINUTE: i64 = 60_000;

/// Ten hours ago, at the begin of a minute.
fn spike() -> i64 {
    let now = jiff::Timestamp::now().as_millisecond();
    (now - 10 * 3_600_000) / MINUTE * MINUTE
}

fn flow(at: i64, host: u8, outside: u8, bytes: u64) -> FlowRecord {
    let received = Timestamp(at);
    let exporter = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let mut flow = FlowRecord::blank(received, exporter, ObservationDomainId(0), Version::Ipfix);
    flow.key.src_ip = Ipv4Addr::new(10, 0, 0, host).into();
    flow.key.dst_ip = Ipv4Addr::new(198, 51, 100, outside).into();
    (flow.key.src_port, flow.key.dst_port, flow.key.protocol) = (50_000, 443, 6);
    (flow.first, flow.last) = (received.plus(-1_000), received.plus(-1));
    (flow.counts.bytes, flow.counts.packets) = (bytes, bytes.div_ceil(1000));
    flow
}

/// Two days of quiet traffic of ten hosts, and for five minutes of last night an upload of one host that nobody knew.
fn history(path: &Path) {
    let spike = spike();
    let writer = Writer::open(path, Options::default()).unwrap();
    let mut flows = Vec::new();
    for minute in -2_000..500 {
        for host in 1..=10 {
            flows.push(flow(spike + minute * MINUTE + i64::from(host) * 1_000, host, host, 100_000));
        }
    }
    for second in 0..300 {
        flows.push(flow(spike + second * 1_000 + 500, 66, 77, 5_000_000));
    }
    flows.sort_by_key(|flow| flow.received);
    writer.push(&flows);
    writer.close(Timestamp(spike + 500 * MINUTE), &Health::default()).unwrap();
}

#[test]
fn a_person_finds_what_filled_the_line_last_night_and_compares_it_with_the_evening_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    history(&path);
    let arguments =
        ["--db", path.to_str().unwrap(), "--host", "127.0.0.1", "--port", "0", "--no-dns", "--retention", "30d"];
    let variables = [("XDG_STATE_HOME", folder.path().to_str().unwrap()), ("TZ", "UTC")];
    let mut session = Session::program(&arguments, &variables, (120, 40));
    session.wait_for("LIVE");
    // Into the night: the strip of the day shows when, and the hosts who.
    session.press_for("t", "go to: ");
    let moment = jiff::Timestamp::from_millisecond(spike() + 4 * MINUTE).unwrap();
    let moment = moment.strftime("%Y-%m-%d %H:%M").to_string();
    session.press_for(&format!("{moment}\r"), "PAST until");
    session.press_for("3", "Hosts by rate, 1 min until");
    let text = session.wait_for("10.0.0.66");
    let first = text.lines().find(|line| line.contains("10.0.0."));
    assert!(first.is_some_and(|line| line.contains("10.0.0.66")), "{text}");
    assert!(text.contains("40.0 Mb/s"), "5 MB a second: {text}");
    // Ten minutes earlier it was quiet.
    session.press_for("+", "5 min until");
    session.press("[[");
    session.wait_until(
        |screen| {
            let text = screen.contents();
            text.contains("10.0.0.3") && !text.contains("10.0.0.66") && !text.contains("reading")
        },
        "the time before",
    );
    session.press("]]");
    session.wait_for("10.0.0.66");
    session.press_for("-", "1 min until");
    // Against the evening before.
    session.press_for("C", "against the span before");
    session.press_for("C", "against a day earlier");
    let text = session.wait_for("new");
    let first = text.lines().find(|line| line.contains("10.0.0."));
    assert!(first.is_some_and(|line| line.contains("10.0.0.66") && line.contains("new")), "{text}");
    assert!(text.contains("total +40.0 Mb/s"), "{text}");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("y", "as a filter for tcpdump");
    session.press_for("t", "host 10.0.0.66");
    session.wait_for_octets(b"\x1b]52;c;");
    session.press_for("\x1b", "The selected row");
    session.press("\x1b");
    session.wait_until(|screen| !screen.contents().contains("Copy"), "the rows");
    // A note for the colleagues.
    session.press_for("b", "note: ");
    session.press_for("a new host uploads\r", "noted at");
    let notes = History::open(&path).unwrap().notes((Timestamp(spike()), Timestamp(spike() + 600_000))).unwrap();
    assert_eq!(notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["a new host uploads"]);
    session.press("\x1b[F");
    session.wait_until(|screen| screen.contents().contains("LIVE"), "now");
    session.press("q");
    session.ends(0);
}

/// The same with the commands, as the documentation has it.
#[test]
fn a_script_finds_it_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    history(&path);
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%Y-%m-%d %H:%M").to_string();
    let program = Path::new(env!("CARGO_BIN_EXE_flowglass")).parent().unwrap().to_owned();
    let path_variable = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .arg(package().join("docs/last-night.sh"))
        .args([at(spike() - 120 * MINUTE), at(spike() + 120 * MINUTE)])
        .env("PATH", path_variable)
        .env("FLOWGLASS_DB", &path)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{said}");
    assert!(text.contains("busiest host: 10.0.0.66"), "{text}{said}");
    assert!(text.contains("tcpdump filter: host 10.0.0.66"), "{text}{said}");
}
