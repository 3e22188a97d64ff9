//! The interface of writers, which write the keys or the values of a prompt in a form of the store.

use std::fmt::Debug;
use std::ops::Range;

use crate::compress::choice::Choice;
use crate::compress::codebook::Cosines;
use crate::compress::method::{At, Knob};
use crate::compress::view::LayerView;
use crate::store::{Bytes, Fault, Form, Rotate, Rows, Side, StoreType};

/// A writer that settings can name.
pub struct WriterEntry {
    /// The word for it in `keys-as` and `values-as`.
    pub name: &'static str,
    /// Makes the writer of keys or of values, with its default settings.
    pub make: fn(Side) -> Box<dyn Writer>,
}

/// Keys or values of one layer's prompt.
#[derive(Clone)]
pub struct SideView<'a> {
    /// Whether keys or values are written.
    pub side: Side,
    /// Per KV head, `[len, head_dim]`.
    pub heads: Vec<&'a Rows>,
    /// The layer that they are of.
    pub layer: LayerView<'a>,
}

impl<'a> SideView<'a> {
    /// `rotate`: when the keys that are written are rotated.
    pub fn new(layer: LayerView<'a>, side: Side, rotate: Rotate) -> Self {
        Self {
            side,
            heads: layer.vectors(side, rotate),
            layer,
        }
    }
}

/// A way to write keys or values.
pub trait Writer: Debug + Send + Sync {
    /// When the keys that it writes are rotated.
    fn rotate(&self) -> Rotate {
        Rotate::AtWrite
    }

    /// Whether the KV heads of a layer are written together, in one form.
    fn shares_heads(&self) -> bool {
        false
    }

    /// Whether decoded tokens are written among the entries of the prompt. Else they get a run of their own.
    fn joins(&self) -> bool {
        false
    }

    /// The knob that sets how small it writes. None if it has none.
    fn knob(&self) -> Option<Knob> {
        None
    }

    /// Computes what does not depend on the entries held, so that a sweep does it once.
    ///
    /// # Errors
    /// A vector that cannot be written.
    fn plan<'a>(&'a self, source: SideView<'a>) -> Result<Box<dyn WriterPlan + 'a>, Fault>;

    /// A form of `heads` heads that holds nothing yet.
    fn empty(&self, heads: usize, dim: usize, store: StoreType) -> Box<dyn Form>;
}

/// Keys or values of one layer's prompt, ready to be written for any choice of entries. `heads`: heads of the choice to
/// be written into one form. `at`: a place on the range of [`Writer::knob`]; None: as the writer's own settings say.
pub trait WriterPlan: Send + Sync {
    /// Counts and bytes that [`WriterPlan::write`] would hold, without making the form.
    fn measure(&self, choice: &Choice<'_>, heads: Range<usize>, at: Option<At>) -> Measured;

    /// Writes the entries of `choice` for the heads in `heads`.
    fn write(&self, choice: &Choice<'_>, heads: Range<usize>, at: Option<At>) -> Written;
}

/// What a form holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// Codewords, see [`Form::codewords`]. None where vectors are not coded.
    pub codewords: Option<usize>,
    /// Bytes, by what they are spent on.
    pub bytes: Bytes,
}

/// Vectors that were written.
pub struct Written {
    /// The form that holds them.
    pub form: Box<dyn Form>,
    /// Cosines of the vectors with their codewords. None where vectors are not coded.
    pub cosines: Option<Cosines>,
}
