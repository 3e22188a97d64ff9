//! What is shown on stderr while something downloads; nothing when stderr is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal;

/// A bar for one file of known size; it goes when dropped.
pub(super) struct FileBar(ProgressBar);

impl FileBar {
    pub(super) fn new(name: &str, bytes: u64) -> Self {
        let style = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = ProgressBar::new(bytes).with_message(terminal::line(name));
        Self(bar.with_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        ))
    }

    /// Shows that `bytes` of the file have arrived.
    pub(super) fn reached(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for FileBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A spinner for work that does not say how far it is; it goes when dropped.
pub(super) struct Spinner(ProgressBar);

impl Spinner {
    pub(super) fn new(message: String) -> Self {
        let bar = ProgressBar::new_spinner().with_message(terminal::line(&message));
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
