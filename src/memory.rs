//! Checks that data fits into this machine's memory before it is allocated.

use std::fmt::Display;
use std::sync::LazyLock;

use anyhow::Result;
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

use crate::bad_input;

/// Bytes of memory that this process may use: the machine's, or the limit of its control group if that is lower.
pub(crate) fn total() -> u64 {
    static TOTAL: LazyLock<u64> = LazyLock::new(|| {
        let wanted = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted);
        let limit = system.cgroup_limits().map(|limits| limits.total_memory);
        let machine = system.total_memory();
        limit.map_or(machine, |limit| limit.min(machine))
    });
    *TOTAL
}

/// Bytes of memory that this process uses; 0 where the system does not say.
pub(crate) fn used() -> u64 {
    let Ok(process) = sysinfo::get_current_pid() else {
        return 0;
    };
    let mut system = System::new();
    let wanted = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, wanted);
    system.process(process).map_or(0, sysinfo::Process::memory)
}

/// Checks that `bytes` of `what` fit, `what` naming file or flag and key.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with both sizes.
pub(crate) fn check(bytes: u64, what: &dyn Display) -> Result<()> {
    if bytes <= total() {
        return Ok(());
    }
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    Err(bad_input!(
        "{what} would take {:.1} GB of memory, more than the {:.1} GB of this machine",
        gigabytes(bytes),
        gigabytes(total())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_memory_is_refused_by_name() {
        assert!(total() > 1 << 20);
        assert!((1 << 20..total()).contains(&used()), "{}", used());
        assert!(check(total(), &"x").is_ok());
        let error = check(u64::MAX, &"x.toml: lengths").expect_err("too large");
        assert!(error.to_string().starts_with("x.toml: lengths would take"));
    }
}
