//! Texts filled up with spaces or another character.

use minijinja::{Error, State, Value};

use super::arguments::{integer, optional_text, refused, take};

/// Bytes of text that cost one unit of fuel, as in minijinja.
const BYTES_PER_FUEL: usize = 64;

/// Takes the fuel for a text before it is made.
pub(super) fn pay(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel((bytes / BYTES_PER_FUEL) as u64)
}

/// `center`, `ljust`, `rjust` and `zfill`.
pub(super) fn filled(
    state: &State,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let [width, fill] = match name {
        "zfill" => take(arguments, ["width"]).map(|[width]| [width, "0".into()])?,
        _ => take(arguments, ["width", "fillchar"])?,
    };
    let width = i64::try_from(width)?;
    let fill = optional_text(&fill)?.unwrap_or(" ");
    if fill.chars().count() != 1 {
        return Err(refused(format!(
            "{name}: expected one character to fill with"
        )));
    }
    let length = text.chars().count();
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(length);
    pay(state, missing.saturating_mul(fill.len()))?;
    let filling = |count: usize| fill.repeat(count);
    Ok(match name {
        "ljust" => format!("{text}{}", filling(missing)),
        "rjust" => format!("{}{text}", filling(missing)),
        "zfill" => {
            let sign = text.len() - text.trim_start_matches(['+', '-']).len();
            let (sign, digits) = text.split_at(sign.min(1));
            format!("{sign}{}{digits}", filling(missing))
        }
        _ => {
            // CPython puts the odd one on the left where the width is odd.
            let left = missing / 2 + (missing & (width as usize) & 1);
            format!("{}{text}{}", filling(left), filling(missing - left))
        }
    }
    .into())
}

/// Tabs as spaces up to the next column that `tabsize` divides.
pub(super) fn expandtabs(state: &State, text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let [size] = take(arguments, ["tabsize"])?;
    let size = usize::try_from(integer(&size)?.unwrap_or(8)).unwrap_or(0);
    pay(state, size.saturating_mul(text.matches('\t').count()))?;
    let (mut out, mut column) = (String::with_capacity(text.len()), 0_usize);
    for c in text.chars() {
        match c {
            '\t' => {
                let spaces = column.checked_rem(size).map_or(0, |over| size - over);
                out.push_str(&" ".repeat(spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    Ok(out.into())
}
