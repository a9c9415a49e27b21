//! The far sides from outside: rules as tables, wires with signatures worked out here, and the process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acquirer;
mod alipay;
mod books;
mod customer;
mod door;
mod faults;
mod lightning;
mod merchant;
mod pix;
mod process;
mod shop;
mod unionpay;
mod wechatpay;
