//! A shorter run that fails of the same: actions and mishaps are left out as long as it does.

use std::path::Path;

use anyhow::Result;

use super::{
    plan::Plan,
    template::Template,
    world::{Game, LeftOut, Outcome, play},
};

/// Most runs that a search may take.
const RUNS_MAX: u32 = 600;

/// The smallest run found that breaks the same promise, and what it leaves out.
///
/// # Errors
/// As [`play`].
pub fn shrink(template: &Template, room: &Path, game: &Game, failed: &Outcome) -> Result<LeftOut> {
    let promise = failed.broken.first().map(|broken| broken.promise);
    let mut n_runs = 0;
    let mut left_out = LeftOut::default();
    let mut fails = |left_out: &LeftOut| -> Result<Option<usize>> {
        n_runs += 1;
        if n_runs > RUNS_MAX {
            return Ok(None);
        }
        let outcome = play(template, room, &Game { left_out: left_out.clone(), ..game.clone() }, false)?;
        let same = outcome.broken.first().map(|broken| broken.promise) == promise;
        Ok(same.then_some(outcome.struck.len()))
    };
    let mut n_struck = failed.struck.len();
    let n_actions = Plan::draw(game.seed).actions.len();
    let mut size = (n_actions + n_struck).max(1);
    while size >= 1 {
        let mut from = 0;
        // Actions first: what they cause goes with them.
        while from < n_actions + n_struck {
            let mut attempt = left_out.clone();
            for idx in from..(from + size).min(n_actions + n_struck) {
                if idx < n_actions {
                    attempt.actions.insert(idx);
                } else {
                    attempt.mishaps.insert(u32::try_from(idx - n_actions).unwrap_or(u32::MAX));
                }
            }
            if attempt != left_out
                && let Some(struck) = fails(&attempt)?
            {
                left_out = attempt;
                n_struck = struck;
            }
            from += size;
        }
        size /= 2;
    }
    Ok(left_out)
}
