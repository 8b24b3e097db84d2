//! Answers about the past as tables, JSON and CSV: rankings, series, changes, exporters.
//!
//! One vocabulary with the database: JSON and CSV use the names of its views. Estimates by sampling are marked `~`, and
//! what may lack something `≥`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::collector::options::names::NameKind;
use crate::collector::stats::ExporterNames;
use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::names;
use crate::report::amount::{amount, per_second, share};
use crate::report::grid::{Grid, Record, Side, csv};
use crate::store::ask::changes::Changes;
use crate::store::ask::rates::Rates;
use crate::store::ask::{By, FanOut, Ranking, Source};
use crate::store::rollup::{Pair, Sums};
use crate::store::top::{Key, Order};
use crate::when::Span;

/// In which form an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    Json,
    Csv,
}

/// What rates are measured in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Units {
    #[default]
    Bits,
    Bytes,
    Packets,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    pub format: Format,
    pub units: Units,
    /// Counts as reported, sampling not applied.
    pub raw: bool,
    pub color: bool,
}

/// What was asked, to be said again with the answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub filter: &'a Filter,
    pub span: Span,
    /// The span for people.
    pub when: &'a str,
    /// What exporters call their interfaces and applications.
    pub names: &'a [ExporterNames],
}

/// An answer in JSON: what was asked, where the answer is from, its total and its rows.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    filter: String,
    from_ms: i64,
    to_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(flatten)]
    account: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    total: Record,
    rows: Vec<Record>,
}

/// Where an answer is from and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Account {
    source: &'static str,
    rows_read: u64,
    exact: bool,
    /// The total may be more.
    more: bool,
    /// Flows received later are not in it.
    until_ms: Option<i64>,
    /// Flows received before were deleted, and are not in it.
    since_ms: Option<i64>,
}

impl Account {
    fn new(source: Source, exact: bool, more: bool, until: Option<Timestamp>, since: Option<Timestamp>) -> Self {
        let (source, rows_read) = match source {
            Source::RollUps => ("roll-ups", 0),
            Source::Rows(rows) => ("rows", rows),
        };
        let (until_ms, since_ms) = (until.map(|at| at.0), since.map(|at| at.0));
        Self { source, rows_read, exact, more, until_ms, since_ms }
    }

    /// The account of a ranking.
    pub fn of(ranking: &Ranking) -> Self {
        Self::new(ranking.source, ranking.exact, ranking.more, ranking.until, ranking.since)
    }

    pub fn of_rates(rates: &Rates) -> Self {
        Self::new(rates.source, rates.until.is_none() && rates.since.is_none(), false, rates.until, rates.since)
    }

    pub fn of_changes(changes: &Changes) -> Self {
        Self::new(changes.source, changes.exact, false, changes.until, changes.since)
    }

    /// One line for people, and what they can do about it.
    pub fn told(&self, shown: impl Fn(Timestamp) -> String) -> String {
        let mut told = match self.source {
            "rows" => format!("from {} rows", amount(self.rows_read, "")),
            source => format!("from {source}"),
        };
        if !self.exact && self.source == "roll-ups" {
            told.push_str(", where small keys have no row of their own: figures with ≥ may be more\n");
            told.push_str("hint: `--exact` reads every row");
        }
        if let Some(until) = self.until_ms {
            told.push_str(&format!("\nflows received after {} are not in it yet", shown(Timestamp(until))));
        }
        if let Some(since) = self.since_ms {
            told.push_str(&format!(
                "\nflows received before {} were deleted, and are not in it",
                shown(Timestamp(since))
            ));
        }
        told
    }
}

/// # Errors
/// When `out` fails.
pub fn ranking(out: &mut impl Write, look: Look, asked: Asked<'_>, (by, ranking): (By, &Ranking)) -> io::Result<()> {
    let records = || {
        ranking.rows.iter().map(|row| {
            let mut record = key_record(by, row.key, asked.names);
            put_pair(&mut record, &row.pair, by.is_two_way());
            record.put("missing", row.missing);
            record
        })
    };
    match look.format {
        Format::Csv => {
            let mut titles = key_record(by, Key::Other, &[]);
            put_pair(&mut titles, &Pair::default(), by.is_two_way());
            titles.put("missing", 0);
            csv(out, &titles.0.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &records().collect::<Vec<_>>())
        }
        Format::Json => {
            let document = Document {
                by: Some(by.name()),
                before: None,
                account: Account::of(ranking),
                keys: Some(ranking.keys),
                total: totals(ranking.total),
                rows: records().collect(),
                ..document(asked)
            };
            json(out, &document)
        }
        Format::Table => ranking_table(out, look, asked, (by, ranking)),
    }
}

fn ranking_table(out: &mut impl Write, look: Look, asked: Asked<'_>, (by, ranking): (By, &Ranking)) -> io::Result<()> {
    head(out, asked, by.name())?;
    let (there, back) = match by {
        By::Conversation => ("a → b", "b → a"),
        By::Host => ("sent", "received"),
        By::Interface => ("in", "out"),
        By::As => ("from", "to"),
        _ => ("bytes", ""),
    };
    let mut columns: Vec<_> = titles(by).iter().map(|title| (*title, Side::Left)).collect();
    columns.push(("rate", Side::Right));
    columns.push((there, Side::Right));
    if by.is_two_way() {
        columns.push((back, Side::Right));
    }
    columns.extend([("share", Side::Right), ("packets", Side::Right), ("flows", Side::Right)]);
    let mut grid = Grid::new(&columns, look.color);
    let ms = asked.span.ms();
    let figures = |pair: &Pair, missing: u64| {
        let sum = pair.sum();
        let least = if missing == 0 { "" } else { "≥ " };
        let mut cells = vec![format!("{least}{}", look.rate(sum, ms))];
        let both = if by.is_two_way() { 2 } else { 1 };
        cells.extend(pair.0.iter().take(both).map(|sums| look.bytes(*sums)));
        let (part, whole) = (look.measure(sum), look.measure(ranking.total));
        cells.push(if ranking.more { String::new() } else { share(part, whole) });
        cells.extend([look.packets(sum), amount(sum.flows, "")]);
        cells
    };
    for row in &ranking.rows {
        let mut cells = key_cells(row.key, asked.names);
        cells.extend(figures(&row.pair, row.missing));
        grid.rows.push(cells);
    }
    let mut cells = vec![String::new(); titles(by).len()];
    if let Some(first) = cells.first_mut() {
        *first = "total".to_owned();
    }
    let mut total = figures(&Pair([ranking.total, Sums::default()]), u64::from(ranking.more));
    if by.is_two_way() {
        // Each flow once, whatever its direction.
        total[1] = String::new();
        total[2] = look.bytes(ranking.total);
    }
    cells.extend(total);
    grid.rows.push(cells);
    grid.write(out)?;
    let hidden = ranking.keys.saturating_sub(ranking.rows.len());
    if hidden != 0 {
        writeln!(out, "… {} more", amount(hidden as u64, ""))?;
    }
    Ok(())
}

/// # Errors
/// When `out` fails.
pub fn rates(
    out: &mut impl Write,
    look: Look,
    asked: Asked<'_>,
    (rates, shown): (&Rates, &dyn Fn(Timestamp) -> String),
) -> io::Result<()> {
    let total = rates.points.iter().fold(Sums::default(), |mut sum, (_, point)| {
        sum.add(*point);
        sum
    });
    let records = || {
        rates.points.iter().map(|(at, sums)| {
            let mut record = Record::default();
            record.put("from_ms", at.0);
            record.put("to_ms", at.plus(rates.step_ms).min(asked.span.to).0);
            record.0.extend(totals(*sums).0);
            record
        })
    };
    match look.format {
        Format::Csv => {
            let columns = ["from_ms", "to_ms", "bytes", "packets", "flows", "est_bytes", "est_packets"];
            return csv(out, &columns, &records().collect::<Vec<_>>());
        }
        Format::Json => {
            let account = Account::of_rates(rates);
            return json(
                out,
                &Document { account, total: totals(total), rows: records().collect(), ..document(asked) },
            );
        }
        Format::Table => {}
    }
    head(out, asked, "rates")?;
    let most = rates.points.iter().map(|(_, sums)| look.measure(*sums)).max().unwrap_or(0);
    let columns = [("begin", Side::Left), ("rate", Side::Right), ("", Side::Left), ("bytes", Side::Right)];
    let columns = [&columns[..], &[("packets", Side::Right), ("flows", Side::Right)]].concat();
    let mut grid = Grid::new(&columns, look.color);
    for (at, sums) in &rates.points {
        let ms = at.plus(rates.step_ms).min(asked.span.to).since(*at);
        let bar = bar(look.measure(*sums), most);
        let counts = [look.bytes(*sums), look.packets(*sums), amount(sums.flows, "")];
        grid.rows.push([vec![shown(*at), look.rate(*sums, ms), bar], counts.to_vec()].concat());
    }
    let counts = [look.bytes(total), look.packets(total), amount(total.flows, "")];
    let ms = asked.span.ms();
    grid.rows.push([vec!["total".to_owned(), look.rate(total, ms), String::new()], counts.to_vec()].concat());
    grid.write(out)
}

/// Columns of a bar.
const BAR: u128 = 24;

fn bar(part: u64, most: u64) -> String {
    let eighths = (u128::from(part) * BAR * 8).checked_div(most.into()).unwrap_or(0);
    let mut bar = "█".repeat(usize::try_from(eighths / 8).unwrap_or(0));
    bar.extend(["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(usize::try_from(eighths % 8).unwrap_or(0)).copied());
    bar
}

/// # Errors
/// When `out` fails.
pub fn changes(
    out: &mut impl Write,
    look: Look,
    asked: Asked<'_>,
    (by, order, changes, against): (By, Order, &Changes, &str),
) -> io::Result<()> {
    let total = i128::from(changes.now) - i128::from(changes.before);
    let part = |difference: i128| percent(difference, total);
    let records = || {
        changes.rows.iter().map(|row| {
            let mut record = key_record(by, row.key, asked.names);
            record.put("before", row.before);
            record.put("now", row.now);
            record.put("difference", i64::try_from(row.difference()).unwrap_or(i64::MAX));
            record.put("contribution", part(row.difference()).map_or(Value::Null, Value::from));
            record.put("missing", row.missing);
            record
        })
    };
    match look.format {
        Format::Csv => {
            let key = key_record(by, Key::Other, &[]);
            let mut columns: Vec<_> = key.0.iter().map(|(name, _)| *name).collect();
            columns.extend(["before", "now", "difference", "contribution", "missing"]);
            return csv(out, &columns, &records().collect::<Vec<_>>());
        }
        Format::Json => {
            let mut sums = Record::default();
            sums.put("before", changes.before);
            sums.put("now", changes.now);
            sums.put("difference", i64::try_from(total).unwrap_or(i64::MAX));
            let document = Document {
                by: Some(by.name()),
                before: Some(against.into()),
                account: Account::of_changes(changes),
                keys: Some(changes.keys),
                total: sums,
                rows: records().collect(),
                ..document(asked)
            };
            return json(out, &document);
        }
        Format::Table => {}
    }
    head(out, asked, "changes")?;
    let figure = |number: u64| look.measured(order, number, asked.span.ms());
    let signed = |number: i128| {
        let sign = if number < 0 { "−" } else { "+" };
        format!("{sign}{}", figure(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX)))
    };
    writeln!(out, "against {against}: {} → {}, total {}", figure(changes.before), figure(changes.now), signed(total))?;
    writeln!(out)?;
    let mut columns = vec![("part", Side::Right), ("difference", Side::Right)];
    columns.extend(titles(by).iter().map(|title| (*title, Side::Left)));
    columns.extend([("before", Side::Right), ("now", Side::Right), ("", Side::Left)]);
    let mut grid = Grid::new(&columns, look.color);
    for row in &changes.rows {
        let part = part(row.difference()).map_or_else(String::new, |part| format!("{part:.0} %"));
        let state = match (row.before, row.now, row.missing) {
            (0, _, 0) => "(new)",
            (_, 0, 0) => "(gone)",
            (.., 0) => "",
            _ => "(≥)",
        };
        let mut cells = vec![part, signed(row.difference())];
        cells.extend(key_cells(row.key, asked.names));
        cells.extend([figure(row.before), figure(row.now), state.to_owned()]);
        grid.rows.push(cells);
    }
    grid.write(out)?;
    let hidden = changes.keys.saturating_sub(changes.rows.len());
    if hidden != 0 {
        writeln!(out, "… {} more", amount(hidden as u64, ""))?;
    }
    Ok(())
}

/// In per cent of a difference; none of no difference.
fn percent(part: i128, total: i128) -> Option<f64> {
    (total != 0).then(|| (part as f64 / total as f64 * 10_000.0).round() / 100.0)
}

/// # Errors
/// When `out` fails.
pub fn fan_out(
    out: &mut impl Write,
    look: Look,
    asked: Asked<'_>,
    (rows, ranking): (&[FanOut], &Ranking),
) -> io::Result<()> {
    let records = || {
        rows.iter().map(|row| {
            let mut record = Record::default();
            record.put("src_ip", row.source.to_string());
            record.put("targets", row.targets);
            record.put("hosts", row.hosts);
            record.0.extend(totals(row.sums).0);
            record
        })
    };
    match look.format {
        Format::Csv => {
            let columns = ["src_ip", "targets", "hosts", "bytes", "packets", "flows", "est_bytes", "est_packets"];
            return csv(out, &columns, &records().collect::<Vec<_>>());
        }
        Format::Json => {
            let (account, total) = (Account::of(ranking), totals(ranking.total));
            let keys = Some(ranking.keys);
            return json(out, &Document { account, total, keys, rows: records().collect(), ..document(asked) });
        }
        Format::Table => {}
    }
    head(out, asked, "targets by source")?;
    let columns = [("source", Side::Left), ("targets", Side::Right), ("hosts", Side::Right)];
    let columns = [&columns[..], &[("bytes", Side::Right), ("packets", Side::Right), ("flows", Side::Right)]].concat();
    let mut grid = Grid::new(&columns, look.color);
    for row in rows {
        let counts = [look.bytes(row.sums), look.packets(row.sums), amount(row.sums.flows, "")];
        let cells = [row.source.to_string(), amount(row.targets, ""), amount(row.hosts, "")];
        grid.rows.push([&cells[..], &counts].concat());
    }
    grid.write(out)
}

impl Look {
    /// What of some sums is measured.
    fn measure(self, sums: Sums) -> u64 {
        let counts = if self.raw { sums.counts } else { sums.estimate() };
        match self.units {
            Units::Bits | Units::Bytes => counts.bytes,
            Units::Packets => counts.packets,
        }
    }

    fn rate(self, sums: Sums, ms: i64) -> String {
        let mark = self.mark(sums);
        match self.units {
            Units::Bits => format!("{mark}{}", per_second(self.measure(sums).saturating_mul(8), ms, "b/s")),
            Units::Bytes => format!("{mark}{}", per_second(self.measure(sums), ms, "B/s")),
            Units::Packets => format!("{mark}{}", per_second(self.measure(sums), ms, "p/s")),
        }
    }

    /// A measure of a ranking as a rate.
    fn measured(self, order: Order, number: u64, ms: i64) -> String {
        match (order, self.units) {
            (Order::Bytes, Units::Bytes) => per_second(number, ms, "B/s"),
            (Order::Bytes, _) => per_second(number.saturating_mul(8), ms, "b/s"),
            (Order::Packets, _) => per_second(number, ms, "p/s"),
            (Order::Flows, _) => amount(number, "flows"),
        }
    }

    fn bytes(self, sums: Sums) -> String {
        let counts = if self.raw { sums.counts } else { sums.estimate() };
        format!("{}{}", self.mark(sums), amount(counts.bytes, "B"))
    }

    fn packets(self, sums: Sums) -> String {
        let counts = if self.raw { sums.counts } else { sums.estimate() };
        format!("{}{}", self.mark(sums), amount(counts.packets, ""))
    }

    /// An estimate says that it is one.
    const fn mark(self, sums: Sums) -> &'static str {
        if self.raw || sums.more.is_zero() { "" } else { "~" }
    }
}

fn head(out: &mut impl Write, asked: Asked<'_>, what: &str) -> io::Result<()> {
    match asked.filter.is_all() {
        true => writeln!(out, "{what}, {}", asked.when),
        false => writeln!(out, "{what}, {}, {}", asked.when, asked.filter),
    }
}

fn document(asked: Asked<'_>) -> Document<'_> {
    Document {
        by: None,
        filter: asked.filter.to_string(),
        from_ms: asked.span.from.0,
        to_ms: asked.span.to.0,
        before: None,
        account: Account::new(Source::RollUps, true, false, None, None),
        keys: None,
        total: Record::default(),
        rows: Vec::new(),
    }
}

fn json(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}

fn totals(sums: Sums) -> Record {
    let mut record = Record::default();
    let estimate = sums.estimate();
    record.put("bytes", sums.counts.bytes);
    record.put("packets", sums.counts.packets);
    record.put("flows", sums.flows);
    record.put("est_bytes", estimate.bytes);
    record.put("est_packets", estimate.packets);
    record
}

fn put_pair(record: &mut Record, pair: &Pair, two_way: bool) {
    let Pair([there, back]) = pair;
    record.0.extend(totals(*there).0);
    if two_way {
        let names = ["back_bytes", "back_packets", "back_flows", "back_est_bytes", "back_est_packets"];
        record.0.extend(names.into_iter().zip(totals(*back).0).map(|(name, (_, value))| (name, value)));
    }
}

/// Titles of the columns of a key.
const fn titles(by: By) -> &'static [&'static str] {
    match by {
        By::Conversation => &["a", "b", "service"],
        By::Host => &["host"],
        By::Source => &["source"],
        By::Destination => &["destination"],
        By::Service => &["service"],
        By::Protocol => &["protocol"],
        By::Exporter => &["exporter", "domain"],
        By::Interface => &["exporter", "interface"],
        By::As => &["as"],
        By::Vlan => &["vlan"],
        By::Dscp => &["dscp"],
        By::Application => &["application"],
        By::Pair => &["source", "destination"],
        By::Path => &["source", "destination", "service"],
    }
}

fn key_cells(key: Key, names: &[ExporterNames]) -> Vec<String> {
    match key {
        Key::Conversation { a, b, protocol, port } => vec![a.to_string(), b.to_string(), service(protocol, port)],
        Key::Host(ip) => vec![ip.to_string()],
        Key::Service { protocol, port } => vec![service(protocol, port)],
        Key::Protocol(protocol) => vec![names::protocol_label(protocol).into_owned()],
        Key::Exporter { exporter, domain } => vec![exporter.to_string(), domain.to_string()],
        Key::Interface { exporter, interface, .. } => {
            let name = found(key, names).map_or_else(String::new, |name| format!(" {name}"));
            vec![exporter.to_string(), format!("{interface}{name}")]
        }
        Key::As(0) => vec!["unknown".to_owned()],
        Key::As(number) => vec![format!("AS{number}")],
        Key::Vlan(number) => vec![number.to_string()],
        Key::Dscp(number) => vec![number.to_string()],
        Key::Application(_) => vec![found(key, names).map_or_else(|| application(key), str::to_owned)],
        Key::Pair { src, dst } => vec![src.to_string(), dst.to_string()],
        Key::Path { src, dst, protocol, port } => vec![src.to_string(), dst.to_string(), service(protocol, port)],
        Key::Other => vec!["other".to_owned()],
    }
}

/// The engine and its number.
fn application(key: Key) -> String {
    let Key::Application(id) = key else { return String::new() };
    if id == 0 { "unknown".to_owned() } else { format!("{}:{}", id >> 56, id & 0x00ff_ffff_ffff_ffff) }
}

/// What exporters call an interface or an application.
fn found(key: Key, names: &[ExporterNames]) -> Option<&str> {
    names.iter().find_map(|exporter| match key {
        Key::Interface { exporter: address, domain, interface } => (exporter.address, exporter.domain)
            .eq(&(address, domain))
            .then(|| exporter.names.find(NameKind::Interface, interface.into()))?,
        Key::Application(id) => exporter.names.find(NameKind::Application, id),
        _ => None,
    })
}

/// Every name of a key's columns, whatever the key.
fn key_record(by: By, key: Key, names: &[ExporterNames]) -> Record {
    let mut record = Record::default();
    let mut put = |name, value: Option<Value>| record.put(name, value.unwrap_or(Value::Null));
    let (first, second) = ends(key);
    match by {
        By::Conversation => ["a_ip", "b_ip"].into_iter().zip([first, second]).for_each(|(name, ip)| put(name, ip)),
        By::Host => put("ip", first),
        By::Source => put("src_ip", first),
        By::Destination => put("dst_ip", first),
        By::Pair | By::Path => {
            ["src_ip", "dst_ip"].into_iter().zip([first, second]).for_each(|(name, ip)| put(name, ip))
        }
        _ => {}
    }
    match key_numbers(key) {
        _ if !matches!(by, By::Conversation | By::Service | By::Path) => {}
        (protocol, port) => {
            put("protocol", protocol.map(Value::from));
            put(if by == By::Path { "dst_port" } else { "port" }, port.map(Value::from));
            put(
                "service",
                protocol.zip(port).and_then(|(protocol, port)| names::service(protocol, port)).map(Value::from),
            );
        }
    }
    match (by, key) {
        (By::Protocol, key) => {
            let number = if let Key::Protocol(number) = key { Some(number) } else { None };
            put("protocol", number.map(Value::from));
            put("name", number.map(|number| names::protocol_label(number).into()));
        }
        (
            By::Exporter | By::Interface,
            Key::Exporter { exporter, domain } | Key::Interface { exporter, domain, .. },
        ) => {
            put("exporter", Some(exporter.to_string().into()));
            put("domain", Some(domain.0.into()));
        }
        (By::Exporter | By::Interface, _) => ["exporter", "domain"].into_iter().for_each(|name| put(name, None)),
        (By::As, key) => put("as", if let Key::As(number) = key { Some(number.into()) } else { None }),
        (By::Vlan, key) => put("vlan", if let Key::Vlan(number) = key { Some(number.into()) } else { None }),
        (By::Dscp, key) => put("dscp", if let Key::Dscp(number) = key { Some(number.into()) } else { None }),
        (By::Application, key) => {
            put("application", if let Key::Application(number) = key { Some(number.into()) } else { None });
            put("name", found(key, names).map(Value::from));
        }
        _ => {}
    }
    if by == By::Interface {
        put("interface", if let Key::Interface { interface, .. } = key { Some(interface.into()) } else { None });
        put("name", found(key, names).map(Value::from));
    }
    record
}

fn ends(key: Key) -> (Option<Value>, Option<Value>) {
    let text = |ip: std::net::IpAddr| Some(Value::from(ip.to_string()));
    match key {
        Key::Conversation { a, b, .. } => (text(a), text(b)),
        Key::Pair { src, dst } | Key::Path { src, dst, .. } => (text(src), text(dst)),
        Key::Host(ip) => (text(ip), None),
        _ => (None, None),
    }
}

const fn key_numbers(key: Key) -> (Option<u8>, Option<u16>) {
    match key {
        Key::Conversation { protocol, port, .. }
        | Key::Path { protocol, port, .. }
        | Key::Service { protocol, port } => (Some(protocol), Some(port)),
        _ => (None, None),
    }
}

/// A service as people say it: `https`, `8443/tcp`, `icmp`.
pub fn service(protocol: u8, port: u16) -> String {
    match names::service(protocol, port) {
        Some(name) => name.to_owned(),
        None if port == 0 => names::protocol_label(protocol).into_owned(),
        None => format!("{port}/{}", names::protocol_label(protocol)),
    }
}
