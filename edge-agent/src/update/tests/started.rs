//! Which program is started, as a table of what a start can find.

use super::{program, version};
use crate::update::slots::{Found, OnJournal, Place, STARTS_MAX, State, Trial};

const ALL: &[Place] = &[Place::Image, Place::A, Place::B];

fn state(at: Place) -> State {
    State { at, a: Some(program("1.1.0", b"a", "2")), b: Some(program("1.2.0", b"b", "2")), ..State::default() }
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
    /// What is found, and what comes of it: the journal, the place, whether it is guarded, how many starts it has had by then.
    type Case = (&'static str, State, &'static [Place], bool, (OnJournal, Place, bool, Option<u32>));
    let migrates =
        |starts, opened| on_trial(|trial| (trial.starts, trial.migrates, trial.opened) = (starts, true, opened));
    let given_up = |migrates, opened| {
        on_trial(|trial| {
            (trial.starts, trial.migrates, trial.opened) = (1, migrates, opened);
            trial.given_up = Some("hung".to_owned());
        })
    };
    let cases: [Case; 17] = [
        ("a new machine", State::default(), ALL, true, (Forget, Image, false, None)),
        ("settled", state(A), ALL, true, (Forget, A, false, None)),
        ("settled, in the middle of a sale", state(B), ALL, false, (Forget, B, false, None)),
        ("its slot is not whole", state(B), &[Image, A], true, (Forget, A, false, None)),
        ("no slot is whole", state(B), &[Image], true, (Forget, Image, false, None)),
        ("the image again, slots or not", state(Image), ALL, true, (Forget, Image, false, None)),
        ("the first start of a trial", on_trial(|_| {}), ALL, true, (Nothing, B, true, Some(1))),
        ("a stale switch over a payment", on_trial(|_| {}), ALL, false, (Forget, A, false, None)),
        // It sold something, and the power went.
        ("a second start over a payment", on_trial(|trial| trial.starts = 1), ALL, false, (Nothing, B, true, Some(2))),
        ("its last start is over", on_trial(|trial| trial.starts = STARTS_MAX), ALL, true, (Nothing, A, false, None)),
        ("its program is torn", on_trial(|_| {}), &[Image, A], true, (Nothing, A, false, None)),
        ("it was given up", given_up(false, false), ALL, true, (Nothing, A, false, None)),
        ("it will change the journal", migrates(0, false), ALL, true, (Copy, B, true, Some(1))),
        ("it changed the journal and ended", migrates(1, false), ALL, true, (Nothing, B, true, Some(2))),
        ("it changed the journal and did not open", migrates(STARTS_MAX, false), ALL, true, (Restore, A, false, None)),
        ("it changed the journal and hung", given_up(true, false), ALL, true, (Restore, A, false, None)),
        (
            "it changed the journal and sold",
            migrates(STARTS_MAX, true),
            ALL,
            true,
            (Forget, B, false, Some(STARTS_MAX)),
        ),
    ];
    for (what, mut state, fit, journal_rests, (journal, place, guarded, starts)) in cases {
        let start = state.start(Found { fit, image: version("1.0.0"), journal_rests });
        assert_eq!((start.journal, start.place, start.guarded), (journal, place, guarded), "{what}");
        assert_eq!(state.trial.as_ref().map(|trial| trial.starts), starts, "{what}");
        let is_failure = starts.is_none() && matches!(place, A) && what.starts_with("it");
        assert_eq!(state.failed.len(), usize::from(is_failure && what != "its slot is not whole"), "{what}");
    }
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
        let start = again.start(Found { fit: ALL, image: version("1.0.0"), journal_rests: true });
        assert_eq!((start.place, again.failures(&sha256)), (Place::A, times));
        assert_eq!(again.failed.last().unwrap().why, "it hung");
        state = again;
    }
    // Once it may have written to the journal, it stays.
    let mut opened = on_trial(|trial| (trial.migrates, trial.opened) = (true, true));
    assert!(!opened.give_up(&sha256, "it hung"));
}

#[test]
fn an_image_that_is_newer_than_the_slots_is_started() {
    for (image, place) in [("1.1.9", Place::B), ("1.2.0", Place::Image), ("2.0.0", Place::Image)] {
        let found = Found { fit: ALL, image: version(image), journal_rests: true };
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
