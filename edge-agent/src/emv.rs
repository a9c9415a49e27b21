//! Chip cards (EMV 4.3, contact): what a terminal whose sales the issuer decides needs to know of one.
//!
//! Done: the directory of applications and the list of those accepted (Book 1, section 12), reading the application (Book 3,
//! sections 10.1 and 10.2), dates (10.4), how the holder is verified (10.5), and the application cryptogram that asks the issuer
//! (10.8). Every sale asks the issuer, at once or when the shop forwards it: the floor limit is 0.
//!
//! Not done: offline data authentication (10.3; the terminal verification results say so to the issuer), checks of versions and of
//! usage control (10.4.1, 10.4.2), random selection and velocity checks (10.6.2, 10.6.3), PINs that the card checks itself, the
//! issuer's answer to the card with the second cryptogram and its scripts (10.9, 10.10: core has no way for them back to the
//! terminal), contactless cards. Nothing here is certified by a scheme.
//!
//! Pure: the card is whatever answers commands, the holder whoever answers questions.

pub mod apdu;
pub mod applet;
mod cvm;
pub mod kernel;
mod select;
mod terminal;
pub mod tlv;

pub use terminal::{Purchase, Terminal, day_and_time};
