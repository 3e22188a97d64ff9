//! New tokens of one sequence in one layer.

use super::rule::Pass;

/// Each `[n, heads of its kind, head_dim]`.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// Queries before RoPE, of the last tokens: those that attend.
    pub queries: &'a [f32],
    /// Elements of the queries of a token.
    pub query_width: usize,
    pub unrotated_keys: &'a [f32],
    pub keys: &'a [f32],
    pub values: &'a [f32],
    pub positions: &'a [usize],
    pub pass: Pass,
}

impl<'a> Tokens<'a> {
    /// Positions of the tokens that attend.
    pub(super) fn attending(&self) -> &'a [usize] {
        let attending = self.queries.len() / self.query_width;
        &self.positions[self.positions.len() - attending..]
    }
}
