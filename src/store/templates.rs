//! The templates that a collector knew, so that the next one need not wait for them.
//!
//! It does not judge a template; the collector does when it takes one back. Its input when writing is what the
//! collector says is worth storing, which is bounded there; when reading, rows that anybody may have edited.

use std::net::IpAddr;

use rusqlite::{Connection, Result, Row};

use crate::collector::templates::{KnownTemplate, STORED};
use crate::flow::Timestamp;
use crate::ie::ElementId;
use crate::store::accounts::identity;
use crate::wire::template::{FieldSpecifier, Template, TemplateId};

/// What the table holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    pub templates: Vec<KnownTemplate>,
    /// Rows that are no template; the next time that templates are written they go.
    pub damaged: usize,
}

/// Puts these templates in the place of all that were there: what has gone from the collector goes from the table.
pub(super) fn save(connection: &Connection, templates: &[KnownTemplate]) -> Result<()> {
    connection.execute("DELETE FROM templates", ())?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO templates (address, domain, version, id, scopes, received_ms, fields)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for known in templates {
        let KnownTemplate { exporter, domain, version, template, received } = known;
        insert.execute((
            exporter.to_string(),
            domain.0,
            version.number(),
            template.id.0,
            i64::try_from(template.scopes).unwrap_or(i64::MAX),
            received.0,
            text(&template.fields),
        ))?;
    }
    Ok(())
}

/// Reads at most as many templates as are ever written, the newest first.
pub(super) fn load(connection: &Connection) -> Result<Stored> {
    let mut query = connection.prepare("SELECT * FROM templates ORDER BY received_ms DESC LIMIT ?1")?;
    let mut rows = query.query([i64::try_from(STORED).unwrap_or(i64::MAX)])?;
    let mut stored = Stored::default();
    while let Some(row) = rows.next()? {
        match known(row) {
            Some(known) => stored.templates.push(known),
            None => stored.damaged += 1,
        }
    }
    Ok(stored)
}

fn known(row: &Row<'_>) -> Option<KnownTemplate> {
    let (exporter, domain, version): (IpAddr, _, _) = identity(row).ok()?;
    let scopes: u16 = row.get("scopes").ok()?;
    let template = Template {
        id: TemplateId(row.get("id").ok()?),
        scopes: scopes.into(),
        fields: row.get_ref("fields").ok()?.as_str().ok()?.split_whitespace().map(field).collect::<Option<_>>()?,
    };
    let received = Timestamp(row.get("received_ms").ok()?);
    Some(KnownTemplate { exporter, domain, version, template: template.into(), received })
}

/// `8:4 29305/1:8 s2:4`: element and length; a vendor's with its enterprise number, a scope of v9 with an `s`.
fn text(fields: &[FieldSpecifier]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|&FieldSpecifier { element, length }| match element {
            ElementId::Iana(id) => format!("{id}:{length}"),
            ElementId::Vendor { pen, id } => format!("{pen}/{id}:{length}"),
            ElementId::V9Scope(id) => format!("s{id}:{length}"),
        })
        .collect();
    fields.join(" ")
}

/// The mirror image of [`text`], for one field.
fn field(text: &str) -> Option<FieldSpecifier> {
    let (element, length) = text.split_once(':')?;
    let element = match (element.split_once('/'), element.strip_prefix('s')) {
        (Some((pen, id)), _) => ElementId::Vendor { pen: pen.parse().ok()?, id: id.parse().ok()? },
        (None, Some(id)) => ElementId::V9Scope(id.parse().ok()?),
        (None, None) => ElementId::Iana(element.parse().ok()?),
    };
    Some(FieldSpecifier { element, length: length.parse().ok()? })
}

#[cfg(test)]
mod tests;
