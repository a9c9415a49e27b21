//! The Sandbox Wallet from outside: its rules as tables, its wire with signatures worked out here, and its process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alipay;
mod books;
mod customer;
mod faults;
mod merchant;
mod process;
mod shop;
