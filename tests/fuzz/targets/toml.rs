//! An experiment file: read, validated, its cells expanded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::experiment::{Experiment, ExperimentFile};
use spindle::files;
use spindle_fuzz::accepted;

const NAME: &str = "experiment.toml";

fuzz_target!(|data: &[u8]| {
    let Some(text) = accepted(files::text(data.to_vec(), NAME), NAME) else {
        return;
    };
    if let Some(file) = accepted(ExperimentFile::parse(&text, NAME), NAME) {
        accepted(Experiment::new(file, text, NAME), NAME);
    }
});
