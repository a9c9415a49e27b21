//! The table that `demo --once` ends in.

use std::time::Duration;

use anyhow::Error;

pub struct Outcome {
    pub name: &'static str,
    pub took: Duration,
    pub failed: Option<Error>,
}

/// Prints the table on standard output; the answer is how many failed.
pub fn print(outcomes: &[Outcome]) -> usize {
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
    println!("{:<width$}  outcome  time", "scenario");
    for Outcome { name, took, failed } in outcomes {
        let outcome = if failed.is_some() { "FAILED" } else { "ok" };
        println!("{name:<width$}  {outcome:<7}  {:>5.1} s", took.as_secs_f64());
    }
    let n_failed = outcomes.iter().filter(|outcome| outcome.failed.is_some()).count();
    let took: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    println!("{} scenarios, {n_failed} failed, {:.1} s", outcomes.len(), took.as_secs_f64());
    for Outcome { name, failed, .. } in outcomes {
        if let Some(error) = failed {
            println!("\n{name} failed: {error:#}");
        }
    }
    n_failed
}
