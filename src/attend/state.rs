//! The running state of a softmax.

/// Maximum, sum and output of each row of queries, over the entries that it has attended to so far.
pub(super) struct Softmax {
    /// Largest score of each row; negative infinity before the first.
    pub max: Vec<f32>,
    /// Sum of each row's weights, relative to its maximum.
    pub sum: Vec<f32>,
    /// Weighted sum of values, `[rows, dim]`, not yet divided by `sum`.
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
