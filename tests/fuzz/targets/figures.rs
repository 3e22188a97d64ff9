//! The figures of rows whose numbers are of any value.
#![no_main]

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use spindle::plot::draw_all;
use spindle_fuzz::{accepted, results};

fuzz_target!(|data: &[u8]| {
    if let Ok(folder) = results::of_any_numbers(&mut Unstructured::new(data)) {
        accepted(draw_all(&folder), "results");
    }
});
