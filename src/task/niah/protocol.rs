//! What the three protocols fix: their constants, and the words that are planted, asked for and expected.
//!
//! Constants and needle are those of KVCache-Factory's `run_needle_in_haystack.py` and of NIAH
//! (gkamradt/LLMTest_NeedleInAHaystack). The words around them are this project's own.

use crate::task::metric::overlap::overlap;
use crate::task::metric::rouge1::rouge1;
use crate::task::metric::string_match;

/// Tokens of a length that are kept free for what surrounds the haystack.
pub const BUFFER: usize = 200;

const NEEDLE: &str = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day.";
const ANSWER: &str = "eat a sandwich and sit in Dolores Park on a sunny day.";

/// What the keeper packs: the answers of the many needles. None of them stands in the project's own haystack.
pub const PACKED: [&str; 10] = [
    "figs",
    "gingerbread",
    "chessmen",
    "marmalade",
    "bootlaces",
    "an accordion",
    "peppermints",
    "darning wool",
    "shoe polish",
    "a cribbage board",
];

/// A needle test as somebody published it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// KVCache-Factory's, the one that KV-cache papers plot: a story book, and a completion cue for a question.
    Published,
    /// NIAH: one needle, asked for in a chat. It has a large model judge the answers; here they are scored as the
    /// published protocol's are.
    Original,
    /// NIAH with several needles asked for at once: the score is the share of them that the answer names.
    Multi,
}

/// The text of a prompt around its haystack.
pub(super) struct Wrapper {
    /// What stands before the haystack.
    pub opening: &'static str,
    /// What stands after the haystack.
    pub closing: &'static str,
    /// The question, after `closing`.
    pub question: &'static str,
    /// Whether the whole is a turn in the model's chat template.
    pub chat: bool,
}

impl Protocol {
    /// Name of the task, in experiments and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "needle-published",
            Self::Original => "needle-original",
            Self::Multi => "needle-multi",
        }
    }

    /// Lengths in tokens: the published ones for Llama 3, the original ones for every model.
    pub fn lengths(self) -> Vec<usize> {
        match self {
            Self::Published => (1000..=8000).step_by(100).collect(),
            Self::Original | Self::Multi => {
                let spread = (0..35).map(|i| 1000.0 + 15_000.0 * f64::from(i) / 34.0);
                spread
                    .map(|length| length.round_ties_even() as usize)
                    .collect()
            }
        }
    }

    /// How many depths there are.
    pub fn intervals(self) -> usize {
        match self {
            Self::Published => 10,
            Self::Original | Self::Multi => 35,
        }
    }

    /// Most tokens of an answer.
    pub fn max_new_tokens(self) -> usize {
        match self {
            Self::Published => 30,
            Self::Original | Self::Multi => 300,
        }
    }

    /// Whether a new line ends the answer.
    pub fn stops_at_newline(self) -> bool {
        self == Self::Published
    }

    /// The sentences to plant; `count` counts where there may be several.
    pub fn needles(self, count: usize) -> Vec<String> {
        match self {
            Self::Published | Self::Original => vec![format!("\n{NEEDLE}\n")],
            Self::Multi => {
                let packed = PACKED[..count].iter();
                packed
                    .map(|thing| {
                        format!(" For the winter the keeper of Skellan light packs {thing}.")
                    })
                    .collect()
            }
        }
    }

    /// What the answer should say, each in a text of its own.
    pub fn answers(self, count: usize) -> Vec<String> {
        match self {
            Self::Published | Self::Original => vec![ANSWER.into()],
            Self::Multi => PACKED[..count].iter().map(ToString::to_string).collect(),
        }
    }

    /// The text around the haystack.
    pub(super) fn wrapper(self) -> Wrapper {
        match self {
            // The mark of a chat's turn is published, whatever the model.
            Self::Published => Wrapper {
                opening: "<|im_start|> What follows is a very long book of stories: <book> ",
                closing: " </book>.\n",
                question: " From what the book says, Question: The best thing to do in San Francisco is: \nAnswer:",
                chat: false,
            },
            Self::Original => Wrapper {
                opening: "Answer the question after the text from the text alone, in few words.\n\n",
                closing: "\n\n",
                question: "What is the best thing to do in San Francisco?",
                chat: true,
            },
            Self::Multi => Wrapper {
                opening: "Answer the question after the text from the text alone, in few words.\n\n",
                closing: "\n\n",
                question: "What does the keeper of Skellan light pack for the winter? Name everything.",
                chat: true,
            },
        }
    }

    /// Name of the metric that [`score`](Self::score) computes.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Published | Self::Original => "overlap",
            Self::Multi => "string_match_all",
        }
    }

    /// The score that is plotted.
    pub fn score(self, answers: &[String], response: &str) -> f64 {
        match self {
            Self::Published | Self::Original => overlap(ANSWER, response),
            Self::Multi => string_match::all(answers, response),
        }
    }

    /// The score that the published script prints, there ten times as large.
    pub fn other_scores(self, response: &str) -> Vec<(&'static str, f64)> {
        match self {
            Self::Published => vec![("rouge1", rouge1(NEEDLE, response))],
            Self::Original | Self::Multi => Vec::new(),
        }
    }
}
