//! SpindleKV (Tang et al. 2025, arXiv 2507.06517), and each of its two parts alone.

mod codebook;
mod evicting;

use serde::Deserialize;

use self::codebook::{
    CODEWORD, CODEWORDS, CODEWORDS_SIZE, CodebookSettings, DECODE, KEYS, LEARNER, LearnerName,
    MAGNITUDES, SCOPE, THETA_K, THETA_SCALE, THETA_V, codewords,
};
use self::evicting::{BETA, Evicting, SHAPE};
use super::parts::{Forms, Windowed};
use super::{Entry, Made, parts};
use crate::bad_input;
use crate::compress::recipe::Recipe;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};
use crate::compress::size::Size;

const SOURCE: &str = "Tang et al. 2025, arXiv 2507.06517";

const WINDOW_CODED: SettingInfo = SettingInfo {
    name: "window-coded",
    about: About::Way,
    accepts: Accepts::Flag,
    default: Some(DefaultValue::Flag(true)),
    help: "the recent window is coded like the rest, or kept whole",
};

/// Settings of the two parts together that neither has alone.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    codewords: f64,
    window_coded: bool,
}

pub(super) const SPINDLE: Entry = Entry {
    info: &MethodInfo {
        name: "spindle",
        summary: "SpindleKV: eviction for deep layers, a codebook learnt from the prompt for shallow ones",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::SHARE,
            parts::window(8),
            parts::NORMALISATION,
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            SHAPE,
            BETA,
            THETA_K,
            THETA_V,
            LEARNER,
            codewords(About::Way, Some(DefaultValue::Number(CODEWORDS))),
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            WINDOW_CODED,
            DECODE,
        ],
    },
    make: |settings| {
        let (windowed, evicting, coded, own): (Windowed, Evicting, CodebookSettings, Own) =
            settings.read()?;
        let learner = ("learner", coded.learner);
        settings.heeds("codewords", learner, &[LearnerName::SphericalKMeans])?;
        let eviction = evicting.eviction(&windowed, settings)?;
        let size = parts::size(settings, &eviction)?;
        let recipe = Recipe {
            is_window_whole: !own.window_coded,
            ..coded.recipe(Some(eviction), own.codewords, settings)?
        };
        Ok(Made::Compress(Box::new(recipe), size))
    },
};

pub(super) const EVICT: Entry = Entry {
    info: &MethodInfo {
        name: "spindle-evict",
        summary: "SpindleKV without its codebook: entries kept by several query heads are stored once",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::SHARE,
            parts::window(8),
            parts::NORMALISATION,
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            SHAPE,
            BETA,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (windowed, evicting, forms): (Windowed, Evicting, Forms) = settings.read()?;
        let eviction = evicting.eviction(&windowed, settings)?;
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};

pub(super) const CODE: Entry = Entry {
    info: &MethodInfo {
        name: "spindle-code",
        summary: "SpindleKV without eviction: every entry, in coded form",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            THETA_SCALE,
            THETA_K,
            THETA_V,
            LEARNER,
            CODEWORDS_SIZE,
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            DECODE,
        ],
    },
    make: |settings| {
        let coded: CodebookSettings = settings.read()?;
        let (knob, other, otherwise) = match coded.learner {
            LearnerName::Greedy | LearnerName::Leader => (THETA_SCALE, CODEWORDS_SIZE, 1.0),
            LearnerName::SphericalKMeans => (CODEWORDS_SIZE, THETA_SCALE, CODEWORDS),
        };
        if settings.get(other.name).is_some() {
            return Err(bad_input!(
                "method spindle-code: {} is given, but learner = {} goes by {}",
                other.name,
                coded.learner.into_str(),
                knob.name
            ));
        }
        let size = parts::one_size(settings, Some(Size::Knob(otherwise)))?;
        // The knob says how many codewords there are.
        let recipe = coded.recipe(None, CODEWORDS, settings)?;
        Ok(Made::Compress(Box::new(recipe), size))
    },
};
