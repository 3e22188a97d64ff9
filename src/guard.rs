//! Turns panics and endless work in libraries that read files into errors. The tokenizer and regular expression crates
//! panic on some files, and a pattern or a template may never end. Any other panic is reported in one line.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::memory;
use crate::terminal;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Returns what `act` returns, or the message of the panic that ended it. The panic is not printed. After a panic,
/// throw away anything that `act` was changing.
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

/// Makes the first panic print one line that calls it a fault of the program, with a backtrace only if `RUST_BACKTRACE`
/// is set. The program calls this once.
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

/// Returns what `act` returns. None if it panicked; the panic has been printed.
pub fn caught<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}

/// Limits on time and memory of an act under [`within`].
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall-clock time after which the act is given up.
    pub time: Duration,
    /// Bytes by which the program's memory may grow meanwhile.
    pub memory: u64,
    /// Bytes of stack, of which only what is used takes memory.
    pub stack: usize,
}

/// Interval at which [`within`] checks time and memory.
const GLANCE: Duration = Duration::from_millis(50);

/// Runs `act` on a thread of its own. Returns its result, or in words why it was given up: it panicked, or passed a
/// limit. An act that passed a limit cannot be stopped and goes on, so the program should end soon.
pub fn within<T: Send + 'static>(
    limits: Limits,
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = channel();
    let before = memory::used();
    let start = Instant::now();
    thread::Builder::new()
        .stack_size(limits.stack)
        .spawn(move || {
            // The receiver is gone if the act was given up.
            let _ = sender.send(guarded(act));
        })
        .map_err(|error| format!("no thread for it: {error}"))?;
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err("it was stopped".to_owned()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if start.elapsed() > limits.time {
            return Err(format!("it takes longer than {} s", limits.time.as_secs()));
        }
        if memory::used().saturating_sub(before) > limits.memory {
            let megabytes = limits.memory >> 20;
            return Err(format!("it takes more than {megabytes} MB of memory"));
        }
    }
}

/// Returns what `act` returns. If that takes longer than `time`, prints the line that `says` makes and ends the program
/// with exit code 2: a search for a pattern cannot be stopped from outside.
pub fn or_end<T>(
    time: Duration,
    says: impl FnOnce() -> String + Send + 'static,
    act: impl FnOnce() -> T,
) -> T {
    let (done, waiting) = channel::<()>();
    let watch = move || {
        if waiting.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            terminal::tell(&format!("error: {}", says()));
            std::process::exit(2);
        }
    };
    // If no thread can be started, the time is not watched.
    let _ = thread::Builder::new().stack_size(STACK).spawn(watch);
    let result = act();
    drop(done);
    result
}

/// Bytes of stack of a thread that waits.
const STACK: usize = 256 << 10;

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

    #[test]
    fn an_act_is_given_up_at_a_limit() {
        let limits = Limits {
            time: Duration::from_millis(100),
            memory: 1 << 40,
            stack: 1 << 20,
        };
        assert_eq!(within(limits, || 3), Ok(3));
        assert_eq!(
            within(limits, || -> () { panic!("no") }),
            Err("no".to_owned())
        );
        let slow = || thread::sleep(Duration::from_secs(20));
        let error = within(limits, slow).expect_err("slow");
        assert!(error.contains("longer than"), "{error}");
        let large = Limits {
            time: Duration::from_secs(20),
            memory: 64 << 20,
            ..limits
        };
        let error = within(large, || {
            let held = vec![1u8; 256 << 20];
            thread::sleep(Duration::from_secs(20));
            held
        });
        assert_eq!(error, Err("it takes more than 64 MB of memory".to_owned()));
    }
}
