//! The database: whether it can be read and written, whether there is room, and for how long.

use std::path::Path;

use crate::doctor::{Collector, DAY_MS, Facts, Finding, HOUR_MS, MINUTE_MS, Severity, counted, duration};
use crate::store::troubles::Kind;

/// How late a collector may be with its accounts beyond its flush interval: it tries again with each flush.
const LATE_MS: i64 = 30_000;
/// A file system that is full sooner than this is no matter for later.
const SOON_MS: i64 = 7 * DAY_MS;
/// A database this young says nothing of what a day brings.
const YOUNG_MS: i64 = 10 * MINUTE_MS;

/// Whether the database can be read, and is written.
pub(super) fn access(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = facts.database.path.display();
    if let Some((why, hint)) = &facts.database.unreadable {
        let finding = Finding::new("database-unreadable", Severity::Critical, why.clone())
            .why("nothing that a collector has stored can be looked at");
        findings.push(match hint {
            Some(hint) => finding.advise(hint.clone()),
            None => finding.run("", format!("ls -l {path}")),
        });
    }
    findings.extend(unwritten(facts));
    if !facts.database.set_aside.is_empty() {
        let names: Vec<_> = facts.database.set_aside.iter().map(|path| path.display().to_string()).collect();
        let what = format!("{} lies beside the one in use", counted(names.len() as u64, "damaged database"));
        let finding = Finding::new("database-damaged", Severity::Warning, what)
            .why("what it holds is not shown; a disk that fails damages the next one too");
        findings.push(names.iter().fold(finding, |finding, name| {
            finding.run("save what is left, then delete it:", format!("sqlite3 {name} .recover | sqlite3 saved.db"))
        }));
    }
    findings
}

/// A database that a running collector does not write.
fn unwritten(facts: &Facts) -> Option<Finding> {
    let Collector::Running { last_alive, flush_ms, pid, .. } = &facts.collector else { return None };
    let late = facts.now.since(*last_alive);
    let is_late = flush_ms.saturating_add(LATE_MS) < late;
    let error = facts.database.failing.as_ref().map(|(_, error)| error.clone());
    let lost = "flows wait in memory, up to 2 million; then the oldest are lost";
    if let Some((holder, name)) = facts.database.locked_by.as_ref().filter(|(holder, _)| Some(*holder) != *pid) {
        let severity = if is_late || error.is_some() { Severity::Critical } else { Severity::Warning };
        return Some(
            Finding::new("database-locked", severity, format!("the database is locked by {name}, process {holder}"))
                .since(is_late.then_some(*last_alive))
                .why(format!("the collector cannot write as long as it holds the lock: {lost}"))
                .run("end what it does, or, if nobody needs it:", format!("kill {holder}")),
        );
    }
    if !is_late && error.is_none() {
        return None;
    }
    let what = match error {
        Some(error) => format!("the database cannot be written: {error}"),
        None => format!("the collector runs, and has written nothing for {}", duration(late)),
    };
    Some(
        Finding::new("database-unwritten", Severity::Critical, what)
            .since(*last_alive)
            .why(lost)
            .run("the collector's own words:", "journalctl -u flowglass -n 50")
            .run("who has the file open:", format!("fuser -v {}", facts.database.path.display())),
    )
}

/// Whether everything that comes is kept.
pub(super) fn keeping(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(space) = facts.database.space.filter(|space| 0 < space.total && space.available < space.reserve) {
        let folder = facts.database.path.parent().unwrap_or_else(|| Path::new("."));
        let what = format!(
            "the file system of the database is nearly full: {} of {} left",
            octets(space.available),
            octets(space.total)
        );
        findings.push(
            Finding::new("disk-full", Severity::Critical, what)
                .why(
                    "the oldest flows are deleted now, whatever the retention; when nothing is left, nothing is stored",
                )
                .run("see what fills it:", format!("du -xh --max-depth=2 {} | sort -h | tail", folder.display()))
                .advise("or let flowglass keep less, with `--max-size`"),
        );
    }
    if let Some(trouble) = facts.trouble(Kind::Unstored) {
        let is_recent = facts.is_recent(trouble.last, HOUR_MS);
        let severity = if is_recent { Severity::Critical } else { Severity::Warning };
        let what = format!(
            "{} were lost, since the database could not be written for too long",
            counted(trouble.count, "flow")
        );
        findings.push(
            Finding::new("flows-dropped", severity, what)
                .since(trouble.first)
                .why("reports of that time lack them")
                .run("whether the disk keeps up:", "iostat -x 5 3")
                .run("when and why:", "journalctl -u flowglass -p warning"),
        );
    }
    findings
}

/// For how long there is room.
pub(super) fn outlook(facts: &Facts) -> Option<Finding> {
    let database = &facts.database;
    let (oldest, newest) = database.span?;
    let kept = newest.since(oldest);
    let space = database.space?;
    if kept < YOUNG_MS || database.size == 0 || space.available < space.reserve {
        return None;
    }
    let room = space.available - space.reserve;
    let by_disk = database.size.saturating_add(room);
    let limit = database.size_limit.map_or(by_disk, |limit| limit.min(by_disk));
    let age = database.age_limit.unwrap_or(i64::MAX);
    // Linear: what a millisecond took so far.
    let lasts = i64::try_from(u128::from(limit) * u128::from(kept.unsigned_abs()) / u128::from(database.size));
    let lasts = lasts.unwrap_or(i64::MAX);
    if age <= lasts {
        return None;
    }
    let left = lasts.saturating_sub(kept).max(0);
    let is_disk = by_disk <= limit && database.size_limit.is_none_or(|size| by_disk < size);
    let what = match is_disk {
        true => format!("the file system is full in {} at this rate", duration(left)),
        false => format!("the database reaches its size limit of {} in {} at this rate", octets(limit), duration(left)),
    };
    let wanted = if age == i64::MAX { "for ever".to_owned() } else { duration(age) };
    let severity = if is_disk && left < SOON_MS { Severity::Warning } else { Severity::Note };
    Some(
        Finding::new("retention", severity, what)
            .why(format!("flows are kept for about {}, not {wanted}: the oldest go first", duration(lasts)))
            .advise("give it more room with `--max-size`, or ask for less with `--retention`"),
    )
}

/// `1.5 GB`, by powers of ten.
fn octets(octets: u64) -> String {
    humansize::format_size(octets, humansize::DECIMAL.decimal_places(1))
}
