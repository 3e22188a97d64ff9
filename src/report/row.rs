//! A row of a table: one method and settings.

use super::Baseline;
use super::block::{Block, CellRecords};
use super::bootstrap;
use super::difference::Difference;
use super::table::{self, Table};
use crate::record::Record;

/// The metric of samples that are continuations of a text: what counts is their likelihood.
const PERPLEXITY: &str = "perplexity";

/// One method and settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// Text that tells it from the method's other rows, see [`CellRecords::label`].
    pub settings: String,
    /// Number of samples with a result.
    pub n: usize,
    /// Mean measured retention, 0 to 1.
    pub retention: Option<f64>,
    /// Mean score x 100.
    pub score: Option<f64>,
    /// Mean negative log-likelihood of the right answer, nats per token.
    pub nll: Option<f64>,
    /// Number of samples that have a likelihood. An answer that comes to no token has none.
    pub likelihoods: usize,
    /// Closeness to the full cache over the right answer and over the full cache's own.
    pub fidelity: [Closeness; 2],
    /// exp of `nll` where that is the metric.
    pub perplexity: Option<f64>,
    /// Difference of scores, in points. None for the baseline itself, and if no sample has a partner there.
    pub difference: Option<Difference>,
    /// Difference of negative log-likelihoods, nats per token. None likewise.
    pub nll_difference: Option<Difference>,
    /// Number of samples whose prompt was too long and had tokens taken out. None if the records do not say.
    pub cut: Option<usize>,
    /// Number of samples that ended with an error.
    pub failed: usize,
    /// Samples on which the method cannot make the cache as small as asked for; in no mean.
    pub out_of_reach: usize,
    /// Samples whose cache is more than a point smaller than asked for; in the means, at its own retention.
    pub saturated: usize,
}

/// How close the next-token distributions are to the full cache's, as means over samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Closeness {
    /// KL divergence, nats.
    pub kl: Option<f64>,
    /// Share of the tokens before which both have the same most likely one.
    pub agreement: Option<f64>,
}

impl Row {
    /// Summarises one method and settings over its tasks.
    pub(super) fn over(tasks: &[(&Block, &CellRecords)], baseline: &Baseline) -> Self {
        let mean = |column: fn(&Record) -> Option<f64>| {
            let values = tasks.iter().map(|(_, cell)| cell.values(column));
            bootstrap::mean_of_means(&Vec::from_iter(values))
        };
        let scores: Vec<Vec<f64>> = tasks.iter().map(|(_, cell)| cell.scores()).collect();
        let difference = |column: fn(&Record) -> Option<f64>| {
            let of_task = |&(block, cell): &(&Block, &CellRecords)| {
                Some(cell.differences(baseline.of(block, cell)?, column))
            };
            let pairs: Option<Vec<Vec<f64>>> = tasks.iter().map(of_task).collect();
            Difference::new(&pairs?)
        };
        let (block, cell) = tasks[0];
        let nll = mean(|record| record.nll);
        Self {
            method: cell.method.to_string(),
            settings: cell.label.clone(),
            n: tasks.iter().map(|(_, cell)| cell.results()).sum(),
            retention: mean(|record| record.retention),
            score: bootstrap::mean_of_means(&scores).map(|mean| mean * 100.0),
            nll,
            likelihoods: tasks
                .iter()
                .map(|(_, cell)| cell.values(|record| record.nll).len())
                .sum(),
            fidelity: [
                Closeness {
                    kl: mean(|record| record.kl),
                    agreement: mean(|record| record.agreement),
                },
                Closeness {
                    kl: mean(|record| record.kl_greedy),
                    agreement: mean(|record| record.agreement_greedy),
                },
            ],
            perplexity: nll.filter(|_| block.metric == PERPLEXITY).map(f64::exp),
            difference: difference(|record| Some(record.score? * 100.0)),
            nll_difference: difference(|record| record.nll),
            cut: tasks
                .iter()
                .map(|(_, cell)| cell.cut())
                .sum::<Option<usize>>(),
            failed: tasks.iter().map(|(_, cell)| cell.failed()).sum(),
            out_of_reach: tasks.iter().map(|(_, cell)| cell.out_of_reach()).sum(),
            saturated: tasks.iter().map(|(_, cell)| cell.saturated()).sum(),
        }
    }

    pub(super) fn table(rows: &[Self]) -> Table {
        let headers = [
            "method",
            "settings",
            "n",
            "retention",
            "score",
            "nll",
            "perplexity",
            "difference [95 %]",
            "cut",
            "failed",
            "out of reach",
            "saturated",
        ];
        // Columns that no row has anything in are left out.
        let some = |count: usize| table::or_empty((count > 0).then(|| count.to_string()));
        let texts = |row: &Self| {
            vec![
                row.method.clone(),
                row.settings.clone(),
                row.n.to_string(),
                table::or_empty(row.retention.map(|share| format!("{:.1} %", share * 100.0))),
                table::or_empty(row.score.map(|score| format!("{score:.1}"))),
                table::or_empty(row.nll.map(|nll| match row.likelihoods {
                    k if k == row.n => format!("{nll:.2}"),
                    k => format!("{nll:.2} of {k}"),
                })),
                table::or_empty(row.perplexity.map(|perplexity| format!("{perplexity:.2}"))),
                table::or_empty(row.difference.as_ref().map(|d| d.text(row.n, 1))),
                table::or_empty(row.cut.map(|cut| cut.to_string())),
                row.failed.to_string(),
                some(row.out_of_reach),
                some(row.saturated),
            ]
        };
        Table::new(&headers, rows.iter().map(texts).collect())
    }

    /// The table of fidelity. None if no row has any.
    pub(super) fn fidelity_table(rows: &[Self]) -> Option<Table> {
        let headers = [
            "method",
            "settings",
            "nll difference [95 %]",
            "kl",
            "agreement",
            "kl greedy",
            "agreement greedy",
        ];
        let texts = |row: &Self| {
            let difference = row.nll_difference.as_ref();
            let mut texts = vec![
                row.method.clone(),
                row.settings.clone(),
                table::or_empty(difference.map(|d| d.text(row.n, 2))),
            ];
            for Closeness { kl, agreement } in row.fidelity {
                texts.push(table::or_empty(kl.map(|kl| format!("{kl:.3}"))));
                let percent = |share| format!("{:.1} %", share * 100.0);
                texts.push(table::or_empty(agreement.map(percent)));
            }
            texts
        };
        let table = Table::new(&headers, rows.iter().map(texts).collect());
        (table.headers.len() > 2).then_some(table)
    }
}
