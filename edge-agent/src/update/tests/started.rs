//! Which program is started, as a table of what a start can find.

use super::{program, version};
use crate::update::slots::{Found, OnJournal, Place, STARTS_MAX, Since, State, Trial};

const ALL: &[Place] = &[Place::Image, Place::A, Place::B];

fn state(at: Place) -> State {
    let [a, b] = [program("1.1.0", b"a", "2"), program("1.2.0", b"b", "2")];
    State { at, before: Some(a.sha256.clone()), a: Some(a), b: Some(b), ..State::default() }
}

/// The release in B is on trial, after A.
fn on_trial(change: impl FnOnce(&mut Trial)) -> State {
    let mut state = state(Place::A);
    assert!(state.switch(&program("1.2.0", b"b", "2").sha256, 60, true, false));
    state.trial.as_mut().map(change).unwrap();
    state
}

#[test]
fn a_start_takes_what_is_in_force_or_on_trial_and_goes_back_when_it_must() {
    use OnJournal::{Copy, Forget, Nothing, Restore};
    use Place::{A, B, Image};
    use Since::{Migrated, Same, Written};
    /// What is found, and what comes of it: the journal, the place, whether it is guarded, how many starts it has had by then.
    type Case = (&'static str, State, &'static [Place], bool, Since, (OnJournal, Place, bool, Option<u32>));
    let started = |starts| on_trial(|trial| trial.starts = starts);
    let given_up = || {
        on_trial(|trial| {
            trial.starts = 1;
            trial.given_up = Some("hung".to_owned());
        })
    };
    let failed_b = |mut state: State| {
        state.failed = given_up().tap_fail();
        state
    };
    let last = STARTS_MAX;
    let cases: [Case; 22] = [
        ("a new machine", State::default(), ALL, true, Same, (Forget, Image, false, None)),
        ("settled", state(A), ALL, true, Same, (Forget, A, false, None)),
        ("settled, in the middle of a sale", state(B), ALL, false, Same, (Forget, B, false, None)),
        ("slot B is not whole", state(B), &[Image, A], true, Same, (Forget, A, false, None)),
        ("slot A is not whole, and B was never tried", state(A), &[Image, B], true, Same, (Forget, Image, false, None)),
        (
            "slot A is not whole, and B failed",
            failed_b(state(A)),
            &[Image, B],
            true,
            Same,
            (Forget, Image, false, None),
        ),
        ("no slot is whole", state(B), &[Image], true, Same, (Forget, Image, false, None)),
        ("the image again, slots or not", state(Image), ALL, true, Same, (Forget, Image, false, None)),
        ("the first start of a trial", started(0), ALL, true, Same, (Copy, B, true, Some(1))),
        ("a stale switch over a payment", started(0), ALL, false, Same, (Forget, A, false, None)),
        ("a switch in need", on_trial(|trial| trial.in_need = true), ALL, false, Same, (Copy, B, true, Some(1))),
        // It sold something, and the power went.
        ("a second start over a payment", started(1), ALL, false, Same, (Nothing, B, true, Some(2))),
        ("its last start is over", started(last), ALL, true, Same, (Forget, A, false, None)),
        ("its program is torn", started(0), &[Image, A], true, Same, (Forget, A, false, None)),
        ("it was given up", given_up(), ALL, true, Same, (Forget, A, false, None)),
        ("it changed the journal and ended", started(1), ALL, true, Migrated, (Nothing, B, true, Some(2))),
        ("it changed the journal and did not sell", started(last), ALL, true, Migrated, (Restore, A, false, None)),
        ("it changed the journal and hung", given_up(), ALL, true, Migrated, (Restore, A, false, None)),
        // It opened its till, and nobody bought anything.
        (
            "it opened, and the journal is as good as the copy",
            on_trial(|trial| (trial.starts, trial.opened) = (last, true)),
            ALL,
            true,
            Migrated,
            (Restore, A, false, None),
        ),
        ("a release that sold on what it changed", started(last), ALL, true, Written, (Nothing, B, false, Some(last))),
        ("one that sold, was given up, and stays", given_up(), ALL, false, Written, (Nothing, B, false, Some(1))),
        ("it stays, but is torn", started(1), &[Image, A], true, Written, (Nothing, A, false, None)),
    ];
    for (what, mut state, fit, journal_rests, since, (journal, place, guarded, starts)) in cases {
        let failures = state.failed.len();
        let start = state.start(Found { fit, image: version("1.0.0"), journal_rests, since });
        assert_eq!((start.journal, start.place, start.guarded), (journal, place, guarded), "{what}");
        assert_eq!(state.trial.as_ref().map(|trial| trial.starts), starts, "{what}");
        let is_failure = starts.is_none() && what.starts_with("it");
        assert_eq!(state.failed.len() - failures, usize::from(is_failure), "{what}");
    }
}

impl State {
    /// What is remembered once its trial has failed.
    fn tap_fail(mut self) -> Vec<crate::update::slots::Failed> {
        let _ = self.start(Found { fit: ALL, image: version("1.0.0"), journal_rests: true, since: Since::Same });
        self.failed
    }
}

/// What has sold on a journal that it changed is followed by the next release, and not fetched over.
#[test]
fn a_release_without_a_way_back_is_followed_by_the_next_one() {
    let mut state = on_trial(|trial| trial.starts = 1);
    assert!(!state.is_open_to_another(), "one at a time");
    let _ = state.start(Found { fit: ALL, image: version("1.0.0"), journal_rests: true, since: Since::Written });
    assert!(state.is_open_to_another());
    assert_eq!(state.free(), Place::A, "the slot gone from");
    let next = program("1.3.0", b"c", "3");
    state.a = Some(next.clone());
    assert!(state.switch(&next.sha256, 60, true, true));
    let found = Found { fit: ALL, image: version("1.0.0"), journal_rests: true, since: Since::Same };
    assert_eq!((state.at, state.start(found).place), (Place::B, Place::A));
    assert!(state.give_up(&next.sha256, "it hung"));
    assert_eq!(state.start(found).place, Place::B, "it is gone back to");
}

/// Where nothing can be written, what opens the journal is started, and the image last.
#[test]
fn in_need_the_settled_release_comes_before_the_image() {
    let found = |fit, since| Found { fit, image: version("1.0.0"), journal_rests: true, since };
    let state = on_trial(|trial| trial.starts = 1);
    for (fit, since, place, guarded) in [
        (ALL, Since::Same, Place::A, false),
        (ALL, Since::Migrated, Place::B, true),
        (ALL, Since::Written, Place::B, false),
        (ALL, Since::Unknown, Place::B, true),
        (&[Place::Image, Place::B][..], Since::Same, Place::Image, false),
    ] {
        let start = state.start_in_need(found(fit, since));
        assert_eq!((start.journal, start.place, start.guarded), (OnJournal::Nothing, place, guarded), "{since:?}");
    }
}

/// A disk without room for a look at the journal, or a device that fails for a moment: the copy stays, nothing counts.
#[test]
fn nothing_is_decided_by_a_journal_that_cannot_be_read() {
    let found = Found { fit: ALL, image: version("1.0.0"), journal_rests: false, since: Since::Unknown };
    let trials: [fn(&mut Trial); 2] = [
        |trial| trial.starts = STARTS_MAX,
        |trial| (trial.starts, trial.stays, trial.given_up) = (1, true, Some("it hung".to_owned())),
    ];
    for trial in trials {
        let mut state = on_trial(trial);
        let before = state.clone();
        let start = state.start(found);
        assert_eq!((start.journal, start.place), (OnJournal::Nothing, Place::B));
        assert_eq!(state, before);
    }
    // A start found that it alone opens the journal; that its copy is gone says nothing else.
    let mut state = on_trial(|trial| (trial.starts, trial.stays) = (STARTS_MAX, true));
    let start = state.start(Found { journal_rests: true, since: Since::Same, ..found });
    assert_eq!((start.journal, start.place), (OnJournal::Nothing, Place::B));
}

/// Misspelt limits are not passed over for ever.
#[test]
fn a_configuration_is_strict_again_once_another_release_has_proven_itself() {
    let mut state = on_trial(|trial| trial.starts = STARTS_MAX);
    state.failed = state.clone().tap_fail();
    assert!(state.went_back_to(version("1.1.0")) && state.went_back_to(version("1.0.0")));
    assert!(!state.went_back_to(version("1.2.0")) && !state.went_back_to(version("1.2.1")));
}

#[test]
fn a_release_that_proves_itself_is_kept_and_one_that_fails_is_remembered() {
    let sha256 = program("1.2.0", b"b", "2").sha256;
    let mut state = on_trial(|_| {});
    assert_eq!(state.free(), Place::B);
    assert!(!state.switch(&sha256, 60, true, false), "one at a time");
    assert!(!state.give_up("another", "") && state.trial_of("another").is_none());
    state.prove(&sha256);
    assert_eq!((state.at, state.free(), state.trial.is_none()), (Place::B, Place::A, true));
    // Its time was over in the same moment.
    assert!(!state.give_up(&sha256, "late"));

    for times in 1..=2 {
        let mut again = on_trial(|trial| trial.starts = 1);
        again.failed = state.failed.clone();
        assert!(again.give_up(&sha256, "it hung"));
        again.prove("another");
        let start = again.start(Found { fit: ALL, image: version("1.0.0"), journal_rests: true, since: Since::Same });
        assert_eq!((start.place, again.failures(&sha256)), (Place::A, times));
        assert_eq!(again.failed.last().unwrap().why, "it hung");
        state = again;
    }
}

#[test]
fn an_image_that_is_newer_than_the_slots_is_started() {
    for (image, place) in [("1.1.9", Place::B), ("1.2.0", Place::Image), ("2.0.0", Place::Image)] {
        let found = Found { fit: ALL, image: version(image), journal_rests: true, since: Since::Same };
        assert_eq!(state(Place::B).start(found).place, place, "{image}");
    }
}

/// An image's program reads what a newer release wrote.
#[test]
fn a_state_with_more_in_it_is_read() {
    let mut newer = serde_json::to_value(on_trial(|_| {})).unwrap();
    newer["ring"] = "canary".into();
    newer["trial"]["phase_of_the_moon"] = 3.into();
    assert_eq!(serde_json::from_value::<State>(newer).unwrap(), on_trial(|_| {}));
}
