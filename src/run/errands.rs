//! What a person at the screen has done and does not wait for: notes and bundles. Each runs in a thread of its own and
//! is answered with one line.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::flow::Timestamp;
use crate::run::storage::told;
use crate::run::{now, questions};
use crate::store::notes::{self, Note};
use crate::tui::Errands;
use crate::tui::app::Errand;
use crate::when::{self, Span, Zone};

/// The ends for a screen, and what serves them: for ever, or until the screen is gone.
pub(super) fn serve(database: Option<PathBuf>) -> (Errands, impl Future<Output = ()>) {
    let (to, errands) = unbounded_channel();
    let (answers, told) = unbounded_channel();
    (Errands { to, told }, run(database, errands, answers))
}

async fn run(
    database: Option<PathBuf>,
    mut errands: UnboundedReceiver<(Errand, Option<String>)>,
    answers: UnboundedSender<String>,
) {
    while let Some((errand, picture)) = errands.recv().await {
        let (database, answers) = (database.clone(), answers.clone());
        let work = move || {
            let done = match &database {
                Some(path) => done(path, &errand, picture.as_deref()),
                None => Ok("nothing is stored here".to_owned()),
            };
            // The screen may be gone.
            let _ = answers.send(done.unwrap_or_else(|error| format!("{error:#}").replace('\n', " ")));
        };
        // Without a thread the person hears nothing, and presses again.
        let _ = thread::Builder::new().name("errand".to_owned()).spawn(work);
    }
    std::future::pending().await
}

/// Does it; says what came of it.
fn done(path: &Path, errand: &Errand, picture: Option<&str>) -> Result<String> {
    match errand {
        Errand::Note { at, text } => {
            let note = Note { at: *at, written: now(), text: text.clone() };
            notes::write(path, &note).map_err(|error| told(&error)).context("the note is not written")?;
            Ok(format!("noted at {}", when::shown_briefly(*at, now(), &Zone::system())))
        }
        Errand::Bundle { from, to, filter } => {
            let span = Span { from: *from, to: *to };
            let folder = PathBuf::from(folder_name(span.to));
            let count = questions::bundle(path, filter, span, &folder, picture)?;
            Ok(format!("{count} flows, a report and a picture are in {}", folder.display()))
        }
    }
}

/// One that tells what it is of and sorts by time.
fn folder_name(end: Timestamp) -> String {
    let exact = when::shown_exactly(end, &Zone::system());
    let digits: String = exact.chars().take(19).filter(|c| *c != ':').collect();
    format!("flowglass-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::stats::Health;
    use crate::filter;
    use crate::flow::{FlowRecord, ObservationDomainId, Version};
    use crate::store::history::History;
    use crate::store::writer::{Options, Writer};

    #[test]
    fn a_note_and_a_bundle_come_of_what_is_asked_at_the_screen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.db");
        let at = Timestamp(1_790_000_040_000);
        let mut writer = Writer::open(&path, Options::default()).unwrap();
        let mut flow = FlowRecord::blank(at.plus(-5_000), [192, 0, 2, 1].into(), ObservationDomainId(0), Version::V9);
        flow.key.src_ip = [10, 0, 0, 1].into();
        flow.key.dst_ip = [198, 51, 100, 1].into();
        flow.counts.bytes = 1234;
        writer.push([flow].as_slice());
        writer.flush(at, &Health::default()).unwrap();
        let note = Errand::Note { at: at.plus(-10_000), text: "the backup | ran".to_owned() };
        assert!(done(&path, &note, None).unwrap().starts_with("noted at "));
        let history = History::open(&path).unwrap();
        assert_eq!(history.notes((at.plus(-60_000), at)).unwrap().len(), 1);
        let span = Span { from: at.plus(-60_000), to: at };
        let (into, filter) = (folder.path().join("bundle"), filter::Filter::all());
        let picture = Some("<svg/>");
        assert_eq!(questions::bundle(&path, &filter, span, &into, picture).unwrap(), 1);
        let report = std::fs::read_to_string(into.join("report.md")).unwrap();
        assert!(report.contains("the backup \\| ran") && report.contains("![the screen](screen.svg)"), "{report}");
        assert_eq!(std::fs::read_to_string(into.join("screen.svg")).unwrap(), "<svg/>");
        assert!(questions::bundle(&path, &filter, span, &into, picture).is_err(), "another incident stays");
    }
}
