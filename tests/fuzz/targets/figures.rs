//! The figures of the rows of `records.csv` and, after a zero byte, of `layers.csv`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::plot::draw_all;
use spindle_fuzz::accepted;
use spindle_fuzz::results::write;

fuzz_target!(|data: &[u8]| {
    accepted(draw_all(&write(data)));
});
