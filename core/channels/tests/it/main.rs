//! Stories through the host's public door, with real components.

mod guests;
mod hostile;
mod install;
mod network;
mod sandbox;
mod wallet;
