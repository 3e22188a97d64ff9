//! What an answer scores that owes nothing to the context.

use crate::dataset::longbench::LongBenchRecord;
use crate::task::longbench::Metric;
use crate::task::metric::Rules;

/// Sum over `records`, which are of one length, of what the first answers of the others score on average.
pub(super) fn chance(metric: Metric, rules: Rules, records: &[LongBenchRecord]) -> f64 {
    let others = records.len().saturating_sub(1).max(1) as f64;
    let of = |asked: &LongBenchRecord| {
        let others_answers = records.iter().filter(|other| other.id != asked.id);
        let scores = others_answers.map(|other| metric.score(rules, &other.answers[0], asked));
        scores.sum::<f64>() / others
    };
    records.iter().map(of).sum()
}
