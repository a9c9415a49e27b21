//! Many seeds, over the machine's processors; and one seed, in words.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{
    canary::Canary,
    shrink::shrink,
    template::Template,
    world::{Game, LeftOut, Outcome, play},
};

/// Which seeds, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub from: u64,
    pub seeds: u64,
    pub threads: usize,
    pub canary: Option<Canary>,
    /// Goes on after a failure.
    pub all: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub events: u64,
    pub virtual_ms: i64,
    pub took: Duration,
    /// Seeds that broke a promise, with the first one broken.
    pub failed: Vec<(u64, String)>,
}

/// Plays the seeds; stops at the first failure unless all are wished for.
///
/// # Errors
/// If a world cannot be set up.
pub fn many(template: &Template, wish: Wish, progress: impl Fn(u64) + Sync) -> Result<Tally> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let tally = Mutex::new(Tally::default());
    let began = Instant::now();
    let one_thread = || -> Result<()> {
        let room = template.room()?;
        while !stop.load(Ordering::Relaxed) {
            let idx = next.fetch_add(1, Ordering::Relaxed);
            if idx >= wish.seeds {
                break;
            }
            let seed = wish.from + idx;
            let game = Game { seed, canary: wish.canary, left_out: LeftOut::default() };
            let outcome = play(template, room.path(), &game, false)?;
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.runs += 1;
            tally.events += outcome.events;
            tally.virtual_ms += outcome.virtual_ms;
            if let Some(broken) = outcome.broken.first() {
                tally.failed.push((seed, broken.to_string()));
                if !wish.all {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            progress(tally.runs);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..wish.threads.max(1)).map(|_| scope.spawn(one_thread)).collect();
        for thread in threads {
            match thread.join() {
                Ok(done) => done?,
                Err(_) => bail!("the simulator itself panicked: {:?}", super::node::panics_of_all()),
            }
        }
        Ok(())
    })?;
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.took = began.elapsed();
    tally.failed.sort();
    Ok(tally)
}

/// Plays one run and tells it.
///
/// # Errors
/// If the world cannot be set up.
pub fn one(template: &Template, game: &Game) -> Result<Outcome> {
    let room = template.room()?;
    play(template, room.path(), game, true)
}

/// The shortest run found that fails as `game` does, and what it leaves out.
///
/// # Errors
/// If a world cannot be set up.
pub fn shortest(template: &Template, game: &Game) -> Result<(Outcome, LeftOut)> {
    let room = template.room()?;
    let failed = play(template, room.path(), game, false)?;
    let left_out = shrink(template, room.path(), game, &failed)?;
    let game = Game { left_out: left_out.clone(), ..game.clone() };
    Ok((play(template, room.path(), &game, true)?, left_out))
}

/// Which seed found a mistake made on purpose, and what it broke; `None` if none did within its seeds.
///
/// # Errors
/// If a world cannot be set up.
pub fn found(template: &Template, canary: Canary, threads: usize) -> Result<Option<(u64, String)>> {
    let seeds = canary.seeds();
    let mut wish =
        Wish { from: seeds.start, seeds: seeds.end - seeds.start, threads, canary: Some(canary), all: false };
    let room = template.room()?;
    while wish.seeds > 0 {
        let Some(found) = many(template, wish, |_| {})?.failed.into_iter().next() else { break };
        // A seed that fails without the mistake as well proves nothing.
        let game = Game { seed: found.0, canary: None, left_out: LeftOut::default() };
        if play(template, room.path(), &game, false)?.broken.is_empty() {
            return Ok(Some(found));
        }
        wish.from = found.0 + 1;
        wish.seeds = seeds.end.saturating_sub(wish.from);
    }
    Ok(None)
}

/// What is left out, as the command takes it: `a0,a3,f2`.
#[must_use]
pub fn words(left_out: &LeftOut) -> String {
    let actions = left_out.actions.iter().map(|idx| format!("a{idx}"));
    let mishaps = left_out.mishaps.iter().map(|number| format!("f{number}"));
    actions.chain(mishaps).collect::<Vec<_>>().join(",")
}

/// # Errors
/// If it is not a list as [`words`] writes it.
pub fn left_out(words: &str) -> Result<LeftOut> {
    let mut left_out = LeftOut::default();
    for word in words.split(',').filter(|word| !word.is_empty()) {
        match word.split_at_checked(1) {
            Some(("a", idx)) => drop(left_out.actions.insert(idx.parse()?)),
            Some(("f", number)) => drop(left_out.mishaps.insert(number.parse()?)),
            _ => bail!("{word:?} is neither an action (a3) nor a mishap (f3)"),
        }
    }
    Ok(left_out)
}
