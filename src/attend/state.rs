//! The running state of a softmax.

/// Of each row of queries.
pub(super) struct Softmax {
    pub max: Vec<f32>,
    pub sum: Vec<f32>,
    /// `[rows, dim]`, not yet divided by `sum`.
    pub out: Vec<f32>,
}

impl Softmax {
    /// Rows that have seen nothing yet.
    pub(super) fn new(rows: usize, dim: usize) -> Self {
        Self {
            max: vec![f32::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            out: vec![0.0; rows * dim],
        }
    }
}
