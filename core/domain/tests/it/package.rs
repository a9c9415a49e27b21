//! Rollouts of packages: every step from every kind of rollout, and what holds after any walk of steps.

use proptest::prelude::*;
use saoma_domain::package::{Choice, ContentHash, NoHash, Refusal, Rollout, Step};

fn hash(letter: &str) -> ContentHash {
    ContentHash::of(letter.as_bytes())
}

/// `built_in`, or the package that a letter stands for.
fn choice(word: &str) -> Choice {
    if word == "built_in" { Choice::BuiltIn } else { Choice::Package(hash(word)) }
}

/// Stable, previous and canary in words; `-` for none.
fn rollout(words: &str) -> Rollout {
    let [stable, previous, canary] = words.split(' ').collect::<Vec<_>>().try_into().unwrap();
    Rollout {
        stable: choice(stable),
        previous: (previous != "-").then(|| choice(previous)),
        canary: (canary != "-").then(|| hash(canary)),
        version: 7,
    }
}

fn step(words: &str) -> Step {
    match words.split_once(' ') {
        Some(("install", letter)) => Step::Install(hash(letter)),
        Some(("canary", letter)) => Step::Canary(hash(letter)),
        None if words == "promote" => Step::Promote,
        None if words == "rollback" => Step::RollBack,
        _ => panic!("{words}"),
    }
}

#[test]
fn each_step_from_each_kind_of_rollout() {
    // Before (stable, previous, canary) | step | after, or why not.
    let table = "
        built_in - -  | install a | a built_in -
        built_in - -  | canary a  | built_in - a
        built_in - -  | promote   | NoCanary
        built_in - -  | rollback  | NothingBefore
        a built_in -  | install b | b a -
        a built_in -  | install a | Same
        a built_in -  | canary a  | Same
        a built_in -  | canary b  | a built_in b
        a built_in -  | rollback  | built_in - -
        a built_in b  | canary b  | a built_in b
        a built_in b  | canary c  | CanaryRuns
        a built_in b  | install c | CanaryRuns
        a built_in b  | install b | CanaryRuns
        a built_in b  | promote   | b a -
        a built_in b  | rollback  | a built_in -
        b a -         | rollback  | a - -
        a - -         | rollback  | NothingBefore
    ";
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let [before, taken, after] =
            row.split('|').map(str::trim).collect::<Vec<_>>().try_into().expect("three columns");
        let decided = rollout(before).decide(7, step(taken));
        let expected = match after {
            "NoCanary" => Err(Refusal::NoCanary),
            "NothingBefore" => Err(Refusal::NothingBefore),
            "Same" => Err(Refusal::Same(hash("a"))),
            "CanaryRuns" => Err(Refusal::CanaryRuns(hash("b"))),
            after => Ok(Rollout { version: 8, ..rollout(after) }),
        };
        assert_eq!(decided, expected, "{row}");
        // The same click once more, by whoever saw the same version, does nothing.
        if let Ok(next) = decided {
            assert_eq!(next.decide(7, step(taken)), Err(Refusal::Stale { seen: 7, now: 8 }), "{row}");
        }
    }
}

#[test]
fn tenants_of_the_canary_have_it_and_the_others_do_not() {
    let running = rollout("a built_in b");
    assert_eq!((running.serves(true), running.serves(false)), (choice("b"), choice("a")));
    let over = rollout("b a -");
    assert_eq!((over.serves(true), over.serves(false)), (choice("b"), choice("b")));
    assert!(running.names(hash("a")) && running.names(hash("b")) && over.names(hash("a")));
    assert!(!running.names(hash("c")) && !rollout("a built_in -").names(hash("b")));
}

#[test]
fn a_package_comes_back_from_its_text_and_nothing_else_does() {
    let package = hash("a");
    assert_eq!(package.to_string(), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    assert_eq!(package.to_string().parse(), Ok(package));
    for choice in [Choice::BuiltIn, Choice::Package(package)] {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    for wrong in ["", "built-in", "ca97", &package.to_string().to_uppercase(), &format!("{package}00")] {
        assert_eq!(wrong.parse::<ContentHash>(), Err(NoHash), "{wrong}");
        assert_eq!(wrong.parse::<Choice>(), Err(NoHash), "{wrong}");
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let letter = || prop::sample::select(vec!["a", "b", "c"]);
    prop_oneof![
        letter().prop_map(|letter| Step::Install(hash(letter))),
        letter().prop_map(|letter| Step::Canary(hash(letter))),
        Just(Step::Promote),
        Just(Step::RollBack),
    ]
}

proptest! {
    #[test]
    fn a_roll_back_ends_the_last_change_whatever_came_before(steps in prop::collection::vec(any_step(), 0..20)) {
        let mut rollout = Rollout::UNTOUCHED;
        for step in steps {
            let before = rollout;
            let Ok(next) = rollout.decide(rollout.version, step) else { continue };
            prop_assert_eq!(next.version, before.version + 1);
            // Never the same package twice in one rollout: a roll-back would change nothing, or a canary be none.
            prop_assert!(next.previous != Some(next.stable));
            prop_assert!(next.canary.map(Choice::Package) != Some(next.stable));
            if step != Step::RollBack {
                let back = next.decide(next.version, Step::RollBack).expect("there is a way back");
                prop_assert_eq!(back.serves(false), before.stable);
                prop_assert_eq!(back.canary, None);
            }
            rollout = next;
        }
    }
}
