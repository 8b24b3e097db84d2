use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const HOUR: i64 = 3_600_000;

/// What the clock believes when the host says so many hours after [`NOW`], so many minutes after the start.
fn believed(clock: &mut Clock, begin: Instant, hours: i64, minutes: u64) -> i64 {
    clock.believe(NOW.plus(hours * HOUR), begin + Duration::from_secs(60 * minutes)).since(NOW) / 60_000
}

#[test]
fn a_clock_that_jumps_ahead_is_believed_after_an_hour() {
    let (mut clock, begin) = (Clock::new(Some(NOW)), Instant::now());
    assert_eq!(believed(&mut clock, begin, 0, 0), 0);
    assert_eq!(believed(&mut clock, begin, 1, 60), 60);
    assert_eq!(believed(&mut clock, begin, 48, 70), 70, "time goes on at its pace");
    assert_eq!(believed(&mut clock, begin, 48, 129), 129);
    assert_eq!(believed(&mut clock, begin, 48, 130), 48 * 60);
}

#[test]
fn a_jump_that_is_taken_back_has_no_effect() {
    let (mut clock, begin) = (Clock::new(Some(NOW)), Instant::now());
    believed(&mut clock, begin, 0, 0);
    assert_eq!(believed(&mut clock, begin, 5, 10), 10);
    assert_eq!(believed(&mut clock, begin, 0, 20), 0, "back is always believed");
    assert_eq!(believed(&mut clock, begin, 5, 75), 75 - 20, "a new jump waits anew");
}

#[test]
fn after_a_start_the_time_is_that_of_the_newest_flow() {
    let begin = Instant::now();
    let mut late = Clock::new(Some(NOW));
    assert_eq!(believed(&mut late, begin, 24 * 30, 0), 0);
    assert_eq!(believed(&mut late, begin, 24 * 30, 61), 24 * 30 * 60);
    let mut empty = Clock::new(None);
    assert_eq!(believed(&mut empty, begin, 24, 0), 24 * 60, "nothing can be deleted");
    let mut future = Clock::new(Some(NOW.plus(HOUR)));
    assert_eq!(believed(&mut future, begin, 0, 0), 0);
}

#[test]
fn the_pace_follows_what_a_step_took() {
    let budget = Duration::from_millis(100);
    let mut pace = Pace::default();
    pace.adjust(pace.amount(), Duration::from_millis(1), budget);
    assert_eq!(pace.amount(), 2 * Pace::LEAST, "at most twice as much at once");
    pace.adjust(10, Duration::from_millis(1), budget);
    assert_eq!(pace.amount(), 2 * Pace::LEAST, "a step that had less to do says nothing");
    for _ in 0..20 {
        pace.adjust(pace.amount(), Duration::from_millis(1), budget);
    }
    assert_eq!(pace.amount(), Pace::MOST);
    pace.adjust(Pace::MOST, Duration::from_millis(400), budget);
    assert_eq!(pace.amount(), Pace::MOST / 8, "50 of 400 ms");
    pace.adjust(pace.amount(), Duration::from_secs(3600), budget);
    pace.adjust(pace.amount(), Duration::from_secs(3600), budget);
    assert_eq!(pace.amount(), Pace::LEAST);
    pace.adjust(0, Duration::from_secs(1), budget);
    assert_eq!(pace.amount(), Pace::LEAST);
}

#[test]
fn a_share_is_of_the_whole_file_system() {
    let disk = Disk { total: 10_000, available: 1_000 };
    assert_eq!(Size::Percent(50).resolve(disk), Some(5_000));
    assert_eq!(Size::Octets(7).resolve(disk), Some(7));
    assert_eq!(Size::Unlimited.resolve(disk), None);
    assert_eq!(disk.missing(), 0);
    assert_eq!(Disk { available: 100, ..disk }.missing(), 400, "a twentieth of a small one");
    let large = Disk { total: 1 << 40, available: 1 << 20 };
    assert_eq!(large.missing(), (1 << 30) - (1 << 20));
}
