//! Attention over one KV head in coded form. The tokens of a sequence, many to an entry, attend to entries rebuilt block
//! by block; a single token attends in code space, see `code_step`.

use super::code_space::CodedHead;
use super::coded::Codewords;
use super::dense::BLOCK;
use super::layer::Pass;
use super::scratch::{Scratch, room, with_scratch};
use super::softmax::Attending;
use crate::model::rope::Rope;

/// One KV head and the codebooks it is written in.
pub struct HeadView<'a> {
    pub keys: &'a Codewords,
    pub values: &'a Codewords,
    pub head: &'a CodedHead,
    pub rope: &'a Rope,
}

impl HeadView<'_> {
    /// Attends the rows of the group; token `t` sees the first `appended(t)` entries added since the prompt.
    pub fn absorb(&self, attending: &mut Attending, appended: impl Fn(usize) -> usize) {
        match attending.pass() {
            // Tokens decoded later are kept apart: those that join the codebooks come by CodedBook::step.
            Pass::Step => self.absorb_step(attending),
            Pass::Sequence => self.absorb_sequence(attending, appended),
        }
    }

    fn absorb_sequence(&self, attending: &mut Attending, appended: impl Fn(usize) -> usize) {
        let group = attending.members();
        let alike = if self.head.lists().is_none() {
            group
        } else {
            1
        };
        for first in (0..group).step_by(alike) {
            with_scratch(|scratch| {
                let Scratch {
                    keys,
                    values,
                    seen: entries,
                    ..
                } = scratch;
                self.head.seen(first, self.head.appended(), entries);
                let of_prompt = entries.len() - self.head.appended();
                for (number, block) in entries.chunks(BLOCK).enumerate() {
                    let keys = self.rebuild_keys(block, keys);
                    let values = self.rebuild_values(block, values);
                    attending.absorb(first..first + alike, keys, values, |t| {
                        (of_prompt + appended(t)).saturating_sub(number * BLOCK)
                    });
                }
            });
        }
    }

    /// Keys of entries, rotated, `[entries, head_dim]`.
    fn rebuild_keys<'s>(&self, entries: &[u32], out: &'s mut Vec<f32>) -> &'s [f32] {
        let d = self.keys.dim();
        let out = room(out, entries.len() * d);
        for (key, &entry) in out.chunks_exact_mut(d).zip(entries) {
            self.head.keys().rebuild(self.keys, entry as usize, key);
            if let Some(positions) = self.head.positions() {
                self.rope
                    .rotate_in_place(key, positions.get(entry as usize));
            }
        }
        out
    }

    /// Values of entries, `[entries, head_dim]`.
    fn rebuild_values<'s>(&self, entries: &[u32], out: &'s mut Vec<f32>) -> &'s [f32] {
        let d = self.values.dim();
        let out = room(out, entries.len() * d);
        for (value, &entry) in out.chunks_exact_mut(d).zip(entries) {
            self.head
                .values()
                .rebuild(self.values, entry as usize, value);
        }
        out
    }
}
