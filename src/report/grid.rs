//! Rows of one answer in three forms: a table aligned for people, JSON, and CSV.
//!
//! The table has rounded figures under short titles; JSON and CSV have exact ones under the names of the database.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Values by name, in this order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Record(pub(super) Vec<(&'static str, Value)>);

impl Record {
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Writes records as CSV (RFC 4180, line feeds alone) under the names of the first one; `columns` where there is none.
///
/// # Errors
/// When `out` fails.
pub(super) fn csv(out: &mut impl Write, columns: &[&str], records: &[Record]) -> io::Result<()> {
    csv_line(out, columns.iter().copied())?;
    for Record(values) in records {
        let texts: Vec<String> = values.iter().map(|(_, value)| plain(value)).collect();
        csv_line(out, texts.iter().map(String::as_str))?;
    }
    Ok(())
}

/// One line of CSV.
///
/// # Errors
/// When `out` fails.
pub(super) fn csv_line<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (n, cell) in cells.enumerate() {
        if n != 0 {
            out.write_all(b",")?;
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

/// A value without quotes; nothing for null.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Where the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) columns: Vec<(String, Side)>,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether the titles are set off by bold type.
    pub(super) color: bool,
}

impl Grid {
    pub(super) fn new(columns: &[(&str, Side)], color: bool) -> Self {
        let columns = columns.iter().map(|(title, side)| ((*title).to_owned(), *side)).collect();
        Self { columns, rows: Vec::new(), color }
    }

    /// # Errors
    /// When `out` fails.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        let widths: Vec<usize> = (0..titles.len())
            .map(|at| self.rows.iter().chain([&titles]).filter_map(|row| row.get(at)).map(|cell| cell.width()).max())
            .map(|width| width.unwrap_or(0))
            .collect();
        let (bold, plain) = if self.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        writeln!(out, "{bold}{}{plain}", self.line(&titles, &widths))?;
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &widths))?;
        }
        Ok(())
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, side)) in cells.iter().zip(widths).zip(&self.columns) {
            let room = " ".repeat(width.saturating_sub(cell.width()));
            match side {
                Side::Left => line.extend([cell, room.as_str(), "  "]),
                Side::Right => line.extend([room.as_str(), cell, "  "]),
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut grid = Grid::new(&[("host", Side::Left), ("bytes", Side::Right)], false);
        grid.rows.push(vec!["10.0.0.1".into(), "1 B".into()]);
        grid.rows.push(vec!["é".into(), "14.2 GB".into()]);
        assert_eq!(text(|out| grid.write(out)), "host        bytes\n10.0.0.1      1 B\né         14.2 GB\n");
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let mut record = Record::default();
        record.put("a", "x,\"y\"");
        record.put("b", 7);
        record.put("c", Value::Null);
        assert_eq!(text(|out| csv(out, &["a", "b", "c"], &[record.clone()])), "a,b,c\n\"x,\"\"y\"\"\",7,\n");
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"a":"x,\"y\"","b":7,"c":null}"#);
    }
}
