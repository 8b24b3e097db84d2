//! A clock for what runs on one thread; each bench that needs it takes it in as a module of its own.

use std::time::Duration;

/// CPU time of this thread.
pub(crate) fn spent() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.cast_unsigned(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}
