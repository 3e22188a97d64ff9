//! Measures where the time of a run goes: seconds by stage, on the thread that runs it. Stages do not overlap: a stage
//! within another is not counted in the outer one, so that all add up to the wall time.

use std::cell::RefCell;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// What a run spends its time on, in the order it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Everything that is in no other stage.
    Rest,
    /// Fetching and loading the model.
    Load,
    /// Building samples from texts.
    Tokenise,
    /// Prefilling prompts.
    Prefill,
    /// Making plans, which do not depend on a size: scores, rankings, similarity graphs.
    Score,
    /// Solving for sizes and building caches.
    Compress,
    /// Feeding questions after compression, and scoring answers under teacher forcing.
    Force,
    /// Decoding answers token by token.
    Decode,
    /// Writing rows and answers to the results folder.
    Record,
}

const STAGES: [(Stage, &str); 9] = [
    (Stage::Load, "load"),
    (Stage::Tokenise, "tokenise"),
    (Stage::Prefill, "prefill"),
    (Stage::Score, "score"),
    (Stage::Compress, "compress"),
    (Stage::Force, "force"),
    (Stage::Decode, "decode"),
    (Stage::Record, "record"),
    (Stage::Rest, "rest"),
];

#[derive(Default, Clone, Copy)]
struct Spent {
    all: Duration,
    attention: Duration,
}

struct Profile {
    spent: [Spent; STAGES.len()],
    stage: Stage,
    attending: bool,
    since: Instant,
}

impl Profile {
    /// Adds the time since the last call to the current stage, and to its attention if that is running.
    fn book(&mut self) {
        let now = Instant::now();
        let passed = now - self.since;
        let spent = &mut self.spent[self.stage as usize];
        spent.all += passed;
        if self.attending {
            spent.attention += passed;
        }
        self.since = now;
    }
}

thread_local! {
    static PROFILE: RefCell<Profile> = RefCell::new(Profile {
        spent: [Spent::default(); STAGES.len()],
        stage: Stage::Rest,
        attending: false,
        since: Instant::now(),
    });
}

/// Runs `work` as `stage`, then returns to the stage before.
pub(crate) fn stage<T>(stage: Stage, work: impl FnOnce() -> T) -> T {
    let before = PROFILE.with_borrow_mut(|profile| {
        profile.book();
        std::mem::replace(&mut profile.stage, stage)
    });
    let done = work();
    PROFILE.with_borrow_mut(|profile| {
        profile.book();
        profile.stage = before;
    });
    done
}

/// Runs `work` as attention within the current stage.
pub(crate) fn attention<T>(work: impl FnOnce() -> T) -> T {
    let attending = |on| {
        PROFILE.with_borrow_mut(|profile| {
            profile.book();
            profile.attending = on;
        });
    };
    attending(true);
    let done = work();
    attending(false);
    done
}

/// Seconds by stage so far on this thread, and their sum.
pub(crate) fn report() -> String {
    let spent = PROFILE.with_borrow_mut(|profile| {
        profile.book();
        profile.spent
    });
    let mut out = String::from("seconds by stage\n");
    for (stage, name) in STAGES {
        let Spent { all, attention } = spent[stage as usize];
        let _ = write!(out, "  {name:<9}{:9.3}", all.as_secs_f64());
        if !attention.is_zero() {
            let linear = all - attention;
            let (linear, attention) = (linear.as_secs_f64(), attention.as_secs_f64());
            let _ = write!(out, "   linear {linear:.3}, attention {attention:.3}");
        }
        out.push('\n');
    }
    let sum: Duration = spent.iter().map(|spent| spent.all).sum();
    let _ = writeln!(out, "  {:<9}{:9.3}", "in all", sum.as_secs_f64());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_do_not_overlap_and_add_up() {
        let start = Instant::now();
        let before = PROFILE.with_borrow_mut(|profile| {
            profile.book();
            profile.spent
        });
        let pause = || std::thread::sleep(Duration::from_millis(20));
        stage(Stage::Prefill, || {
            pause();
            attention(pause);
            stage(Stage::Compress, pause);
            pause();
        });
        let wall = start.elapsed();
        report();
        let spent = PROFILE.with_borrow(|profile| profile.spent);
        let of = |stage: Stage| spent[stage as usize].all - before[stage as usize].all;
        let attention = spent[Stage::Prefill as usize].attention;
        assert!(of(Stage::Compress) >= Duration::from_millis(20));
        assert!(of(Stage::Prefill) >= Duration::from_millis(60));
        assert!(attention >= Duration::from_millis(20) && attention < of(Stage::Prefill) / 2);
        let sum: Duration = STAGES.iter().map(|(stage, _)| of(*stage)).sum();
        let off = sum.abs_diff(wall);
        assert!(off < Duration::from_millis(10), "{sum:?} of {wall:?}");
    }
}
