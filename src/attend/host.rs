//! Attention on the processor, in the forms that entries are stored in.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::rule::{Pass, Rule};
use super::sequence::{self, Queries};
use super::step;
use super::tokens::Tokens;
use super::{Attended, Attention, Batch};
use crate::store::{Fault, LayerStore};

/// The processor.
pub struct Host;

impl Attention for Host {
    fn attend(
        &self,
        rule: &Rule,
        new: &Batch<'_>,
        layers: &mut [&mut LayerStore],
        drawn: Option<&mut [Vec<f32>]>,
    ) -> Result<Attended> {
        let host = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (queries, unrotated) = (host(new.queries)?, host(new.keys)?);
        let values = host(new.values)?;
        let (query_width, key_width) = (new.queries.dim(1)?, new.keys.dim(1)?);
        let mut keys = unrotated.clone();
        rotate(
            rule,
            &mut keys,
            key_width,
            layers[0].head_dim(),
            new.positions,
        );
        let tokens = |queries, span: std::ops::Range<usize>| {
            let rows = span.start * key_width..span.end * key_width;
            Tokens {
                queries,
                query_width,
                unrotated_keys: &unrotated[rows.clone()],
                keys: &keys[rows.clone()],
                values: &values[rows],
                positions: &new.positions[span],
                pass: new.pass,
            }
        };
        let attended: Vec<(Vec<f32>, Option<Fault>)> = match layers {
            [layer] => vec![attend(
                rule,
                layer,
                &tokens(&queries, new.spans[0].clone()),
                drawn,
            )],
            _ => layers
                .par_iter_mut()
                .zip(new.spans)
                .map(|(layer, span)| {
                    let queries = &queries[span.start * query_width..span.end * query_width];
                    attend(rule, layer, &tokens(queries, span.clone()), None)
                })
                .collect(),
        };
        let (outputs, faults): (Vec<Vec<f32>>, Vec<Option<Fault>>) = attended.into_iter().unzip();
        let output = Tensor::from_vec(outputs.concat(), new.queries.dims(), new.queries.device())?;
        Ok(Attended { output, faults })
    }
}

/// Rotates `rows`, `[positions, width]`, head by head in place, each token to its position.
fn rotate(rule: &Rule, rows: &mut [f32], width: usize, head_dim: usize, positions: &[usize]) {
    let Some(rope) = &rule.rope else { return };
    rows.par_chunks_mut(width)
        .with_min_len(16)
        .zip(positions)
        .for_each(|(heads, &position)| {
            for head in heads.chunks_exact_mut(head_dim) {
                rope.rotate_in_place(head, position);
            }
        });
}

/// Attends the new tokens of one sequence. Returns the attention output and the first fault.
fn attend(
    rule: &Rule,
    layer: &mut LayerStore,
    new: &Tokens<'_>,
    drawn: Option<&mut [Vec<f32>]>,
) -> (Vec<f32>, Option<Fault>) {
    let width = layer.kv_heads() * layer.head_dim();
    let at = |fault: Fault, positions: &[usize]| Fault {
        token: positions[fault.token],
        ..fault
    };
    let rows = [new.unrotated_keys, new.keys, new.values];
    let fault = layer.fault(rows, width);
    let fault = fault.map(|fault| at(fault, new.positions));
    let output = match new.pass {
        Pass::Step if drawn.is_none() => step::attend(rule, layer, new),
        // What entries draw from a step is known once its softmax is, which a sequence's second pass waits for.
        Pass::Step | Pass::Sequence => {
            layer.append(rows, new.positions);
            let queries = Queries {
                rows: new.queries,
                positions: new.attending(),
                causal: true,
            };
            sequence::attend(rule, layer, queries, drawn)
        }
    };
    layer.settle();
    let fault = fault.or_else(|| {
        let fault = Fault::of_rows("attention", &output, new.query_width, 0);
        fault.map(|fault| at(fault, new.attending()))
    });
    (output, fault)
}

/// Attends queries `[n, heads, head_dim]`, not rotated, at `positions`, each to every entry held. Appends nothing.
/// Returns `[n, heads * head_dim]`.
pub fn attend_held(
    rule: &Rule,
    layer: &LayerStore,
    queries: &[f32],
    positions: &[usize],
) -> Vec<f32> {
    let queries = Queries {
        rows: queries,
        positions,
        causal: false,
    };
    sequence::attend(rule, layer, queries, None)
}
