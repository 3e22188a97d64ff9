//! Settings that several methods share, and what they stand for.

use crate::bad_input;
use crate::compress::eviction::{Eviction, Store};
use crate::compress::group::Grouping;
use crate::compress::pool::Pooling;
use crate::compress::score::Normalisation;
use crate::compress::settings::{Accepts, Default, SettingInfo, Settings};
use crate::compress::size::Size;

pub const RETENTION: SettingInfo = SettingInfo {
    name: "retention",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: None,
    help: "bytes held over bytes of the dense cache; the size is solved for it",
};

pub const BUDGET: SettingInfo = SettingInfo {
    name: "budget",
    accepts: Accepts::Integer {
        from: 1,
        to: 1 << 24,
    },
    default: None,
    help: "entries each query head keeps in a layer, on average, recent window included",
};

pub const SHARE: SettingInfo = SettingInfo {
    name: "r",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: None,
    help: "share of the prompt's entries each query head keeps, on average (the paper's r)",
};

/// The observation window, with a method's own default.
pub const fn window(default: u32) -> SettingInfo {
    SettingInfo {
        name: "window",
        accepts: Accepts::Integer { from: 1, to: 4096 },
        default: Some(Default::Integer(default)),
        help: "last tokens, always kept, whose queries score the entries before them",
    }
}

pub const NORMALISATION: SettingInfo = SettingInfo {
    name: "score",
    accepts: Accepts::Choice(&["sum", "mean", "literal"]),
    default: Some(Default::Text("sum")),
    help: "attention of the window added up, averaged, or divided by the tokens after each entry (equation 2 as printed)",
};

pub const POOLING: SettingInfo = SettingInfo {
    name: "pool",
    accepts: Accepts::Choice(&["max", "avg", "none"]),
    default: Some(Default::Text("max")),
    help: "smoothing of scores along the sequence",
};

pub const KERNEL: SettingInfo = SettingInfo {
    name: "kernel",
    accepts: Accepts::Integer { from: 1, to: 255 },
    default: Some(Default::Integer(7)),
    help: "entries that pooling spans, an odd number",
};

pub const GROUPING: SettingInfo = SettingInfo {
    name: "gqa",
    accepts: Accepts::Choice(&["unfold", "mean", "max", "sum"]),
    default: Some(Default::Text("unfold")),
    help: "query heads of a KV head each select for themselves, or by the mean, maximum or sum of their scores",
};

/// Where entries are stored, with a method's own default.
pub const fn store(default: &'static str) -> SettingInfo {
    SettingInfo {
        name: "store",
        accepts: Accepts::Choice(&["query-head", "kv-head"]),
        default: Some(Default::Text(default)),
        help: "an entry is stored for each query head that keeps it (as published), or once per KV head",
    }
}

pub const SEED: SettingInfo = SettingInfo {
    name: "seed",
    accepts: Accepts::Integer {
        from: 0,
        to: u32::MAX,
    },
    default: Some(Default::Integer(0)),
    help: "of the draws, which also follow from the experiment's seed and the sample",
};

pub fn normalisation(settings: &Settings) -> Normalisation {
    match settings.text("score") {
        "mean" => Normalisation::Mean,
        "literal" => Normalisation::Literal,
        _ => Normalisation::Sum,
    }
}

pub fn pooling(settings: &Settings) -> anyhow::Result<Pooling> {
    settings.heeds("kernel", "pool", &["max", "avg"])?;
    let kernel = settings.integer("kernel");
    let pooling = match settings.text("pool") {
        "avg" => Pooling::Avg(kernel),
        "none" => Pooling::None,
        _ => Pooling::Max(kernel),
    };
    pooling
        .check()
        .map_err(|error| bad_input!("method {}: {error}", settings.method()))
}

pub fn grouping(settings: &Settings) -> Grouping {
    match settings.text("gqa") {
        "mean" => Grouping::Mean,
        "max" => Grouping::Max,
        "sum" => Grouping::Sum,
        _ => Grouping::Unfold,
    }
}

pub fn stored(settings: &Settings) -> Store {
    match settings.text("store") {
        "query-head" => Store::QueryHead,
        _ => Store::KvHead,
    }
}

/// A setting that is a size, and the size that its number is.
pub type SizeSetting<'a> = (&'a str, fn(f64) -> Size);

/// The one size that is given among `retention` and the method's own `knobs`; else `otherwise`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for none or several.
pub fn one_size(
    settings: &Settings,
    knobs: &[SizeSetting],
    otherwise: Option<Size>,
) -> anyhow::Result<Size> {
    let method = settings.method();
    let of = |(name, size): &SizeSetting| settings.opt_number(name).map(size);
    let retention: SizeSetting = (RETENTION.name, Size::Retention);
    let mut given = std::iter::once(&retention).chain(knobs).filter_map(of);
    match (given.next(), given.next(), otherwise) {
        (Some(size), None, _) | (None, _, Some(size)) => Ok(size),
        (None, _, None) => Err(bad_input!(
            "method {method}: no size is given, expected retention or the method's own knob"
        )),
        (Some(_), Some(_), _) => Err(bad_input!(
            "method {method}: two sizes are given, expected retention or one knob"
        )),
    }
}

/// The size of an eviction: `retention`, a `budget` of entries, or a share `r`.
///
/// # Errors
/// As [`one_size`]; a budget below what the method always keeps.
pub fn size(settings: &Settings, eviction: &Eviction) -> anyhow::Result<Size> {
    let budget = |entries| Size::Budget(entries as usize);
    let size = one_size(
        settings,
        &[(BUDGET.name, budget), (SHARE.name, Size::Share)],
        None,
    )?;
    match (size, eviction.always()) {
        (Size::Budget(budget), Some((always, name))) if budget < always => Err(bad_input!(
            "method {}: budget = {budget}: fewer than the {name} = {always} that are always kept, expected at least \
             {always}",
            settings.method()
        )),
        _ => Ok(size),
    }
}
