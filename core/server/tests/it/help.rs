//! `--help`, as a person reads it who has just got the program.

use std::process::Command;

#[test]
fn help_teaches() {
    let commands: [&[&str]; 30] = [
        &[],
        &["serve"],
        &["config"],
        &["openapi"],
        &["ledger"],
        &["ledger", "check"],
        &["admin"],
        &["admin", "reset-password"],
        &["keys"],
        &["keys", "list"],
        &["keys", "rotate-master"],
        &["keys", "rotate-tenant"],
        &["keys", "rotate-sessions"],
        &["audit"],
        &["audit", "verify"],
        &["audit", "anchor"],
        &["plugin"],
        &["plugin", "new"],
        &["plugin", "build"],
        &["plugin", "test"],
        &["plugin", "inspect"],
        &["plugin", "keygen"],
        &["plugin", "sign"],
        &["plugin", "trust"],
        &["plugin", "publish"],
        &["plugin", "install"],
        &["plugin", "promote"],
        &["plugin", "rollback"],
        &["plugin", "retire"],
        &["plugin", "status"],
    ];
    let help = commands.map(|command| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_saoma"));
        let told = program.args(command).arg("--help").output().unwrap();
        assert!(told.status.success() && told.stderr.is_empty(), "{command:?}");
        format!("$ saoma {} --help\n{}", command.join(" "), String::from_utf8(told.stdout).unwrap())
    });
    insta::assert_snapshot!(help.join("\n"));
}
