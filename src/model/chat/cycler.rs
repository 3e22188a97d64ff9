//! Jinja's `cycler(...)`: items in turn, over and over, wherever it is asked for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, ObjectRepr, Rest, from_args};
use minijinja::{Error, ErrorKind, State, Value};

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    /// Of the item whose turn it is.
    place: AtomicUsize,
}

/// Each item is an argument of its own.
pub(super) fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "cycler: no items, expected at least one",
        ));
    }
    Ok(Value::from_object(Cycler {
        items: items.to_vec(),
        place: AtomicUsize::new(0),
    }))
}

impl Cycler {
    fn current(&self) -> Value {
        self.items[self.place.load(Ordering::Relaxed)].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.current())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let next = match method {
            "next" => (self.place.load(Ordering::Relaxed) + 1) % self.items.len(),
            "reset" => 0,
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        let () = from_args(args)?;
        let shown = match method {
            "next" => self.current(),
            _ => Value::from(()),
        };
        self.place.store(next, Ordering::Relaxed);
        Ok(shown)
    }
}
