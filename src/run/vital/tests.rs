use super::*;

fn vital(at: Instant) -> (watch::Sender<Beat>, watch::Sender<Option<WriterStats>>, Vital) {
    let (beat, beats) = watch::channel(Beat { at, health: Arc::default() });
    let (stats, storage) = watch::channel(None);
    (beat, stats, Vital { beats, storage: Some(storage), database: None, started: Timestamp(0) })
}

#[test]
fn a_source_that_tells_nothing_is_stuck() {
    let long_ago = Instant::now().checked_sub(STUCK * 2).unwrap();
    let (beat, _stats, vital) = vital(long_ago);
    assert!(vital.stuck().unwrap().contains("told nothing for 40 s"));
    beat.send_replace(Beat::new(Arc::default()));
    assert_eq!(vital.stuck(), None);
}

#[test]
fn a_storage_thread_that_has_ended_is_no_life() {
    let (_beat, stats, vital) = vital(Instant::now());
    assert_eq!(vital.stuck(), None);
    drop(stats);
    assert!(vital.stuck().is_some());
}

/// To start anew would lose what waits in memory, and not unlock the database.
#[test]
fn a_database_that_cannot_be_written_is_an_ailment_and_no_reason_to_start_anew() {
    let (_beat, stats, vital) = vital(Instant::now());
    let failing = WriterStats { failures: 2, last_error: Some("database is locked".to_owned()), ..Default::default() };
    stats.send_replace(Some(failing));
    assert_eq!(vital.ailment().unwrap(), "flows cannot be stored: database is locked");
    assert_eq!(vital.stuck(), None);
}
