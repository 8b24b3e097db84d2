//! A live traffic monitor for NetFlow, IPFIX and sFlow: the path of one datagram, left to right.
//!
//! ```text
//! UDP ─▶ receive ─▶ Collector::datagram ─▶ [FlowRecord] ─┬─▶ Window ─▶ Snapshot ─▶ screen
//!        (batch)     │ wire: framing                     ├─▶ Writer ── every 10 s ──▶ SQLite
//!                    │ collector: templates, meaning     └─▶ JSON lines
//! ```
//!
//! The modules stand in the order in which a reader meets them, and each imports only from those before it; a test
//! holds that. The first half is a pure core: octets and a time go in, records come out, with no I/O, no clock and no
//! lock. The second half is a thin shell around it, which owns sockets, threads, the database and the terminal.

pub mod ie;

pub mod flow;

pub mod when;

pub mod wire;

pub mod filter;

pub mod collector;

pub mod window;

pub mod store;

pub mod names;

pub mod report;

pub mod doctor;

pub mod metrics;

pub mod tui;

pub mod receive;

pub mod capture;

pub mod demo;

pub mod config;

pub mod cli;

pub mod run;
