//! What a service manager is told: ready, alive, reloading, stopping (sd_notify(3)). Without one, nothing happens.
//!
//! A sign of life is sent only while the source and the storage thread live, so that a run that is stuck is started anew.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;
use tracing::{debug, error};

use crate::run::vital::Vital;

/// Between two lines of status, where no watchdog asks for more.
const STATUS: Duration = Duration::from_secs(10);

/// Everything is opened, nothing can fail any more.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that settings are being read, and afterwards that this is over.
pub(super) fn reloading<T>(reload: impl FnOnce() -> T) -> T {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
    let done = reload();
    ready();
    done
}

/// Tells for ever that the run lives, as long as it does.
pub(super) async fn watch(vital: Vital) {
    // Half of what the manager waits for, so that one may be late.
    let pause = sd_notify::watchdog_enabled().map_or(STATUS, |limit| (limit / 2).min(STATUS));
    let mut was_stuck = false;
    loop {
        match vital.stuck() {
            None => tell(&[NotifyState::Watchdog, NotifyState::Status(&vital.status())]),
            Some(why) if !was_stuck => {
                error!(why, "the run is stuck: the service manager is told nothing until it goes on");
                was_stuck = true;
            }
            Some(_) => {}
        }
        sleep(pause).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(problem) = sd_notify::notify(states) {
        debug!(%problem, "the service manager was not told");
    }
}
