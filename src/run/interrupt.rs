//! Ctrl-C ends a run after the current sample; a second one ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::terminal;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C and for a request to terminate.
pub(super) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        terminal::tell("interrupted: finishing the sample at hand (once more to stop at once)");
    })
    .context("listening for Ctrl-C")
}

pub(super) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
