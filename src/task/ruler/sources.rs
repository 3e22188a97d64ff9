//! What samples are made from, beside words and numbers.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::dataset::documents::{Documents, read_hotpotqa, read_squad};
use crate::dataset::essay::Essay;

/// Prose, and the files of questions that are given.
pub struct Sources {
    pub essay: Arc<Essay>,
    pub squad: Option<Arc<Documents>>,
    pub hotpotqa: Option<Arc<Documents>>,
}

impl Sources {
    /// An essay of `texts`, and the two files.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a file that cannot be used.
    pub fn read(texts: &[String], squad: Option<&Path>, hotpotqa: Option<&Path>) -> Result<Self> {
        Ok(Self {
            essay: Arc::new(Essay::new(texts)?),
            squad: squad.map(read_squad).transpose()?.map(Arc::new),
            hotpotqa: hotpotqa.map(read_hotpotqa).transpose()?.map(Arc::new),
        })
    }
}
