//! What several benches need; each of them takes it in as a module of its own.

use std::fs;
use std::io::{Write, stdout};

use flowglass::ie::ElementId;
use flowglass::wire::template::{FieldSpecifier, Template, TemplateId};

/// What a flow is usually made of: 46 octets.
#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) const FIELDS: &[(u16, u16)] = &[
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (5, 1),
    (6, 1),
    (1, 4),
    (2, 4),
    (22, 4),
    (21, 4),
    (10, 2),
    (14, 2),
    (16, 4),
    (17, 4),
];

#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) fn template(id: u16, scopes: usize, fields: &[(u16, u16)]) -> Template {
    let field = |&(id, length): &(u16, u16)| FieldSpecifier { element: ElementId::Iana(id), length };
    Template { id: TemplateId(id), scopes, fields: fields.iter().map(field).collect() }
}

/// Peak resident MiB of a process; `self` is this one.
#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) fn peak(process: &str) -> u64 {
    status(process, "VmHWM:")
}

/// Resident MiB of a process now.
#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) fn resident(process: &str) -> u64 {
    status(process, "VmRSS:")
}

fn status(process: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    kib / 1024
}

pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
