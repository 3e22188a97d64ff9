//! `difflib.SequenceMatcher` of Python's standard library: likeness by the longest runs in common.
//!
//! Written here because what there is in Rust is another measure (`similar`: edit scripts) or not the same one
//! (`difflib` 0.4.0 keeps the frequent elements of a long text where Python drops them, and counts in 32 bits).

use std::collections::HashMap;
use std::ops::Range;

/// From this many characters on, those of `b` that make up more than a hundredth of it start no run.
const LONG: usize = 200;

/// `SequenceMatcher(None, a, b).ratio()`: twice the characters in common runs over the characters of both, where the
/// runs are the longest, and then in turn the longest to the left and to the right of it. Not symmetric.
pub fn ratio(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let places = places(&b);
    let mut matched = 0;
    let mut parts = vec![(0..a.len(), 0..b.len())];
    while let Some((in_a, in_b)) = parts.pop() {
        let (i, j, size) = longest_run((&a, &in_a), (&b, &in_b), &places);
        if size > 0 {
            matched += size;
            parts.push((in_a.start..i, in_b.start..j));
            parts.push((i + size..in_a.end, j + size..in_b.end));
        }
    }
    2.0 * matched as f64 / (a.len() + b.len()) as f64
}

/// Where each character stands, but for the popular ones of a long text.
fn places(text: &[char]) -> HashMap<char, Vec<usize>> {
    let mut places: HashMap<char, Vec<usize>> = HashMap::new();
    for (place, &c) in text.iter().enumerate() {
        places.entry(c).or_default().push(place);
    }
    if text.len() >= LONG {
        places.retain(|_, found| found.len() <= text.len() / 100 + 1);
    }
    places
}

/// Start in each text, and length, of the longest run that both parts hold: the first in `a`, then the first in `b`.
fn longest_run(
    (a, in_a): (&[char], &Range<usize>),
    (b, in_b): (&[char], &Range<usize>),
    places: &HashMap<char, Vec<usize>>,
) -> (usize, usize, usize) {
    let (mut i, mut j, mut size) = (in_a.start, in_b.start, 0);
    // Length of the run that ends before each place in `b`, for the row before and for this one.
    let mut before: HashMap<usize, usize> = HashMap::new();
    for row in in_a.clone() {
        let mut here = HashMap::new();
        let found = places.get(&a[row]).map_or(&[][..], Vec::as_slice);
        for &place in found.iter().filter(|place| in_b.contains(place)) {
            let run = before.get(&place).copied().unwrap_or(0) + 1;
            here.insert(place + 1, run);
            if run > size {
                (i, j, size) = (row + 1 - run, place + 1 - run, run);
            }
        }
        before = here;
    }
    // Popular characters start no run, but lengthen one.
    while i > in_a.start && j > in_b.start && a[i - 1] == b[j - 1] {
        (i, j, size) = (i - 1, j - 1, size + 1);
    }
    while i + size < in_a.end && j + size < in_b.end && a[i + size] == b[j + size] {
        size += 1;
    }
    (i, j, size)
}
