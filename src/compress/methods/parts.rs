//! Settings that several methods share, and their meaning.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use crate::bad_input;
use crate::compress::eviction::{Eviction, StoredFor};
use crate::compress::group::Grouping;
use crate::compress::pool::Pooling;
use crate::compress::recipe::Recipe;
use crate::compress::score::Normalisation;
use crate::compress::settings::{About, Accepts, DefaultValue, SettingInfo, Settings};
use crate::compress::size::Size;
use crate::compress::writer::{self, WholeWriter};
use crate::store::Side;

pub(super) const RETENTION: SettingInfo = SettingInfo {
    name: "retention",
    about: About::Size(Size::Retention),
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: None,
    help: "bytes held over bytes of the dense cache, at most",
};

pub(super) const SIZE: SettingInfo = SettingInfo {
    name: "size",
    about: About::Size(Size::Bytes),
    accepts: Accepts::Bytes,
    default: None,
    help: "bytes held at most",
};

pub(super) const SIZE_PER_TOKEN: SettingInfo = SettingInfo {
    name: "size-per-token",
    about: About::Size(Size::BytesPerToken),
    accepts: Accepts::Bytes,
    default: None,
    help: "bytes held over the prompt's tokens, at most",
};

pub(super) const BUDGET: SettingInfo = SettingInfo {
    name: "budget",
    about: About::Size(|entries| Size::Budget(entries as usize)),
    accepts: Accepts::Integer {
        from: 1,
        to: 1 << 24,
    },
    default: None,
    help: "entries each query head keeps in a layer, on average, recent window included",
};

pub(super) const SHARE: SettingInfo = SettingInfo {
    name: "share",
    about: About::Size(Size::Share),
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: None,
    help: "share of the prompt's entries each query head keeps, on average (the r of SpindleKV's paper)",
};

/// The observation window, with a method's own default.
pub(super) const fn window(default: u32) -> SettingInfo {
    SettingInfo {
        name: "window",
        about: About::Kept,
        accepts: Accepts::Integer { from: 1, to: 4096 },
        default: Some(DefaultValue::Integer(default)),
        help: "last tokens, always kept, whose queries score the entries before them",
    }
}

pub(super) const NORMALISATION: SettingInfo = SettingInfo {
    name: "normalisation",
    about: About::Way,
    accepts: Accepts::words::<Normalisation>(),
    default: Some(DefaultValue::Text(Normalisation::Sum.into_str())),
    help: "attention of the window added up, averaged, or divided by the tokens after each entry (equation 2 as printed)",
};

/// The words of `pool`.
#[derive(Debug, Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Pool {
    Max,
    Avg,
    None,
}

pub(super) const POOLING: SettingInfo = SettingInfo {
    name: "pool",
    about: About::Way,
    accepts: Accepts::words::<Pool>(),
    default: Some(DefaultValue::Text(Pool::Max.into_str())),
    help: "smoothing of scores along the sequence",
};

pub(super) const KERNEL: SettingInfo = SettingInfo {
    name: "kernel",
    about: About::Way,
    accepts: Accepts::Integer { from: 1, to: 255 },
    default: Some(DefaultValue::Integer(7)),
    help: "entries that pooling spans, an odd number",
};

/// The words of `gqa`: [`Grouping`] without the variant for a whole layer.
#[derive(Debug, Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Gqa {
    Unfold,
    Mean,
    Max,
    Sum,
}

impl From<Gqa> for Grouping {
    fn from(gqa: Gqa) -> Self {
        match gqa {
            Gqa::Unfold => Self::Unfold,
            Gqa::Mean => Self::Mean,
            Gqa::Max => Self::Max,
            Gqa::Sum => Self::Sum,
        }
    }
}

pub(super) const GROUPING: SettingInfo = SettingInfo {
    name: "gqa",
    about: About::Way,
    accepts: Accepts::words::<Gqa>(),
    default: Some(DefaultValue::Text(Gqa::Unfold.into_str())),
    help: "query heads of a KV head each select for themselves, or by the mean, maximum or sum of their scores",
};

/// Where entries are stored: by default for each query head, as published.
pub(super) const STORE: SettingInfo = SettingInfo {
    name: "store",
    about: About::Way,
    accepts: Accepts::words::<StoredFor>(),
    default: Some(DefaultValue::Text(StoredFor::QueryHead.into_str())),
    help: "an entry is stored for each query head that keeps it (as published), or once per KV head",
};

/// A setting of the form that keys or values are written in.
const fn form(name: &'static str, help: &'static str) -> SettingInfo {
    SettingInfo {
        name,
        about: About::Way,
        accepts: Accepts::Choice(&writer::NAMES),
        default: Some(DefaultValue::Text(WholeWriter::NAME)),
        help,
    }
}

pub(super) const KEYS_AS: SettingInfo = form("keys-as", "form that the kept keys are written in");

pub(super) const VALUES_AS: SettingInfo =
    form("values-as", "form that the kept values are written in");

pub(super) const SEED: SettingInfo = SettingInfo {
    name: "seed",
    about: About::Way,
    accepts: Accepts::Integer {
        from: 0,
        to: u32::MAX,
    },
    default: Some(DefaultValue::Integer(0)),
    help: "seed of random draws, combined with the experiment's seed and the sample",
};

/// The settings of scores by the attention of a window: `window`, `pool`, `kernel` and `gqa`.
#[derive(Debug, Deserialize)]
pub(super) struct Windowed {
    pub window: usize,
    pool: Pool,
    kernel: usize,
    pub gqa: Gqa,
}

impl Windowed {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a kernel that is even or not heeded.
    pub(super) fn pooling(&self, settings: &Settings) -> anyhow::Result<Pooling> {
        settings.heeds("kernel", ("pool", self.pool), &[Pool::Max, Pool::Avg])?;
        let pooling = match self.pool {
            Pool::Max => Pooling::Max(self.kernel),
            Pool::Avg => Pooling::Avg(self.kernel),
            Pool::None => Pooling::None,
        };
        pooling
            .check()
            .map_err(|error| bad_input!("method {}: {error}", settings.method()))
    }
}

/// The forms that keys and values are written in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Forms {
    keys_as: String,
    values_as: String,
}

impl Forms {
    /// The recipe that writes what `eviction` keeps in these forms.
    ///
    /// # Errors
    /// A form that is not known.
    pub(super) fn recipe(&self, eviction: Eviction) -> anyhow::Result<Recipe> {
        Ok(Recipe {
            keys: writer::make(&self.keys_as, Side::Keys)?,
            values: writer::make(&self.values_as, Side::Values)?,
            ..Recipe::evicting(eviction)
        })
    }
}

/// Settings of a method that has sizes alone.
#[derive(Debug, Deserialize)]
pub(super) struct NoOthers {}

/// The setting of where entries are stored.
#[derive(Debug, Deserialize)]
pub(super) struct StoreSetting {
    pub store: StoredFor,
}

/// Returns the one size that is given, else `otherwise`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for none or several.
pub(super) fn one_size(settings: &Settings, otherwise: Option<Size>) -> anyhow::Result<Size> {
    let method = settings.method();
    let mut given = settings.sizes();
    match (given.next(), given.next(), otherwise) {
        (Some((_, size)), None, _) | (None, _, Some(size)) => Ok(size),
        (None, _, None) => Err(bad_input!(
            "method {method}: no size is given, expected {}",
            settings.size_names().join(" or ")
        )),
        (Some((first, _)), Some((second, _)), _) => Err(bad_input!(
            "method {method}: two sizes are given, {first} and {second}, expected one"
        )),
    }
}

/// Returns the size of an eviction.
///
/// # Errors
/// As [`one_size`]; a budget below what the method always keeps.
pub(super) fn size(settings: &Settings, eviction: &Eviction) -> anyhow::Result<Size> {
    let size = one_size(settings, None)?;
    let always = eviction.always();
    match size {
        Size::Budget(budget) if budget < always => Err(bad_input!(
            "method {}: budget = {budget}: fewer than the {} = {always} that are always kept, expected at least \
                 {always}",
            settings.method(),
            settings.kept_name().unwrap_or("entries")
        )),
        _ => Ok(size),
    }
}
