use super::*;

#[test]
fn new_templates_are_handed_on_at_once_and_repeated_ones_once_a_minute() {
    let revision = |definitions, records| Revision { definitions, records };
    let at = Timestamp(1_790_000_000_000);
    let told = Some((revision(2, 5), at));
    let due = |revision, after, is_last| is_due(told, revision, at.plus(after), is_last);
    assert!(is_due(None, revision(0, 0), at, false));
    assert!(due(revision(3, 6), 1000, false));
    assert!(!due(revision(2, 6), REPEATED_MS - 1, false));
    assert!(due(revision(2, 6), REPEATED_MS, false));
    assert!(due(revision(2, 6), -1, false), "the clock was set back");
    assert!(!due(revision(2, 5), REPEATED_MS, false));
    assert!(due(revision(2, 6), 1000, true));
    assert!(!due(revision(2, 5), 1000, true));
}
