//! Which metric answers to records are scored by.

use serde::Deserialize;

use crate::dataset::longbench::LongBenchRecord;
use crate::task::metric::Rules;
use crate::task::metric::classification::classification;
use crate::task::metric::code_sim::code_sim;
use crate::task::metric::count::count;
use crate::task::metric::overlap::overlap;
use crate::task::metric::qa_f1::qa_f1;
use crate::task::metric::qa_f1_zh::qa_f1_zh;
use crate::task::metric::recall::recall;
use crate::task::metric::retrieval::{paragraph, retrieval};
use crate::task::metric::retrieval_zh::{paragraph_zh, retrieval_zh};
use crate::task::metric::rouge::rouge;
use crate::task::metric::rouge_zh::rouge_zh;
use crate::task::metric::rouge1::rouge1;
use crate::task::metric::string_match;

/// LongBench's nine, and those of other tasks that are functions of answers and a response too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// F1 over words, English: [`qa_f1`].
    QaF1,
    /// F1 over words, Chinese: [`qa_f1_zh`].
    QaF1Zh,
    /// ROUGE-L, English: [`rouge`].
    Rouge,
    /// ROUGE-L, Chinese: [`rouge_zh`].
    RougeZh,
    /// Whether the right class is named: [`classification`].
    Classification,
    /// Share of the numbers given that are the right one: [`count`].
    Count,
    /// Whether the right paragraph is named, English: [`retrieval`].
    Retrieval,
    /// Whether the right paragraph is named, Chinese: [`retrieval_zh`].
    RetrievalZh,
    /// Edit similarity of the first line of code: [`code_sim`].
    CodeSim,
    /// Share of the answer's words that the response has: [`recall`].
    Recall,
    /// Word overlap of the published needle heat maps: [`overlap`].
    Overlap,
    /// ROUGE-1 of Google's `rouge_score`: [`rouge1`].
    Rouge1,
    /// RULER's `string_match_all`: [`string_match::all`].
    StringMatchAll,
    /// RULER's `string_match_part`: [`string_match::part`].
    StringMatchPart,
}

impl Metric {
    /// Every metric, LongBench's first.
    pub const ALL: [Self; 14] = [
        Self::QaF1,
        Self::QaF1Zh,
        Self::Rouge,
        Self::RougeZh,
        Self::Classification,
        Self::Count,
        Self::Retrieval,
        Self::RetrievalZh,
        Self::CodeSim,
        Self::Recall,
        Self::Overlap,
        Self::Rouge1,
        Self::StringMatchAll,
        Self::StringMatchPart,
    ];

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
            Self::Recall => "recall",
            Self::Overlap => "overlap",
            Self::Rouge1 => "rouge1",
            Self::StringMatchAll => "string_match_all",
            Self::StringMatchPart => "string_match_part",
        }
    }

    /// Every name that a metric has in records, with the metric and its rules.
    pub fn names() -> impl Iterator<Item = (&'static str, Self, Rules)> {
        let both = |metric: Self| {
            let official = metric.name(Rules::Official);
            let fixed = metric.name(Rules::Fixed);
            let fixed = (fixed != official).then_some((fixed, metric, Rules::Fixed));
            [Some((official, metric, Rules::Official)), fixed]
        };
        Self::ALL.into_iter().flat_map(both).flatten()
    }

    /// Whether a record has what the metric needs: class names, answers that name a paragraph, no empty answer.
    ///
    /// # Errors
    /// What the record lacks, in words.
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
            // An empty text stands in every response.
            Self::StringMatchAll | Self::StringMatchPart
                if record.answers.iter().any(|answer| answer.trim().is_empty()) =>
            {
                Err(format!(
                    "answers is {:?}, expected each with text",
                    record.answers
                ))
            }
            _ => Ok(()),
        }
    }

    /// The best that `response` is worth against any of the record's answers; `string_match_all` and
    /// `string_match_part` take all of them together.
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
            Self::Recall => recall(answer, response),
            Self::Overlap => overlap(answer, response),
            Self::Rouge1 => rouge1(answer, response),
            Self::StringMatchAll => string_match::all(&record.answers, response),
            Self::StringMatchPart => string_match::part(&record.answers, response),
        };
        // A maximum would pass over NaN, which is then refused as no score.
        let better = |best: f64, score: f64| match score > best || score.is_nan() {
            true => score,
            false => best,
        };
        record.answers.iter().map(of).fold(0.0, better)
    }
}
