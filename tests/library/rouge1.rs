//! ROUGE-1 against Google's `rouge_score`: see tests/golden/rouge1.py.

use serde::Deserialize;
use spindle::task::metric::rouge1::rouge1;

#[derive(Deserialize)]
struct Golden {
    /// Expected text, response, F-measure.
    cases: Vec<(String, String, f64)>,
}

#[test]
fn scores_are_those_of_the_python_package() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/rouge1.json")).unwrap();
    assert!(golden.cases.len() > 100);
    for (expected, response, score) in golden.cases {
        let found = rouge1(&expected, &response);
        assert!(
            (found - score).abs() < 1e-12,
            "{found} for {expected:?}, {response:?}: {score}"
        );
    }
}
