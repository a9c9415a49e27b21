//! Customer displays. The second screen is the till's own page `/display`, which needs no driver.

pub mod page;
pub mod simulated;
pub mod vfd;
