//! Writes vectors whole.

use std::ops::Range;

use super::{Measured, SideView, Writer, WriterEntry, WriterPlan, Written};
use crate::compress::choice::Choice;
use crate::compress::method::At;
use crate::store::{Bytes, Content, Fault, Form, Rows, StoreType, Whole};

pub(super) const ENTRY: WriterEntry = WriterEntry {
    name: WholeWriter::NAME,
    make: |_| Box::new(WholeWriter),
};

/// Writes vectors as they are, in the cache's element type.
#[derive(Debug)]
pub struct WholeWriter;

impl WholeWriter {
    /// The word for it in the settings `keys-as` and `values-as`.
    pub const NAME: &str = "whole";
}

impl Writer for WholeWriter {
    fn plan<'a>(&'a self, source: SideView<'a>) -> Result<Box<dyn WriterPlan + 'a>, Fault> {
        Ok(Box::new(WholePlan(source)))
    }

    fn empty(&self, heads: usize, dim: usize, store: StoreType) -> Box<dyn Form> {
        Box::new(Whole(vec![Rows::new(dim, store); heads]))
    }
}

struct WholePlan<'a>(SideView<'a>);

impl WriterPlan for WholePlan<'_> {
    fn measure(&self, choice: &Choice<'_>, heads: Range<usize>, _at: Option<At>) -> Measured {
        let rows = self.0.heads[0];
        let bytes = heads.map(|head| rows.bytes_of(choice.len(head)));
        Measured {
            bytes: Bytes::of(Content::Entries, bytes.sum()),
            codewords: None,
        }
    }

    fn write(&self, choice: &Choice<'_>, heads: Range<usize>, _at: Option<At>) -> Written {
        let rows = heads.map(|head| {
            let held = choice.held(head);
            self.0.heads[held.kv_head].gather(&held.positions)
        });
        Written {
            form: Box::new(Whole(rows.collect())),
            cosines: None,
        }
    }
}
