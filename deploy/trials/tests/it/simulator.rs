use saoma_trials::sim::{
    Game, Template,
    canary::Canary,
    run::{self, Wish},
};

#[test]
fn the_same_seed_is_the_same_run() {
    let template = Template::make().unwrap();
    for seed in 0..25 {
        let game = Game { seed, ..Game::default() };
        let first = run::one(&template, &game).unwrap();
        let again = run::one(&template, &game).unwrap();
        let differs = first.lines.iter().zip(&again.lines).find(|(first, again)| first != again);
        assert_eq!(first.hash, again.hash, "seed {seed}: {differs:?}");
    }
}

#[test]
fn a_failing_run_is_made_shorter_and_fails_again_of_the_same() {
    let template = Template::make().unwrap();
    let canary = Some(Canary::PostedTwice);
    let wish = Wish { from: 0, seeds: 200, threads: 2, canary, all: false };
    let tally = run::many(&template, wish, |_| {}).unwrap();
    let seed = tally.failed.first().unwrap().0;
    let game = Game { seed, canary, ..Game::default() };
    let whole = run::one(&template, &game).unwrap();
    let (short, left_out) = run::shortest(&template, &game).unwrap();
    assert_eq!(short.broken.first().unwrap().promise, whole.broken.first().unwrap().promise);
    assert!(short.lines.len() < whole.lines.len(), "{} lines of {}", short.lines.len(), whole.lines.len());
    let left_out = run::left_out(&run::words(&left_out)).unwrap();
    let replayed = run::one(&template, &Game { left_out, ..game }).unwrap();
    assert_eq!(replayed.hash, short.hash);
}
