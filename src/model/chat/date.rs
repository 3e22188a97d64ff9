//! `strftime_now`: Python's `datetime.now().strftime`, for a date that does not move.

use std::fmt::Write;

use chrono::{NaiveDate, NaiveTime};
use minijinja::{Error, ErrorKind};

use crate::terminal;

/// Longest format taken: one names a few fields.
const LONGEST: usize = 1000;

/// Midnight of `date` in Python's `format`.
///
/// # Errors
/// A directive that is not known.
pub(super) fn strftime(date: NaiveDate, format: &str) -> Result<String, Error> {
    let unknown = || {
        let shown = terminal::cut(format, 100);
        Error::new(
            ErrorKind::InvalidOperation,
            format!("strftime_now: {shown:?} is not a time format"),
        )
    };
    if format.len() > LONGEST {
        return Err(unknown());
    }
    let mut text = String::new();
    // An unknown directive is a formatting error; `to_string` would panic on it.
    let format = pythonic(format).ok_or_else(unknown)?;
    let time = date.and_time(NaiveTime::MIN).format(&format);
    write!(text, "{time}").map_err(|_| unknown())?;
    Ok(text)
}

/// Directives of Python that chrono has alike, and those that are numbers: they take a flag for how they are filled up.
const DIRECTIVES: &str = "%aAbBcDFGhnpPrRtTuVwxXY";
const NUMBERS: &str = "CdegHIjklmMSUWy";

/// The format in chrono's directives: Python has six digits of a second's fraction, and no zone where none is known.
/// None where a directive is another: Python shows some as they stand, chrono has more.
fn pythonic(format: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match rest.next()? {
            'f' => out.push_str("000000"),
            'z' | 'Z' => {}
            flag @ ('-' | '_' | '0') => {
                let number = rest.next().filter(|c| NUMBERS.contains(*c))?;
                out.extend(['%', flag, number]);
            }
            kind if DIRECTIVES.contains(kind) || NUMBERS.contains(kind) => out.extend(['%', kind]),
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_pythons() {
        let date = NaiveDate::from_ymd_opt(2024, 7, 6).expect("a date");
        for (format, expected) in [
            ("%d %b %Y", "06 Jul 2024"),
            ("%Y-%m-%d %H:%M:%S.%f%z", "2024-07-06 00:00:00.000000"),
            ("%A, %B %-d, %j, 100 %%", "Saturday, July 6, 188, 100 %"),
            ("%x %X %I %p", "07/06/24 00:00:00 12 AM"),
        ] {
            assert_eq!(strftime(date, format).expect(format), expected);
        }
        for format in ["%Q", "%", "%v", "%+", "%-A", "%s", "%3f", "%:z"] {
            assert!(strftime(date, format).is_err(), "{format}");
        }
        assert!(strftime(date, &"%Y".repeat(1000)).is_err());
    }
}
