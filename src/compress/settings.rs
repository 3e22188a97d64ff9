//! The settings of a method: named, typed, with defaults, and as canonical text that identifies a result.

use crate::bad_input;

/// What a setting can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    Flag(bool),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// Which values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accepts {
    /// A number, `above < x <= up_to`.
    Number {
        above: f64,
        up_to: f64,
    },
    /// A whole number, `from <= x <= to`.
    Integer {
        from: u32,
        to: u32,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    Flag,
}

impl Accepts {
    fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number { above, up_to }, Value::Number(x)) => *x > above && *x <= up_to,
            (Self::Integer { from, to }, Value::Number(x)) => {
                x.fract() == 0.0 && *x >= from.into() && *x <= to.into()
            }
            (Self::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Self::Flag, Value::Flag(_)) => true,
            _ => false,
        }
    }
}

impl std::fmt::Display for Accepts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number { above, up_to } => write!(f, "a number above {above}, up to {up_to}"),
            Self::Integer { from, to } => write!(f, "a whole number from {from} to {to}"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::Flag => f.write_str("true or false"),
        }
    }
}

/// A default, in a form that constants can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    Number(f64),
    Integer(u32),
    Text(&'static str),
    Flag(bool),
}

impl Default {
    pub fn value(self) -> Value {
        match self {
            Self::Number(number) => Value::Number(number),
            Self::Integer(number) => Value::Number(number.into()),
            Self::Text(text) => Value::Text(text.into()),
            Self::Flag(flag) => Value::Flag(flag),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct SettingInfo {
    pub name: &'static str,
    pub accepts: Accepts,
    /// None: not set unless asked for.
    pub default: Option<Default>,
    pub help: &'static str,
}

/// What `spindle list` tells of a method.
#[derive(Debug)]
pub struct MethodInfo {
    pub name: &'static str,
    pub summary: &'static str,
    /// The publication it follows; empty where there is none.
    pub source: &'static str,
    pub settings: &'static [SettingInfo],
}

impl MethodInfo {
    /// The settings with defaults filled in; `origin` is the file or flag that `given` came from.
    ///
    /// # Errors
    /// An unknown name or a value that the setting does not take.
    pub fn settings(&self, given: &[(String, Value)], origin: &str) -> anyhow::Result<Settings> {
        for (name, value) in given {
            let Some(info) = self.settings.iter().find(|info| info.name == name) else {
                let known = self.settings.iter().map(|info| info.name);
                return Err(bad_input!(
                    "{origin}: method {} has no setting \"{name}\"{}",
                    self.name,
                    crate::error::nearest(name, known)
                ));
            };
            if !info.accepts.admits(value) {
                return Err(bad_input!(
                    "{origin}: method {}: {name} = {value}: expected {}",
                    self.name,
                    info.accepts
                ));
            }
        }
        let value_of = |info: &SettingInfo| {
            let given = given
                .iter()
                .find(|(name, _)| name == info.name)
                .map(|(_, value)| value.clone());
            given
                .or_else(|| info.default.map(Default::value))
                .map(|value| (info.name, value))
        };
        Ok(Settings {
            method: self.name,
            values: self.settings.iter().filter_map(value_of).collect(),
            given: given.iter().map(|(name, _)| name.clone()).collect(),
        })
    }
}

/// The settings of one cell, defaults included, in the order of the method's list.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    method: &'static str,
    values: Vec<(&'static str, Value)>,
    /// Names of those that are not defaults.
    given: Vec<String>,
}

impl Settings {
    /// The method whose they are.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// That the text `other` has one of `values`, where `name` is given: with any other the method does not heed `name`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming both.
    pub fn heeds(&self, name: &str, other: &str, values: &[&str]) -> anyhow::Result<()> {
        let found = self.text(other);
        if values.contains(&found) || !self.given.iter().any(|given| given == name) {
            return Ok(());
        }
        Err(bad_input!(
            "method {}: {name} is given, but {other} = {found} does not heed it: expected {other} = {}",
            self.method,
            values.join(" or ")
        ))
    }

    /// `name=value;...`, every setting, floats in their shortest form.
    pub fn canonical(&self) -> String {
        self.canonical_without(&[])
    }

    /// As [`Settings::canonical`], some names left out.
    pub fn canonical_without(&self, names: &[&str]) -> String {
        let kept = self.values.iter().filter(|(name, _)| !names.contains(name));
        kept.map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(";")
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// A number that may not have been given.
    pub fn opt_number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number that has a default.
    ///
    /// # Panics
    /// When the method's list has no such number: a mistake in the method's own file. So in the getters below.
    pub fn number(&self, name: &str) -> f64 {
        self.opt_number(name)
            .unwrap_or_else(|| panic!("no number \"{name}\" among the method's settings"))
    }

    pub fn integer(&self, name: &str) -> usize {
        self.number(name) as usize
    }

    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => panic!("no text \"{name}\" among the method's settings"),
        }
    }

    pub fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Flag(flag)) => *flag,
            _ => panic!("no flag \"{name}\" among the method's settings"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static INFO: MethodInfo = MethodInfo {
        name: "m",
        summary: "",
        source: "",
        settings: &[
            SettingInfo {
                name: "retention",
                accepts: Accepts::Number {
                    above: 0.0,
                    up_to: 1.0,
                },
                default: None,
                help: "",
            },
            SettingInfo {
                name: "window",
                accepts: Accepts::Integer { from: 1, to: 64 },
                default: Some(Default::Integer(8)),
                help: "",
            },
        ],
    };

    #[test]
    fn defaults_fill_in_and_the_text_is_canonical() -> anyhow::Result<()> {
        let settings = INFO.settings(&[("retention".into(), Value::Number(0.30))], "a.toml")?;
        assert_eq!(settings.canonical(), "retention=0.3;window=8");
        assert_eq!(settings.canonical_without(&["retention"]), "window=8");
        assert_eq!(INFO.settings(&[], "a.toml")?.opt_number("retention"), None);
        Ok(())
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
