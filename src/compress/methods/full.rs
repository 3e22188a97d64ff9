//! The dense cache, whole: what every other method is compared with.

use super::parts::NoOthers;
use super::{Entry, Made};
use crate::compress::settings::MethodInfo;

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "full",
        summary: "every entry, uncompressed: the reference of every comparison",
        source: "",
        settings: &[],
    },
    make: |settings| {
        let NoOthers {} = settings.read()?;
        Ok(Made::Full)
    },
};
