//! Experiments that cannot be run.

use crate::world::{EXPERIMENT, World};

/// Asserts that the experiment with `old` in place of `new` is refused by `eval` and by a dry run alike.
fn refused(old: &str, new: &str, says: &[&str]) {
    let world = World::new();
    assert!(EXPERIMENT.contains(old), "{old}");
    world.write("bad.toml", EXPERIMENT.replacen(old, new, 1));
    let says = [&["bad.toml"][..], says].concat();
    world.refused(&["eval", "bad.toml"], &says);
    world.refused(&["eval", "bad.toml", "--dry-run"], &says);
    world.refused(&["sweep", "bad.toml"], &says);
}

#[test]
fn unknown_keys_are_named() {
    refused(
        "description =",
        "descripton =",
        &["bad.toml:2: ", "`descripton`", "`description`"],
    );
    refused(
        "source =",
        "sha265 = 'x'\nsource =",
        &["bad.toml:5: ", "`sha265`", "`sha256`"],
    );
    refused("depths =", "depth =", &["needle", "`depth`", "`depths`"]);
    refused(
        "theta-scale",
        "theta-skale",
        &[
            "spindle-code",
            "\"theta-skale\", did you mean \"theta-scale\"?",
        ],
    );
}

#[test]
fn unknown_names_are_named_with_the_nearest() {
    refused(
        "\"snapkv\"",
        "\"snapvk\"",
        &["\"snapvk\"", "did you mean \"snapkv\"?"],
    );
    refused(
        "\"needle\"",
        "\"neddle\"",
        &["\"neddle\"", "did you mean \"needle\"?"],
    );
    refused(
        "\"full\"",
        "\"xyz\"",
        &["\"xyz\"", "expected one of full, random"],
    );
    refused(
        "description",
        "kv-dtype = 'f8'\ndescription",
        &["f8", "f16"],
    );
    refused(
        "description",
        "compress = 'all'\ndescription",
        &["bad.toml:2: ", "'all'", "\"prompt\""],
    );
    refused(
        "description",
        "compress = []\ndescription",
        &["compress = []", "\"context\""],
    );
}

#[test]
fn former_names_are_refused_with_the_present_ones() {
    refused(
        "share = 0.5",
        "r = 0.5",
        &["spindle", "\"r\", it is called \"share\" now"],
    );
    refused(
        "share = 0.5",
        "share = 0.5\nscore = 'mean'",
        &["\"score\", it is called \"normalisation\" now"],
    );
    refused(
        "share = 0.5",
        "share = 0.5\nkeys = 'rotated'",
        &["keys = rotated", "it is called post-rope now"],
    );
}

#[test]
fn values_of_the_wrong_type_are_named() {
    refused(
        "description =",
        "seed = \"one\"\ndescription =",
        &["bad.toml:2: ", "seed = \"one\"", "expected a whole number"],
    );
    refused(
        "source = \"model\"",
        "source = 7",
        &["bad.toml:5: ", "source = 7", "expected a text"],
    );
    refused("[500, 700]", "\"long\"", &["needle", "\"long\"", "lengths"]);
    refused("[500, 700]", "[-500]", &["needle", "-500", "lengths"]);
    refused(
        "theta-scale = 6",
        "theta-scale = 'six'",
        &["theta-scale = six", "expected a number above 0"],
    );
    refused(
        "share = 0.5",
        "share = {a = 1}",
        &["share = ", "expected a number"],
    );
    refused(
        "name = \"snapkv\"",
        "name = 3",
        &["[[method]] name = 3", "text"],
    );
    refused(
        "name = \"needle\"",
        "name = 3",
        &["[[task]] name = 3", "text"],
    );
    refused("name = \"needle\"\n", "", &["[[task]] has no name"]);
    refused("name = \"full\"\n", "", &["[[method]] has no name"]);
}

#[test]
fn values_out_of_range_are_named() {
    for value in ["0", "-0.5", "1.5", "nan"] {
        let new = format!("[0.4, {value}]");
        refused(
            "[0.4, 0.7]",
            &new,
            &[
                "snapkv",
                "retention = ",
                "expected a number above 0, up to 1",
            ],
        );
    }
    refused(
        "[0.4, 0.7]",
        "[]",
        &["snapkv", "retention = []", "at least one"],
    );
    refused("[500, 700]", "[]", &["needle", "lengths"]);
    refused("[20, 80]", "[20, 101]", &["needle", "101", "0 to 100"]);
    refused(
        "depths",
        "distractors = [5000]\ndepths",
        &["needle", "5000", "expected at most"],
    );
    refused(
        "share = 0.5",
        "share = 0.5\nretention = 0.5",
        &["spindle", "two sizes"],
    );
    refused("share = 0.5", "", &["spindle", "no size is given"]);
    refused(
        "name = \"tiny\"",
        "name = \"../up\"",
        &["name = \"../up\"", "expected letters"],
    );
}

#[test]
fn what_is_missing_or_stands_twice_is_named() {
    refused(
        "[0.4, 0.7]",
        "[0.4, 0.4]",
        &["snapkv", "retention=0.4", "twice"],
    );
    // 32 is the default.
    refused(
        "[0.4, 0.7]",
        "0.4\n[[method]]\nname = \"snapkv\"\nretention = 0.4\nwindow = 32",
        &["method snapkv with retention=0.4 stands twice"],
    );
    refused("name = \"tiny\"\n", "", &["missing field `name`"]);
    refused("[[task]]", "[[tasks]]", &["`tasks`"]);
    refused("[model]", "[model", &["bad.toml:4: "]);
    refused(
        "description",
        "name = \"again\"\ndescription",
        &["bad.toml:2: ", "duplicate key"],
    );
    let world = World::new();
    world.write("none.toml", "name = 'x'\ntask = []\nmethod = []\n");
    world.refused(&["eval", "none.toml"], &["none.toml", "no [[task]]"]);
    world.write("latin.toml", b"name = '\xe9'");
    world.refused(&["eval", "latin.toml"], &["latin.toml", "UTF-8"]);
    world.refused(&["eval", "absent.toml"], &["absent.toml", "No such file"]);
    world.refused(
        &["eval", "quikstart"],
        &["\"quikstart\"", "did you mean \"quickstart\"?"],
    );
    world.refused(&["eval", "model"], &["model", "a folder"]);
}
