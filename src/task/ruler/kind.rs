//! The thirteen tasks by their published names.

use super::cwe::CommonWords;
use super::draft::Generator;
use super::fwe::FrequentWords;
use super::niah::{self, Haystack, Niah, NiahConfig};
use super::qa::Qa;
use super::sources::Sources;
use super::vt::VariableTracking;

/// One of RULER's thirteen tasks.
#[derive(Debug, PartialEq)]
pub struct RulerKind {
    /// Its published name, such as `niah_single_1`.
    pub name: &'static str,
    /// The generator of its samples.
    pub family: Family,
}

/// RULER's generators. The first makes eight of its tasks, each of the others one.
#[derive(Debug, PartialEq)]
pub enum Family {
    /// Needles in a haystack (`niah`).
    Niah(NiahConfig),
    /// Chains of assignments to follow (`vt`).
    VariableTracking,
    /// The words that stand most often in a list (`cwe`).
    CommonWords,
    /// The most frequent words of a text of made-up words (`fwe`).
    FrequentWords,
    /// Questions over documents of a file in SQuAD's format (`qa_1`).
    Squad,
    /// Questions over documents of a file in HotpotQA's format (`qa_2`).
    HotpotQa,
}

const fn niah(name: &'static str, config: NiahConfig) -> RulerKind {
    RulerKind {
        name,
        family: Family::Niah(config),
    }
}

const fn other(name: &'static str, family: Family) -> RulerKind {
    RulerKind { name, family }
}

/// In the order of RULER's tables.
pub const KINDS: [RulerKind; 13] = [
    niah("niah_single_1", niah::SINGLE_1),
    niah("niah_single_2", niah::SINGLE_2),
    niah("niah_single_3", niah::SINGLE_3),
    niah("niah_multikey_1", niah::MULTIKEY_1),
    niah("niah_multikey_2", niah::MULTIKEY_2),
    niah("niah_multikey_3", niah::MULTIKEY_3),
    niah("niah_multivalue", niah::MULTIVALUE),
    niah("niah_multiquery", niah::MULTIQUERY),
    other("vt", Family::VariableTracking),
    other("cwe", Family::CommonWords),
    other("fwe", Family::FrequentWords),
    other("qa_1", Family::Squad),
    other("qa_2", Family::HotpotQa),
];

/// Their names.
pub(super) const NAMES: [&str; 13] = {
    let mut names = [""; 13];
    let mut i = 0;
    while i < names.len() {
        names[i] = KINDS[i].name;
        i += 1;
    }
    names
};

impl RulerKind {
    /// Whether its haystack is prose.
    pub fn reads_essay(&self) -> bool {
        matches!(&self.family, Family::Niah(config) if config.haystack == Haystack::Essay)
    }

    /// Its generator; none where the source that it needs is missing.
    pub fn generator(&self, sources: &Sources) -> Option<Box<dyn Generator>> {
        let qa = |data: &Option<_>| {
            let data = data.clone()?;
            Some(Box::new(Qa { data }) as Box<dyn Generator>)
        };
        match self.family {
            Family::Niah(config) => {
                let essay = sources.essay.clone();
                Some(Box::new(Niah { config, essay }))
            }
            Family::VariableTracking => Some(Box::new(VariableTracking)),
            Family::CommonWords => Some(Box::new(CommonWords)),
            Family::FrequentWords => Some(Box::new(FrequentWords)),
            Family::Squad => qa(&sources.squad),
            Family::HotpotQa => qa(&sources.hotpotqa),
        }
    }
}
