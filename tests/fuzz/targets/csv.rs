//! The rows of `records.csv` and, after a zero byte, those of `layers.csv`; read, and reported on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::record::{read_layers, read_records};
use spindle::report::Report;
use spindle_fuzz::accepted;
use spindle_fuzz::results::write;

fuzz_target!(|data: &[u8]| {
    let folder = write(data);
    accepted(read_layers(&folder));
    if let Some(records) = accepted(read_records(&folder)) {
        let report = Report::new(&records);
        report.text();
        report.markdown();
    }
});
