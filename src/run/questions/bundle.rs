//! `export --bundle`: what there is to know of a span, in a folder for a ticket or a mail.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::questions::ExportForm;
use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::report::answers::{self, Account, Asked, Format, Look};
use crate::run::questions::{Asking, at_path, fitting};
use crate::run::storage::told;
use crate::store::ask::{By, Question, Read};
use crate::store::history::History;
use crate::store::scan::Watch;
use crate::store::top::Order;
use crate::when::Span;

/// Flows in `flows.csv` at most: what can be looked at. The report says when there were more.
const FLOWS: usize = 100_000;

/// Rows of a ranking.
const ROWS: usize = 50;

/// What is ranked, each in a file of its own.
const RANKINGS: [By; 5] = [By::Conversation, By::Host, By::Service, By::Protocol, By::Interface];

impl Asking {
    /// Returns how many flows are in it. A picture of the screen stands above the figures.
    pub(super) fn bundle(&self, filter: &Filter, span: Span, folder: &Path, picture: Option<&str>) -> Result<u64> {
        // A folder that is there may hold another incident.
        fs::create_dir(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let history = self.open()?;
        let mut report = BufWriter::new(at_path(File::create(folder.join("report.md")), folder)?);
        writeln!(report, "# {}\n", self.shown_span(span))?;
        writeln!(report, "- filter: `{filter}`\n- database: `{}`", history.path().display())?;
        writeln!(report, "- written: {}, flowglass {}\n", self.now, env!("CARGO_PKG_VERSION"))?;
        if let Some(picture) = picture {
            let path = folder.join("screen.svg");
            at_path(fs::write(&path, picture), &path)?;
            writeln!(report, "![the screen](screen.svg)\n")?;
        }
        self.notes_of(&history, span, &mut report)?;
        let (when, names) = (self.shown_span(span), self.names(&history)?);
        let asked = Asked { filter, span, when: &when, names: &names };
        self.series(&history, asked, folder, &mut report)?;
        self.moved(&history, asked, folder, &mut report)?;
        for by in RANKINGS {
            self.ranked(&history, asked, by, folder, &mut report)?;
        }
        let path = folder.join("flows.csv");
        let limited = Self { rows: Some(FLOWS), path: Some(history.path().to_owned()), ..self.again() };
        let count = limited.records(filter, span, ExportForm::Csv, at_path(File::create(&path), &path)?)?;
        let more = if FLOWS as u64 <= count { ", and perhaps more that are not in it" } else { "" };
        writeln!(report, "## Flows\n\n{count} flows in `flows.csv`{more}")?;
        report.flush()?;
        Ok(count)
    }

    fn again(&self) -> Self {
        let (path, now, presets) = (self.path.clone(), self.now.clone(), self.presets.clone());
        Self { path, now, presets, stop: std::sync::Arc::clone(&self.stop), ..*self }
    }

    fn notes_of(&self, history: &History, span: Span, report: &mut impl Write) -> Result<()> {
        let notes = history.notes(span.pair()).map_err(|error| told(&error))?;
        if !notes.is_empty() {
            writeln!(report, "## Notes\n")?;
            for note in notes {
                writeln!(report, "- {}: {}", self.shown(note.at), escaped(&note.text))?;
            }
            writeln!(report)?;
        }
        Ok(())
    }

    fn series(&self, history: &History, asked: Asked<'_>, folder: &Path, report: &mut impl Write) -> Result<()> {
        let question = question(asked, By::Protocol);
        let step = fitting(asked.span).max(60_000);
        let rates = history.rates(&question, step, &Watch::NOBODY).map_err(|error| told(&error))?;
        let shown = |at: Timestamp| self.shown(at);
        in_both(folder, "rates.csv", "Rates", report, |out, look| answers::rates(out, look, asked, (&rates, &shown)))
    }

    fn moved(&self, history: &History, asked: Asked<'_>, folder: &Path, report: &mut impl Write) -> Result<()> {
        let (question, previous) = (question(asked, By::Conversation), asked.span.previous());
        let changes = history.changes(&question, &[previous.pair()], ROWS, &Watch::NOBODY);
        let changes = changes.map_err(|error| told(&error))?;
        let against = self.shown_span(previous);
        in_both(folder, "changes.csv", "Changes", report, |out, look| {
            answers::changes(out, look, asked, (By::Conversation, Order::Bytes, &changes, &against))
        })
    }

    fn ranked(
        &self,
        history: &History,
        asked: Asked<'_>,
        by: By,
        folder: &Path,
        report: &mut impl Write,
    ) -> Result<()> {
        let found = history.ranking(&question(asked, by), ROWS, &Watch::NOBODY);
        let found = found.map_err(|error| told(&error))?;
        let file = format!("top-{}.csv", by.name());
        in_both(folder, &file, &format!("By {}", by.name()), report, |out, look| {
            answers::ranking(out, look, asked, (by, &found))
        })?;
        Ok(writeln!(report, "{}\n", Account::of(&found).told(|at| self.shown(at)))?)
    }
}

fn question(asked: Asked<'_>, by: By) -> Question<'_> {
    Question { filter: asked.filter, by, order: Order::Bytes, span: asked.span.pair(), read: Read::Quick }
}

/// The same answer as a table in the report, and as CSV beside it.
fn in_both(
    folder: &Path,
    file: &str,
    title: &str,
    report: &mut impl Write,
    write: impl Fn(&mut Vec<u8>, Look) -> std::io::Result<()>,
) -> Result<()> {
    let (mut table, mut csv) = (Vec::new(), Vec::new());
    write(&mut table, Look::default())?;
    write(&mut csv, Look { format: Format::Csv, ..Look::default() })?;
    writeln!(report, "## {title}\n\nExact figures: `{file}`\n\n```text")?;
    report.write_all(&table)?;
    writeln!(report, "```\n")?;
    let path = folder.join(file);
    at_path(fs::write(&path, csv), &path)
}

/// A note is one line of Markdown, whatever stands in it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
