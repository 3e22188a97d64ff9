//! Values of settings, and which values a setting accepts.

use strum::VariantNames;

/// The value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; a whole one for a setting that takes whole numbers.
    Number(f64),
    /// One of the words that a setting chooses among.
    Text(String),
    /// True or false.
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
        /// Lower bound, itself refused.
        above: f64,
        /// Upper bound, itself accepted.
        up_to: f64,
    },
    /// A whole number, `from <= x <= to`.
    Integer {
        /// The least number accepted.
        from: u32,
        /// The largest number accepted.
        to: u32,
    },
    /// A number of bytes, or a text such as `20MB` or `1.5 MiB`.
    Bytes,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
}

impl Accepts {
    /// The words of an enum, whose variants are what the setting chooses among.
    pub const fn words<T: VariantNames>() -> Self {
        Self::Choice(T::VARIANTS)
    }

    /// The number that a value is; none for a text, but of bytes.
    pub(super) fn number(self, value: &Value) -> Option<f64> {
        match (self, value) {
            (_, Value::Number(number)) => Some(*number),
            (Self::Bytes, Value::Text(text)) => bytes(text),
            _ => None,
        }
    }

    pub(super) fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number { above, up_to }, Value::Number(x)) => *x > above && *x <= up_to,
            (Self::Integer { from, to }, Value::Number(x)) => {
                x.fract() == 0.0 && *x >= from.into() && *x <= to.into()
            }
            (Self::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Self::Flag, Value::Flag(_)) => true,
            (Self::Bytes, value) => self.number(value).is_some_and(|bytes| bytes >= 1.0),
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
            Self::Bytes => write!(
                f,
                "bytes: a number, or a text with {}",
                UNITS.map(|(unit, _)| unit).join(", ")
            ),
        }
    }
}

/// Units of bytes.
const UNITS: [(&str, f64); 7] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
];

/// A number of bytes, at most what a number counts exactly: `20MB`, `1.5 MiB`.
fn bytes(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = number.trim().parse::<f64>().ok()? * factor;
    (bytes.is_finite() && bytes <= 2f64.powi(53)).then_some(bytes)
}

/// A default, in a form that constants can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// For [`Accepts::Number`].
    Number(f64),
    /// For [`Accepts::Integer`].
    Integer(u32),
    /// For [`Accepts::Choice`]: one of its words.
    Text(&'static str),
    /// For [`Accepts::Flag`].
    Flag(bool),
}

impl DefaultValue {
    /// The default as a setting has it; a whole number becomes a [`Value::Number`].
    pub fn value(self) -> Value {
        match self {
            Self::Number(number) => Value::Number(number),
            Self::Integer(number) => Value::Number(number.into()),
            Self::Text(text) => Value::Text(text.into()),
            Self::Flag(flag) => Value::Flag(flag),
        }
    }
}
