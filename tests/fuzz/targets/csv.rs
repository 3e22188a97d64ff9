//! The rows of `records.csv` and, after a zero byte, those of `layers.csv`; read, and reported on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::record::{read_layers, read_records};
use spindle::report::Report;
use spindle_fuzz::accepted;
use spindle_fuzz::results::of_rows;

fuzz_target!(|data: &[u8]| {
    let folder = of_rows(data);
    accepted(read_layers(&folder), "layers.csv");
    if let Some(records) = accepted(read_records(&folder), "records.csv") {
        let report = Report::new(&records);
        report.text(100);
        report.markdown();
    }
});
