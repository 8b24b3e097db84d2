//! How often frames are drawn: as often as can be read, and less often over a line that cannot carry them.

use std::time::Duration;

/// At most 15 frames a second, since more cannot be read.
pub const SHORTEST: Duration = Duration::from_millis(66);

/// After a frame, one that answers a person need not wait so long: within 50 ms a key seems to do something at once.
const HASTE: Duration = Duration::from_millis(25);

/// Even the slowest line shows something new now and then.
const LONGEST: Duration = Duration::from_secs(4);

/// A frame that took longer to be written waited for the line.
const SLOW: Duration = Duration::from_millis(100);

/// Frames that must go out at once before there are more of them again.
const TRUST: u32 = 5;

/// The gap between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    gap: Duration,
    /// Frames since the last slow one.
    quick: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { gap: SHORTEST, quick: 0 }
    }
}

impl Pace {
    /// Learns how long a frame blocked while it was written: half as many frames when it was too long, and twice as many
    /// when the last few were not.
    pub fn learn(&mut self, blocked: Duration) {
        self.quick = if blocked <= SLOW { self.quick.saturating_add(1) } else { 0 };
        if self.quick == 0 {
            // What the feed brings each second is what there is to halve.
            self.gap = (self.gap * 2).max(Duration::from_secs(2)).min(LONGEST);
        } else if TRUST <= self.quick && SHORTEST < self.gap {
            self.gap = (self.gap / 2).max(SHORTEST);
            self.quick = 0;
            if self.gap < Duration::from_secs(1) {
                self.gap = SHORTEST;
            }
        }
    }

    pub const fn gap(self) -> Duration {
        self.gap
    }

    /// The gap before a frame that somebody waits for. A line that carries no more frames cannot carry these either, but
    /// they are few.
    pub fn haste(self) -> Duration {
        if self.gap == SHORTEST { HASTE } else { self.gap / 8 }
    }

    /// `0.5 fps`, or nothing when there are as many as anybody wants.
    pub fn label(self) -> Option<String> {
        let per_second = 1.0 / self.gap.as_secs_f64();
        (SHORTEST < self.gap).then(|| format!("{per_second:.2} fps"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(1);
    const BLOCKED: Duration = Duration::from_millis(101);

    fn after(frames: &[(Duration, usize)]) -> Pace {
        let mut pace = Pace::default();
        for &(blocked, times) in frames {
            (0..times).for_each(|_| pace.learn(blocked));
        }
        pace
    }

    #[test]
    fn a_slow_line_gets_fewer_frames_and_says_so() {
        assert_eq!(after(&[(FAST, 100)]), Pace { gap: SHORTEST, quick: 100 });
        assert_eq!(after(&[(Duration::from_millis(100), 9)]).label(), None, "100 ms is not too long");
        assert_eq!(after(&[(BLOCKED, 1)]).label().as_deref(), Some("0.50 fps"));
        assert_eq!(after(&[(BLOCKED, 2)]).label().as_deref(), Some("0.25 fps"));
        assert_eq!(after(&[(BLOCKED, 50)]).gap(), LONGEST);
    }

    #[test]
    fn who_waits_is_answered_before_figures_are_shown() {
        assert!(Pace::default().haste() * 2 <= SHORTEST);
        assert_eq!(after(&[(BLOCKED, 1)]).haste(), Duration::from_millis(250));
    }

    #[test]
    fn a_line_that_is_well_again_gets_all_of_them() {
        assert_eq!(after(&[(BLOCKED, 2), (FAST, 4)]).gap(), LONGEST);
        assert_eq!(after(&[(BLOCKED, 2), (FAST, 5)]).gap(), LONGEST / 2);
        assert_eq!(after(&[(BLOCKED, 2), (FAST, 15)]).gap(), SHORTEST);
        assert_eq!(after(&[(BLOCKED, 2), (FAST, 4), (BLOCKED, 1), (FAST, 4)]).gap(), LONGEST);
    }
}
