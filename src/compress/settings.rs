//! The settings of a method: named, typed, with defaults, and as canonical text that identifies a result.

mod former;
mod read;
mod value;

pub use value::{Accepts, DefaultValue, Value};

use super::size::Size;
use crate::bad_input;
use crate::error::nearest;

/// What a setting is about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// How small the cache is to be; the function makes the [`Size`] of a number. Cells that differ in sizes alone
    /// share their plans, and are the points of one curve.
    Size(fn(f64) -> Size),
    /// The cosine above which vectors may share a codeword. It tells points of a curve apart if no size does.
    Threshold,
    /// How many entries are always kept.
    Kept,
    /// Anything else about how the cache is made smaller.
    Way,
}

/// One setting of a method.
#[derive(Debug, Clone, Copy)]
pub struct SettingInfo {
    /// Its key in experiment files, on the command line and in the rows' settings, such as `theta-k`.
    pub name: &'static str,
    /// Whether it sets a size, a threshold or something else.
    pub about: About,
    /// The values that are not refused.
    pub accepts: Accepts,
    /// None: not set unless asked for.
    pub default: Option<DefaultValue>,
    /// What it does, in one line of `spindle list NAME`.
    pub help: &'static str,
}

impl SettingInfo {
    /// Whether it sets a size.
    pub fn is_size(&self) -> bool {
        matches!(self.about, About::Size(_))
    }

    /// Whether `text`, read from a row, is the default. Earlier versions may have used another word for it. False for a
    /// setting without a default.
    pub fn is_default_in_results(&self, text: &str) -> bool {
        let default = self.default.map(|default| default.value().to_string());
        let present = former::present_word(self.name, text).unwrap_or(text);
        default.is_some_and(|default| default == present)
    }

    fn is_default(&self, value: &Value) -> bool {
        self.default.map(DefaultValue::value).as_ref() == Some(value)
    }
}

/// What `spindle list` tells of a method.
#[derive(Debug)]
pub struct MethodInfo {
    /// The method's name in experiment files, rows and `spindle list`, such as `snapkv`.
    pub name: &'static str,
    /// What the method does, in one line.
    pub summary: &'static str,
    /// The publication it follows; empty where there is none.
    pub source: &'static str,
    /// All settings, in the order that lists and rows have them.
    pub settings: &'static [SettingInfo],
}

impl MethodInfo {
    /// The setting `name` of its list.
    pub fn setting(&self, name: &str) -> Option<&'static SettingInfo> {
        self.settings.iter().find(|info| info.name == name)
    }

    /// The setting `name` of its list, also by a name that it had in results of earlier versions.
    pub fn setting_in_results(&self, name: &str) -> Option<&'static SettingInfo> {
        let present = || self.setting(former::present_name(name)?);
        self.setting(name).or_else(present)
    }

    /// The settings with defaults filled in; `origin` is the file or flag that `given` came from.
    ///
    /// # Errors
    /// An unknown name or a value that the setting does not take.
    pub fn settings(
        &'static self,
        given: &[(String, Value)],
        origin: &str,
    ) -> anyhow::Result<Settings> {
        for (name, value) in given {
            let Some(info) = self.setting(name) else {
                return Err(bad_input!(
                    "{origin}: method {} has no setting \"{name}\"{}",
                    self.name,
                    self.instead_of(name)
                ));
            };
            if !info.accepts.admits(value) {
                let present = former::present_word(name, &value.to_string());
                let renamed = present.map(|word| format!(", it is called {word} now"));
                let renamed =
                    renamed.or_else(|| Some(format!(", was {} meant?", share_of(info, value)?)));
                return Err(bad_input!(
                    "{origin}: method {}: {name} = {value}: expected {}{}",
                    self.name,
                    info.accepts,
                    renamed.unwrap_or_default()
                ));
            }
        }
        let value_of = |info: &SettingInfo| {
            let given = given
                .iter()
                .find(|(name, _)| name == info.name)
                .map(|(_, value)| value.clone());
            given
                .or_else(|| info.default.map(DefaultValue::value))
                .map(|value| (info.name, value))
        };
        Ok(Settings {
            info: self,
            values: self.settings.iter().filter_map(value_of).collect(),
            given: given.iter().map(|(name, _)| name.clone()).collect(),
        })
    }

    /// The rest of an error message about the unknown setting `name`.
    fn instead_of(&self, name: &str) -> String {
        match self.setting_in_results(name) {
            Some(info) => format!(", it is called \"{}\" now", info.name),
            None => nearest(name, self.settings.iter().map(|info| info.name)),
        }
    }
}

/// The settings of one cell, defaults included, in the order of the method's list.
#[derive(Debug, Clone)]
pub struct Settings {
    info: &'static MethodInfo,
    values: Vec<(&'static str, Value)>,
    /// Names of the settings that were given, even with their default.
    given: Vec<String>,
}

impl Settings {
    /// Name of the method.
    pub fn method(&self) -> &'static str {
        self.info.name
    }

    /// Checks that `other` is one of `values` if `name` is given, because with any other value the method ignores
    /// `name`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming both.
    pub fn heeds<T: Into<&'static str> + Copy>(
        &self,
        name: &str,
        (other, found): (&str, T),
        values: &[T],
    ) -> anyhow::Result<()> {
        let found: &str = found.into();
        let values: Vec<&str> = values.iter().map(|&value| value.into()).collect();
        if values.contains(&found) || !self.given.iter().any(|given| given == name) {
            return Ok(());
        }
        Err(bad_input!(
            "method {}: {name} is given, but {other} = {found} does not heed it: expected {other} = {}",
            self.method(),
            values.join(" or ")
        ))
    }

    /// Text `name=value;...` of the size and of settings that differ from their defaults, floats in their shortest
    /// form. A new setting thus leaves the text of cells that do not use it unchanged.
    pub fn canonical(&self) -> String {
        self.text(|info, value| info.is_size() || !info.is_default(value))
    }

    /// As [`Settings::canonical`], without the size. Cells with the same text share their plans.
    pub fn without_size(&self) -> String {
        self.text(|info, value| !info.is_size() && !info.is_default(value))
    }

    /// As [`Settings::canonical`], defaults included.
    pub fn in_full(&self) -> String {
        self.text(|_, _| true)
    }

    fn text(&self, tells: impl Fn(&SettingInfo, &Value) -> bool) -> String {
        let told = self.info.settings.iter().filter_map(|info| {
            let value = self.get(info.name).filter(|value| tells(info, value))?;
            Some(format!("{}={value}", info.name))
        });
        told.collect::<Vec<_>>().join(";")
    }

    /// Gives the setting `name` of the method's list a value.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        self.values.retain(|(known, _)| *known != name);
        self.values.push((name, value));
    }

    /// The value of a setting. None if it is not set and has no default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The names of all settings that are sizes.
    pub fn size_names(&self) -> Vec<&'static str> {
        let sizes = self.info.settings.iter().filter(|info| info.is_size());
        sizes.map(|info| info.name).collect()
    }

    /// Name of the setting in force that sets how many entries are always kept.
    pub fn kept_name(&self) -> Option<&'static str> {
        let says = |info: &&SettingInfo| {
            matches!(info.about, About::Kept) && self.get(info.name).is_some()
        };
        self.info.settings.iter().find(says).map(|info| info.name)
    }

    /// The sizes that are given, with their names.
    pub fn sizes(&self) -> impl Iterator<Item = (&'static str, Size)> {
        self.info
            .settings
            .iter()
            .filter_map(|info| match (info.about, self.get(info.name)) {
                (About::Size(size), Some(value)) => {
                    Some((info.name, size(info.accepts.number(value)?)))
                }
                _ => None,
            })
    }
}

/// The share that a percentage in its place may mean: 30 is 0.3.
fn share_of(info: &SettingInfo, value: &Value) -> Option<f64> {
    match (info.accepts, value) {
        (Accepts::Number { above, up_to }, Value::Number(percent))
            if above == 0.0 && up_to == 1.0 && *percent > 1.0 && *percent <= 100.0 =>
        {
            Some(percent / 100.0)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) static INFO: MethodInfo = MethodInfo {
        name: "m",
        summary: "",
        source: "",
        settings: &[
            SettingInfo {
                name: "retention",
                about: About::Size(Size::Retention),
                accepts: Accepts::Number {
                    above: 0.0,
                    up_to: 1.0,
                },
                default: None,
                help: "",
            },
            SettingInfo {
                name: "share",
                about: About::Size(Size::Share),
                accepts: Accepts::Number {
                    above: 0.0,
                    up_to: 1.0,
                },
                default: None,
                help: "",
            },
            SettingInfo {
                name: "window",
                about: About::Way,
                accepts: Accepts::Integer { from: 1, to: 64 },
                default: Some(DefaultValue::Integer(8)),
                help: "",
            },
            SettingInfo {
                name: "least-share",
                about: About::Way,
                accepts: Accepts::Number {
                    above: 0.0,
                    up_to: 1.0,
                },
                default: Some(DefaultValue::Number(1.0)),
                help: "",
            },
            SettingInfo {
                name: "recent",
                about: About::Way,
                accepts: Accepts::Integer { from: 1, to: 64 },
                default: None,
                help: "",
            },
        ],
    };

    fn settings(given: &[(&str, f64)]) -> Settings {
        let given = given
            .iter()
            .map(|&(name, value)| (name.to_owned(), Value::Number(value)));
        INFO.settings(&Vec::from_iter(given), "a.toml").unwrap()
    }

    #[test]
    fn the_canonical_text_is_the_size_and_what_differs_from_its_default() {
        for (given, canonical, in_full) in [
            (&[][..], "", "window=8;least-share=1"),
            (
                &[("window", 8.0), ("retention", 0.30)],
                "retention=0.3",
                "retention=0.3;window=8;least-share=1",
            ),
            (
                &[("least-share", 0.5), ("window", 9.0), ("recent", 8.0)],
                "window=9;least-share=0.5;recent=8",
                "window=9;least-share=0.5;recent=8",
            ),
        ] {
            let settings = settings(given);
            assert_eq!(settings.canonical(), canonical);
            assert_eq!(settings.in_full(), in_full);
        }
    }

    #[test]
    fn cells_that_differ_in_sizes_alone_have_the_rest_in_common() {
        let rest = |given: &[(&str, f64)]| settings(given).without_size();
        assert_eq!(rest(&[("retention", 0.3)]), rest(&[("share", 0.5)]));
        assert_eq!(rest(&[("share", 0.5), ("window", 8.0)]), rest(&[]));
        assert_eq!(rest(&[("share", 0.5), ("window", 9.0)]), "window=9");
        let both = settings(&[("share", 0.5), ("retention", 0.3)]);
        let expected = [
            ("retention", Size::Retention(0.3)),
            ("share", Size::Share(0.5)),
        ];
        assert!(both.sizes().eq(expected));
    }

    #[test]
    fn errors_name_file_key_value_and_what_was_expected() {
        for (name, value, says) in [
            (
                "windw",
                Value::Number(8.0),
                "no setting \"windw\", did you mean \"window\"?",
            ),
            (
                "r",
                Value::Number(0.5),
                "no setting \"r\", it is called \"share\" now",
            ),
            (
                "retention",
                Value::Number(0.0),
                "retention = 0: expected a number above 0, up to 1",
            ),
            (
                "retention",
                Value::Number(-0.5),
                "retention = -0.5: expected a number above 0, up to 1",
            ),
            (
                "window",
                Value::Number(1.5),
                "window = 1.5: expected a whole number from 1 to 64",
            ),
            (
                "window",
                Value::Text("x".into()),
                "window = x: expected a whole number",
            ),
        ] {
            let error = INFO
                .settings(&[(name.into(), value)], "a.toml")
                .unwrap_err()
                .to_string();
            assert!(error.contains("a.toml") && error.contains(says), "{error}");
        }
    }
}
