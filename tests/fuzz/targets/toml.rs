//! An experiment file: read, validated, its cells expanded; and the file of a task.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::experiment::{Experiment, ExperimentFile};
use spindle::files;
use spindle::task::custom::TaskFile;
use spindle_fuzz::{accepted, folder};

const NAME: &str = "experiment.toml";

fuzz_target!(|data: &[u8]| {
    let Some(text) = accepted(files::text(data.to_vec(), NAME), NAME) else {
        return;
    };
    accepted(TaskFile::parse(&text, folder(), NAME), NAME);
    if let Some(file) = accepted(ExperimentFile::parse(&text, NAME), NAME) {
        accepted(Experiment::new(file, text, NAME), NAME);
    }
});
