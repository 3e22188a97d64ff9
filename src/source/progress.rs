//! What is shown on stderr while something downloads; nothing when stderr is not a terminal.

use std::time::Duration;

use hf_hub::progress::{DownloadEvent, FileStatus, ProgressEvent, ProgressHandler};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for one file of known size.
#[derive(Clone)]
pub(super) struct FileBar(ProgressBar);

impl FileBar {
    pub(super) fn new(name: &str, bytes: u64) -> Self {
        let style = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = ProgressBar::new(bytes).with_message(name.to_string());
        Self(bar.with_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        ))
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl ProgressHandler for FileBar {
    fn on_progress(&self, event: &ProgressEvent) {
        match event {
            ProgressEvent::Download(DownloadEvent::Progress { files }) => {
                for file in files
                    .iter()
                    .filter(|file| file.status != FileStatus::Complete)
                {
                    self.0.set_position(file.bytes_completed);
                }
            }
            ProgressEvent::Download(DownloadEvent::AggregateProgress {
                bytes_completed, ..
            }) => self.0.set_position(*bytes_completed),
            _ => {}
        }
    }
}

/// A spinner for work that does not say how far it is; it goes when dropped.
pub(super) struct Spinner(ProgressBar);

impl Spinner {
    pub(super) fn new(message: String) -> Self {
        let bar = ProgressBar::new_spinner().with_message(message);
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
