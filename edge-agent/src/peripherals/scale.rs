//! Scales: what they say of the goods on them.

pub mod mt8217;
pub mod simulated;

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

pub use saoma_protocol::Grams;
use serde::Serialize;

use super::{PeripheralError, PeripheralHealth, PeripheralState, Scale, health};

/// Pause before goods that still move are weighed again.
const MOVING_PAUSE: Duration = Duration::from_millis(250);

/// What a scale says. Only [`Weighing::Stable`] may be sold by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Weighing {
    /// `net`: without a tare that the scale was told.
    Stable {
        grams: Grams,
        net: bool,
    },
    /// The goods, or the hand on them, still move.
    InMotion,
    OverCapacity,
    /// Lighter than empty: something that stood there was taken away, or a tare is still set.
    UnderZero,
    /// It was switched on with something on it, and does not know where zero is.
    NotZeroed,
}

impl fmt::Display for Weighing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stable { grams, net: false } => write!(f, "{grams}"),
            Self::Stable { grams, net: true } => write!(f, "{grams} without the tare"),
            Self::InMotion => f.write_str("nothing yet: what is on the scale moves"),
            Self::OverCapacity => f.write_str("nothing: this is more than the scale can weigh"),
            Self::UnderZero => {
                f.write_str("nothing: the scale is below zero; empty it, clear its tare and set it to zero")
            }
            Self::NotZeroed => f.write_str("nothing: the scale has no zero; empty it and set it to zero"),
        }
    }
}

/// Weighs until the goods are at rest, or until `deadline`: then they are [`Weighing::InMotion`].
///
/// # Errors
/// As [`Scale::weigh`].
pub fn at_rest(scale: &mut dyn Scale, deadline: Instant) -> Result<Weighing, PeripheralError> {
    loop {
        let weighing = scale.weigh()?;
        if weighing != Weighing::InMotion || Instant::now() + MOVING_PAUSE >= deadline {
            return Ok(weighing);
        }
        thread::sleep(MOVING_PAUSE);
    }
}

/// How a scale does, by how it answers.
fn health_of(scale: &mut dyn Scale) -> PeripheralHealth {
    let driver = scale.driver();
    match scale.weigh() {
        Ok(Weighing::NotZeroed) => {
            let detail = "the scale has no zero; empty it and set it to zero";
            health("scale", driver, PeripheralState::Warning, detail)
        }
        // Too much, too little or a hand on it is the goods' matter.
        Ok(_) => health("scale", driver, PeripheralState::Ok, ""),
        Err(error) => health("scale", driver, PeripheralState::Failed, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says the next of these each time.
    struct Says(Vec<Weighing>);

    impl Scale for Says {
        fn driver(&self) -> &'static str {
            "says"
        }
        fn weigh(&mut self) -> Result<Weighing, PeripheralError> {
            Ok(if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] })
        }
        fn health(&mut self) -> PeripheralHealth {
            health_of(self)
        }
        fn self_test(&mut self) -> Result<String, PeripheralError> {
            Ok(String::new())
        }
    }

    #[test]
    fn weights_are_shown_as_the_scale_shows_them() {
        for (grams, shown) in [(0, "0.000 kg"), (5, "0.005 kg"), (1_250, "1.250 kg"), (15_000, "15.000 kg")] {
            assert_eq!(Grams(grams).to_string(), shown);
        }
        let net = Weighing::Stable { grams: Grams(80), net: true };
        assert_eq!(
            serde_json::to_value(net).unwrap(),
            serde_json::json!({"state": "stable", "grams": 80, "net": true})
        );
    }

    #[test]
    fn goods_are_waited_for_until_they_rest_and_not_for_ever() {
        let rest = Weighing::Stable { grams: Grams(300), net: false };
        let soon = || Instant::now() + 4 * MOVING_PAUSE;
        let mut scale = Says(vec![Weighing::InMotion, Weighing::InMotion, rest]);
        assert_eq!(at_rest(&mut scale, soon()), Ok(rest));
        assert_eq!(at_rest(&mut Says(vec![Weighing::OverCapacity]), soon()), Ok(Weighing::OverCapacity));
        let (began, deadline) = (Instant::now(), soon());
        assert_eq!(at_rest(&mut Says(vec![Weighing::InMotion]), deadline), Ok(Weighing::InMotion));
        assert!(began.elapsed() <= 4 * MOVING_PAUSE);
    }

    #[test]
    fn a_scale_without_a_zero_wants_attention_and_one_with_too_much_on_it_does_not() {
        for (says, state) in [
            (Weighing::NotZeroed, PeripheralState::Warning),
            (Weighing::OverCapacity, PeripheralState::Ok),
            (Weighing::UnderZero, PeripheralState::Ok),
            (Weighing::InMotion, PeripheralState::Ok),
        ] {
            assert_eq!(Says(vec![says]).health().state, state, "{says:?}");
        }
    }
}
