//! Metrics and health over HTTP, from the outside, and the dashboard and alert rules against the names that exist.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::program::{Collector, PATIENCE, expected, fixture};
use crate::support::package;

/// Status and body of an answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer = ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A collector that serves metrics, and where.
fn serving(args: &[&str]) -> (Collector, SocketAddr) {
    let collector = Collector::start(&[&["--metrics", "127.0.0.1:0"], args].concat());
    let line = collector.seen.lines().find(|line| line.contains("metrics are served")).unwrap().to_owned();
    let address = line.split("address=").nth(1).unwrap().trim().parse().unwrap();
    (collector, address)
}

fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Reads until a series has a value.
fn wait_for(address: SocketAddr, series: &str, wanted: f64) -> String {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let (status, text) = get(address, "/metrics");
        assert!(status.contains("200"), "{status}");
        if value(&text, series).is_some_and(|value| wanted <= value) {
            return text;
        }
        assert!(std::time::Instant::now() < until, "{series} never is {wanted}:\n{text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "a few flows")]
fn what_arrives_is_counted_and_unhealthy_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let (collector, address) = serving(&["--db", path.to_str().unwrap(), "--flush-interval", "1s"]);
    let datagrams = collector.replay(&fixture("softflowd-v9"));
    let flows = expected(&["softflowd-v9"]).2 as f64;
    let text = wait_for(address, "flowglass_stored_flows_total", flows);
    assert_eq!(value(&text, "flowglass_input_udp_packets_total"), Some(datagrams as f64));
    assert_eq!(value(&text, "flowglass_decoder_packets_total{result=\"decoded\"}"), Some(datagrams as f64));
    assert_eq!(value(&text, "flowglass_decoder_flows_total"), Some(flows));
    let of_exporter = text.lines().any(|line| {
        line.starts_with("flowglass_exporter_packets_total{exporter=\"127.0.0.1\",domain=\"0\",version=\"v9\"} ")
    });
    assert!(of_exporter, "{text}");
    assert_eq!(get(address, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    wait_for(address, "flowglass_flush_failures", 1.0);
    let (status, body) = get(address, "/healthz");
    assert!(status.contains("503") && body.contains("flows cannot be stored: "), "{status} {body}");
    other.execute_batch("ROLLBACK").unwrap();
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
}

#[test]
fn only_questions_are_answered_and_a_silent_connection_holds_up_nobody() {
    let (collector, address) = serving(&["--no-db"]);
    let silent: Vec<_> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(get(address, "/").0.contains("404"));
    assert!(ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").contains("405"));
    assert!(ask(address, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    let long = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!ask(address, &long).starts_with("HTTP/1.1 200"));
    drop(silent);
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
}

/// Names of this program in a text, with what Prometheus asks for by them.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("flowglass_").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.chars().take_while(|&c| is_name(c)).collect()).collect()
}

#[test]
fn the_dashboard_and_the_rules_ask_for_names_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let (collector, address) = serving(&["--db", path.to_str().unwrap(), "--flush-interval", "1s"]);
    collector.replay(&fixture("softflowd-v9"));
    let text = wait_for(address, "flowglass_stored_flows_total", 1.0);
    collector.signal(Signal::TERM);
    assert!(collector.end().0.success());
    let exist: BTreeSet<_> = text.lines().filter(|line| !line.starts_with('#')).flat_map(names).collect();
    assert!(exist.contains("flowglass_input_udp_packets_total"), "{exist:?}");
    for file in ["prometheus/flowglass.rules.yml", "grafana/flowglass.json"] {
        let text = fs::read_to_string(package().join("packaging").join(file)).unwrap();
        let wanted = names(&text);
        assert!(10 < wanted.len(), "{file}: {wanted:?}");
        let missing: Vec<_> = wanted.difference(&exist).collect();
        assert!(missing.is_empty(), "{file} asks for {missing:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(package().join("packaging/grafana/flowglass.json")).unwrap()).unwrap();
    assert!(10 < dashboard["panels"].as_array().unwrap().len());
}
