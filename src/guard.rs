//! Panics, as errors: the tokenizer and regular expression crates panic on some damaged files, and what nobody thought
//! of is said in a line.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::terminal;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `act` returns, or the message of the panic that ended it, which is not printed. Anything that `act` was
/// changing is to be thrown away after a panic.
pub fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let printing = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                printing(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    GUARDED.set(outer);
    result.map_err(|payload| message(payload.as_ref()))
}

/// Makes a panic, the first one, be said in one line as a fault of the program, with a backtrace only where
/// `RUST_BACKTRACE` is set. To be called once, by the program.
pub fn say_faults() {
    static SAID: AtomicBool = AtomicBool::new(false);
    set_hook(Box::new(|info| {
        if SAID.swap(true, Ordering::SeqCst) {
            return;
        }
        let place = info.location().map(Location::to_string);
        let place = place.unwrap_or_else(|| "a place unknown".into());
        let said = message(info.payload());
        terminal::tell(&format!("error: internal fault at {place}: {said}"));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            for frame in backtrace.to_string().lines() {
                terminal::tell(frame);
            }
        }
    }));
}

/// What `act` returns; none if it panicked, which has been said.
pub fn caught<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}

/// The text that a panic was started with.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        let number = 7;
        assert_eq!(
            guarded(|| assert!(number < 5, "{number} is large")),
            Err("7 is large".to_owned())
        );
        assert!(!GUARDED.get());
    }

    /// A fault of the program, to be run in a process of its own.
    #[test]
    #[ignore]
    fn fault() {
        say_faults();
        let at = std::hint::black_box(9);
        assert!(caught(|| [1, 2, 3][at]).is_none());
        assert!(caught(|| [1, 2, 3][at]).is_none());
    }

    /// What that process says, with `RUST_BACKTRACE` as given.
    fn said(backtrace: &str) -> anyhow::Result<String> {
        let output = std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", "guard::tests::fault", "--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", backtrace)
            .output()?;
        Ok(String::from_utf8(output.stderr)?)
    }

    #[test]
    fn a_fault_is_said_once_in_a_line() -> anyhow::Result<()> {
        let line = said("0")?;
        assert!(
            line.starts_with("error: internal fault at src/guard.rs:"),
            "{line}"
        );
        assert!(
            line.ends_with(": index out of bounds: the len is 3 but the index is 9\n"),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
        // Which frames it names depends on how the program was built.
        let asked = said("1")?;
        assert!(
            asked.lines().count() > 3 && asked.starts_with(&line),
            "{asked}"
        );
        Ok(())
    }
}
