//! A scale that is not there: what lies on it stands in a file, so that a test, a script or a hand can put goods on it.

use std::{fs, io};

use super::{Grams, Weighing, health_of};
use crate::peripherals::{PeripheralError, PeripheralHealth, Scale, line::failure};

pub const DRIVER: &str = "simulated";

pub struct SimulatedScale {
    path: String,
}

impl SimulatedScale {
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned() }
    }

    fn device(&self) -> String {
        format!("the simulated scale at {}", self.path)
    }
}

impl Scale for SimulatedScale {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn weigh(&mut self) -> Result<Weighing, PeripheralError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            // Nobody has put anything on it yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(empty()),
            Err(error) => return Err(failure(&self.device(), &error)),
        };
        weighing(text.trim()).ok_or_else(|| PeripheralError::Unable {
            device: self.device(),
            why: "its file holds grams, in motion, over capacity, under zero or not zeroed, and nothing else"
                .to_owned(),
        })
    }

    fn health(&mut self) -> PeripheralHealth {
        health_of(self)
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok(format!("{} (simulated: it stands in {})", self.weigh()?, self.path))
    }
}

const fn empty() -> Weighing {
    Weighing::Stable { grams: Grams(0), net: false }
}

fn weighing(text: &str) -> Option<Weighing> {
    Some(match text {
        "" => empty(),
        "in motion" => Weighing::InMotion,
        "over capacity" => Weighing::OverCapacity,
        "under zero" => Weighing::UnderZero,
        "not zeroed" => Weighing::NotZeroed,
        grams => Weighing::Stable { grams: Grams(grams.parse().ok()?), net: false },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_file_lies_on_the_scale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scale");
        let mut scale = SimulatedScale::new(path.to_str().unwrap());
        assert_eq!(scale.weigh(), Ok(empty()));
        for (text, weighing) in [
            ("1250\n", Weighing::Stable { grams: Grams(1_250), net: false }),
            ("in motion", Weighing::InMotion),
            ("over capacity", Weighing::OverCapacity),
            ("under zero", Weighing::UnderZero),
            ("not zeroed", Weighing::NotZeroed),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(scale.weigh(), Ok(weighing), "{text}");
        }
        for text in ["a kilo", "-5", "1.5"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(scale.weigh(), Err(PeripheralError::Unable { .. })), "{text}");
        }
        assert!(scale.self_test().is_err());
    }
}
