//! The function `range`, whose value is a sequence as Python's is.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, Value};

use super::arguments::refused;

/// Most numbers of a range: that of Jinja's sandbox.
const MOST: usize = 100_000;

#[derive(Debug)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: i64,
    length: usize,
}

pub(super) fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, stop) = second.map_or((0, first), |stop| (first, stop));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(refused("range() arg 3 must not be zero"));
    }
    // In more bits than a bound has, so that no difference is too large.
    let (width, stride) = (
        i128::from(stop) - i128::from(start),
        i128::from(step).unsigned_abs(),
    );
    let width = (width * i128::from(step.signum())).max(0).unsigned_abs();
    let length = usize::try_from(width.div_ceil(stride)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(refused("range has too many elements"));
    }
    Ok(Value::from_object(Range {
        start,
        stop,
        step,
        length,
    }))
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = usize::try_from(key.clone()).ok()?;
        (at < self.length).then(|| Value::from(self.start + at as i64 * self.step))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.length)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "range({}, {}", self.start, self.stop)?;
        match self.step {
            1 => write!(f, ")"),
            step => write!(f, ", {step})"),
        }
    }
}
