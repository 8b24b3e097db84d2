//! `export`: flow records to a file or a pipe, in one of three forms.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::ops::ControlFlow;

use anyhow::Result;

use crate::cli::questions::{ExportArgs, ExportForm};
use crate::filter::Filter;
use crate::flow::Timestamp;
use crate::report::answers::{Format, Look};
use crate::report::columnar::Columnar;
use crate::report::{flow_line, flows_head};
use crate::run::questions::{Asking, Bar, Usage, at_path};
use crate::run::storage::told;
use crate::store::scan::Watch;
use crate::when::Span;

impl Asking {
    pub(super) fn export(&self, args: &ExportArgs) -> Result<()> {
        let (filter, span) = self.asked(&args.filter)?;
        if let Some(folder) = &args.bundle {
            let count = self.bundle(&filter, span, folder, None)?;
            let _ = writeln!(stderr(), "{count} flows and `{}`", folder.join("report.md").display());
            return Ok(());
        }
        if args.output.is_none() && args.form == ExportForm::Parquet && stdout().is_terminal() {
            let problem = "Parquet is not for a terminal\nhint: give a file with `--output`, or a pipe";
            return Err(Usage(problem.to_owned()).into());
        }
        // Opened before the database is asked: a path that cannot be written is told at once.
        let count = match &args.output {
            Some(path) => {
                let file = at_path(File::create(path), path)?;
                self.records(&filter, span, args.form, file)?
            }
            None => self.records(&filter, span, args.form, stdout())?,
        };
        let _ = writeln!(stderr(), "{count} flows, {}", self.shown_span(span));
        Ok(())
    }

    pub(super) fn records(&self, filter: &Filter, span: Span, form: ExportForm, to: impl Write + Send) -> Result<u64> {
        let history = self.open()?;
        let bar = if self.is_quiet { Bar::hidden() } else { Bar::new() };
        let watch = |done| bar.at(done);
        let mut written: Result<()> = Ok(());
        let limit = self.rows.map_or(u64::MAX, |rows| rows as u64);
        let mut count = 0;
        let mut next = |done: Result<()>| {
            count += 1;
            let is_err = done.is_err();
            written = done;
            if is_err || limit <= count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let read = match form {
            ExportForm::Parquet => {
                let mut parquet = Columnar::new(to)?;
                let read = history
                    .flows(filter, span.pair(), &Watch(&watch), |flow| next(parquet.push(flow).map_err(Into::into)));
                // Without its end the file could not be read at all.
                parquet.close()?;
                read
            }
            ExportForm::Jsonl | ExportForm::Csv => {
                let format = if form == ExportForm::Csv { Format::Csv } else { Format::Json };
                let look = Look { format, ..Look::default() };
                let mut out = BufWriter::new(to);
                flows_head(&mut out, look)?;
                let shown = |at: Timestamp| at.0.to_string();
                let line = |flow: &_| next(flow_line(&mut out, look, flow, &shown).map_err(Into::into));
                let read = history.flows(filter, span.pair(), &Watch(&watch), line);
                out.flush()?;
                read
            }
        };
        drop(bar);
        written?;
        read.map_err(|error| told(&error))
    }
}
