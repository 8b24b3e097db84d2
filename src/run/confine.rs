//! Landlock: once everything is open, a headless run can write nowhere but in the folder of its database, and start no
//! other program, whatever a datagram may have done to it. Kernels without it (before 5.13) change nothing.

use std::path::Path;

use landlock::{
    ABI, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use tracing::{debug, warn};

/// The rights of Linux 6.2: renaming between folders and truncating are among them. Those of older kernels are held.
const RIGHTS: ABI = ABI::V3;

/// Confines this thread, and all that it starts from now on.
pub(super) fn confine(database: Option<&Path>) {
    match restrict(database) {
        Ok(RulesetStatus::NotEnforced) => debug!("this kernel has no Landlock: the run is not confined"),
        Ok(_) => debug!(folder = ?database.and_then(Path::parent), "confined: nothing else can be written"),
        Err(problem) => warn!(%problem, "the run is not confined"),
    }
}

fn restrict(database: Option<&Path>) -> Result<RulesetStatus, RulesetError> {
    let writes = AccessFs::from_write(RIGHTS);
    let handled: BitFlags<AccessFs> = writes | AccessFs::Execute;
    let mut rules = Ruleset::default().handle_access(handled)?.create()?;
    // The log, its index, the lock, the quarantine and damaged files lie beside the file that a name leads to.
    let folder = database.and_then(|path| path.canonicalize().ok()?.parent().map(Path::to_owned));
    for folder in folder.iter().filter_map(|folder| PathFd::new(folder).ok()) {
        rules = rules.add_rule(PathBeneath::new(folder, writes))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}
