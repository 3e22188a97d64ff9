//! Which metric a task of LongBench is scored by.

use serde::Deserialize;

use crate::dataset::longbench::LongBenchRecord;
use crate::task::metric::Rules;
use crate::task::metric::classification::classification;
use crate::task::metric::code_sim::code_sim;
use crate::task::metric::count::count;
use crate::task::metric::qa_f1::qa_f1;
use crate::task::metric::qa_f1_zh::qa_f1_zh;
use crate::task::metric::retrieval::{paragraph, retrieval};
use crate::task::metric::retrieval_zh::{paragraph_zh, retrieval_zh};
use crate::task::metric::rouge::rouge;
use crate::task::metric::rouge_zh::rouge_zh;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    QaF1,
    QaF1Zh,
    Rouge,
    RougeZh,
    Classification,
    Count,
    Retrieval,
    RetrievalZh,
    CodeSim,
}

impl Metric {
    /// The name in records; those that [`Rules::Fixed`] changes are other metrics.
    pub fn name(self, rules: Rules) -> &'static str {
        let fixed = rules == Rules::Fixed;
        match self {
            Self::QaF1 => "qa_f1",
            Self::QaF1Zh => "qa_f1_zh",
            Self::Rouge if fixed => "rouge-fixed",
            Self::Rouge => "rouge",
            Self::RougeZh if fixed => "rouge_zh-fixed",
            Self::RougeZh => "rouge_zh",
            Self::Classification if fixed => "classification-fixed",
            Self::Classification => "classification",
            Self::Count => "count",
            Self::Retrieval => "retrieval",
            Self::RetrievalZh => "retrieval_zh",
            Self::CodeSim if fixed => "code_sim-fixed",
            Self::CodeSim => "code_sim",
        }
    }

    /// Whether a record has what the metric needs: class names, or answers that name a paragraph.
    ///
    /// # Errors
    /// What it lacks.
    pub fn fits(self, record: &LongBenchRecord) -> Result<(), String> {
        let each_names = |mark: &str, number: fn(&str) -> Option<&str>| match record
            .answers
            .iter()
            .find(|a| number(a).is_none())
        {
            Some(answer) => Err(format!("answer `{answer}`, expected `{mark}N`")),
            None => Ok(()),
        };
        match self {
            Self::Classification if record.all_classes.as_ref().is_none_or(Vec::is_empty) => {
                Err("all_classes is null or empty, expected the names to choose from".into())
            }
            Self::Retrieval => each_names("Paragraph ", paragraph),
            Self::RetrievalZh => each_names("段落", paragraph_zh),
            _ => Ok(()),
        }
    }

    /// The best that `response` is worth against any of the record's answers.
    pub fn score(self, rules: Rules, response: &str, record: &LongBenchRecord) -> f64 {
        let classes = record.all_classes.as_deref().unwrap_or_default();
        let of = |answer: &String| match self {
            Self::QaF1 => qa_f1(response, answer),
            Self::QaF1Zh => qa_f1_zh(response, answer),
            Self::Rouge => rouge(response, answer, rules),
            Self::RougeZh => rouge_zh(response, answer, rules),
            Self::Classification => classification(response, answer, classes, rules),
            Self::Count => count(response, answer),
            Self::Retrieval => retrieval(response, answer),
            Self::RetrievalZh => retrieval_zh(response, answer),
            Self::CodeSim => code_sim(response, answer, rules),
        };
        // A maximum would pass over NaN, which is then refused as no score.
        let better = |best: f64, score: f64| match score > best || score.is_nan() {
            true => score,
            false => best,
        };
        record.answers.iter().map(of).fold(0.0, better)
    }
}
