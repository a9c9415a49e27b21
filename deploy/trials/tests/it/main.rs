//! The simulator's own tests. What it plays is played by `cargo xtask simulate`.

mod simulator;
