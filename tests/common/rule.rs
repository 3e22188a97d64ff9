//! The rule that every reader keeps, for the fuzz targets and for the tests of readers.

use anyhow::Result;
use spindle::error::exit_code;

/// The value of a result. A refusal must be of exit code 2, and name the file: say `name`.
pub fn accepted<T>(result: Result<T>, name: &str) -> Option<T> {
    let refused = |error: anyhow::Error| {
        let text = format!("{error:#}");
        assert_eq!(exit_code(&error), 2, "not named as bad input: {text}");
        assert!(text.contains(name), "{name} is not named: {text}");
    };
    result.map_err(refused).ok()
}
