//! The methods by name, one file each: name, settings with their published defaults, and how the method is made from
//! the parts in `compress`.

mod cam;
mod entry;
mod full;
mod h2o;
mod knorm;
mod parts;
mod pyramidinfer;
mod pyramidkv;
mod random;
mod snapkv;
mod spindle;
mod streaming_llm;
mod tova;

pub use entry::{Entry, Made};

use super::settings::{MethodInfo, Settings};

/// Every method, in the order that `spindle list` shows.
pub static METHODS: [Entry; 13] = [
    full::ENTRY,
    random::ENTRY,
    streaming_llm::ENTRY,
    knorm::ENTRY,
    tova::ENTRY,
    h2o::ENTRY,
    cam::ENTRY,
    snapkv::ENTRY,
    pyramidkv::ENTRY,
    pyramidinfer::ENTRY,
    spindle::SPINDLE,
    spindle::EVICT,
    spindle::CODE,
];

/// The descriptions of every method.
pub fn method_infos() -> Vec<&'static MethodInfo> {
    METHODS.iter().map(|entry| entry.info).collect()
}

/// The description of the method `name`.
pub fn info_of(name: &str) -> Option<&'static MethodInfo> {
    let entry = METHODS.iter().find(|entry| entry.info.name == name);
    entry.map(|entry| entry.info)
}

/// Makes the method that `info` describes.
pub fn make(info: &MethodInfo, settings: &Settings) -> anyhow::Result<Made> {
    let entry = METHODS.iter().find(|entry| entry.info.name == info.name);
    let entry = entry.ok_or_else(|| crate::bad_input!("method \"{}\" is not known", info.name))?;
    (entry.make)(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::settings::{Accepts, SettingInfo, Value};

    /// The method with one setting given beside a size.
    fn made(info: &'static MethodInfo, given: Option<(&str, Value)>) -> anyhow::Result<Made> {
        let given = given.map(|(name, value)| (name.to_owned(), value));
        let size = info.setting("retention").is_some();
        let retention = size.then(|| ("retention".to_owned(), Value::Number(0.5)));
        let given: Vec<_> = retention.into_iter().chain(given).collect();
        make(info, &info.settings(&given, "test")?)
    }

    /// Every method with its defaults, and with each word of each choice.
    fn variants() -> Vec<(&'static MethodInfo, Option<(&'static str, Value)>)> {
        let mut all = Vec::new();
        for info in method_infos() {
            all.push((info, None));
            for setting in info.settings {
                if let Accepts::Choice(words) = setting.accepts {
                    let words = words.iter().map(|&word| Value::Text(word.into()));
                    all.extend(words.map(|word| (info, Some((setting.name, word)))));
                }
            }
        }
        assert!(all.len() > 50, "{}", all.len());
        all
    }

    /// A method reads what its list has and nothing else; every word of a choice is one that it knows.
    #[test]
    fn every_method_reads_its_list() {
        for (info, given) in variants() {
            if let Err(error) = made(info, given.clone()) {
                panic!("{} {given:?}: {error}", info.name);
            }
        }
    }

    #[test]
    fn every_knob_is_a_size_that_the_method_has() {
        let mut knobs = Vec::new();
        for (info, given) in variants() {
            let knob = match made(info, given).unwrap() {
                Made::Full => continue,
                Made::Compress(method, _) => method.knob(),
                Made::Prune(method, _) => method.knob(),
            };
            let setting = info.setting(knob.name);
            assert!(
                setting.is_some_and(SettingInfo::is_size),
                "{}: {}",
                info.name,
                knob.name
            );
            knobs.push(knob.name);
        }
        for name in ["share", "theta-scale", "codewords", "prefill-decay-ratio"] {
            assert!(knobs.contains(&name), "{name}");
        }
    }

    #[test]
    fn lists_are_sound() {
        for info in method_infos() {
            for (i, setting) in info.settings.iter().enumerate() {
                let what = format!("{} {}", info.name, setting.name);
                assert!(
                    info.settings[..i].iter().all(|s| s.name != setting.name),
                    "{what} twice"
                );
                // A default that is a size would be a second one beside any that is given.
                assert!(!setting.is_size() || setting.default.is_none(), "{what}");
                if let Some(default) = setting.default {
                    let given = [(setting.name.to_owned(), default.value())];
                    info.settings(&given, "test").unwrap();
                }
            }
            let has = |name| info.setting(name).is_some();
            assert!(!has("budget") || has("share"), "{}", info.name);
        }
    }

    #[test]
    fn what_was_called_otherwise_is_refused_by_its_present_name() {
        let error = |method, name: &str, value| {
            let info = info_of(method).unwrap();
            let settings = info.settings(&[(name.to_owned(), value)], "a.toml");
            settings.unwrap_err().to_string()
        };
        let text = |text: &str| Value::Text(text.into());
        for (method, name, value, says) in [
            ("spindle", "r", Value::Number(0.5), "called \"share\" now"),
            ("snapkv", "r", Value::Number(0.5), "called \"share\" now"),
            (
                "spindle-evict",
                "score",
                text("mean"),
                "called \"normalisation\" now",
            ),
            (
                "spindle",
                "keys",
                text("rotated"),
                "it is called post-rope now",
            ),
            (
                "spindle-code",
                "keys",
                text("unrotated"),
                "it is called pre-rope now",
            ),
            (
                "spindle",
                "keys",
                text("other"),
                "expected one of pre-rope, post-rope",
            ),
        ] {
            let found = error(method, name, value);
            assert!(
                found.starts_with("a.toml: ") && found.contains(says),
                "{found}"
            );
        }
        // A method that never had it.
        assert!(!error("full", "score", text("mean")).contains("now"));
    }
}
