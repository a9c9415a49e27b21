//! `saoma plugin`, as an author meets it at the command line.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use crate::town;

pub fn saoma(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    told(program(folder, arguments))
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_saoma"));
    program.current_dir(folder).env_remove("SAOMA_TOKEN").args(arguments);
    program
}

fn told(mut program: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk");

#[test]
fn what_cannot_be_played_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    for (arguments, code, told) in [
        (&["plugin", "test", "missing.wasm", "--far-side", "true"][..], 2, "read the component missing.wasm"),
        (&["plugin", "test", "module.wasm", "--far-side", "true"], 2, "--target wasm32-wasip2"),
        (&["plugin", "test", "module.wasm", "--far-side", "'open"], 2, "open quote"),
        (&["plugin", "inspect", "module.wasm"], 2, "--target wasm32-wasip2"),
        (&["plugin", "test", "module.wasm", "--far-side", "true", "--settings", "a.json"], 2, "cannot be used with"),
        (&["plugin", "test", "module.wasm", "--settings", "missing.json"], 2, "read the settings missing.json"),
        (&["plugin", "new", "my-rules", "--sdk", SDK, "--kind", "rules", "--language", "python"], 1, "in Rust alone"),
        (&["plugin", "new", "No Name"], 1, "2 to 32 lower-case letters"),
        (&["plugin", "new", "my-wallet"], 1, "--sdk"),
        (&["plugin", "build"], 1, "no Cargo.toml"),
    ] {
        let (given, stdout, stderr) = saoma(folder.path(), arguments);
        assert_eq!(given, code, "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
        assert!(stdout.is_empty(), "{arguments:?}: {stdout}");
    }
}

#[test]
fn a_new_channel_lies_in_a_folder_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options, file, has) in [
        ("in-rust", &[][..], "src/lib.rs", "id: \"in-rust\".to_owned()"),
        ("in-js", &["--language", "javascript"], "src/channel.ts", "id: 'in-js'"),
        ("in-python", &["--language", "python"], "channel/__init__.py", "id=\"in-python\""),
        ("own-rules", &["--kind", "rules"], "src/lib.rs", "id: \"own-rules\".to_owned()"),
        // An old Node is refused by npm.
        ("of-node", &["--language", "javascript"], ".npmrc", "engine-strict=true"),
        ("with-engines", &["--language", "javascript"], "package.json", "\"node\": \">=20.19\""),
    ] {
        let arguments = [&["plugin", "new", name, "--sdk", SDK][..], options].concat();
        let (code, stdout, stderr) = saoma(folder.path(), &arguments);
        assert_eq!((code, stdout), (0, format!("{name}\n")), "{stderr}");
        let text = fs::read_to_string(folder.path().join(name).join(file)).unwrap();
        assert!(text.contains(has), "{text}");
        let (code, _, stderr) = saoma(folder.path(), &arguments);
        assert!(code == 1 && stderr.contains("is there already"), "{stderr}");
    }
    let (code, _, stderr) = saoma(folder.path(), &["plugin", "new", "in-cobol", "--sdk", SDK, "--language", "cobol"]);
    assert!(code == 2 && stderr.contains("javascript"), "{stderr}");
}

/// A machine without a language's tools, one whose Rust lacks the target, and one without the far side.
#[test]
fn the_walk_says_what_the_machine_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for tools in ["none", "failing"] {
        fs::create_dir(at(tools)).unwrap();
    }
    fs::write(at("failing/cargo"), "#!/bin/sh\nexit 101\n").unwrap();
    fs::set_permissions(at("failing/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, language, tools, what) in [
        ("in-rust", "rust", "none", "install Rust, https://rustup.rs"),
        ("in-js", "javascript", "none", "install Node 20.19 or newer"),
        ("in-python", "python", "none", "install Python 3.11 or newer with venv"),
        ("of-rust", "rust", "failing", "rustup target add wasm32-wasip2"),
    ] {
        let arguments = ["plugin", "new", name, "--sdk", SDK, "--language", language];
        let (code, _, stderr) = saoma(folder.path(), &arguments);
        assert!(code == 0 && stderr.contains("saoma plugin test . --far-side"), "{stderr}");
        for (command, wanted) in [("build", 1), ("test", 2)] {
            let mut build = program(folder.path(), &["plugin", command, name]);
            build.env("PATH", at(tools));
            let (code, stdout, stderr) = told(build);
            assert!(code == wanted && stdout.is_empty() && stderr.contains(what), "{command} {name}: {stderr}");
        }
    }
    let component = town::plugins().join("sandbox.wasm");
    let arguments = ["plugin", "test", component.to_str().unwrap(), "--far-side", "no-such-program wallet"];
    let (code, _, stderr) = saoma(folder.path(), &arguments);
    assert!(
        code == 2 && stderr.contains("no-such-program") && stderr.contains("cargo build --bin saoma-schemes"),
        "{stderr}"
    );
}

#[test]
fn the_cases_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = saoma(folder.path(), &["plugin", "test", "--list"]);
    assert_eq!(code, 0);
    assert!(stdout.lines().count() > 100 && stdout.lines().any(|name| name == "charge-lost-answer-silent"), "{stdout}");
}

/// A key, a signature and what they refuse, without a component that passes: that takes the whole kit.
#[test]
fn a_publishers_key_is_made_once_and_kept_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (code, public, stderr) = saoma(folder.path(), &["plugin", "keygen", "me.pem"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(public.starts_with("Key-Id: ") && public.contains("-----BEGIN PUBLIC KEY-----"), "{public}");
    let private = fs::read_to_string(at("me.pem")).unwrap();
    assert_eq!(fs::metadata(at("me.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    // What is printed is the public half of what is written, whoever reads it.
    let openssl = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(at("me.pem")).output().unwrap();
    assert!(openssl.status.success() && public.ends_with(std::str::from_utf8(&openssl.stdout).unwrap()), "{public}");
    let (code, stdout, stderr) = saoma(folder.path(), &["plugin", "keygen", "me.pem"]);
    assert!(code == 1 && stdout.is_empty() && stderr.contains("is there already"), "{stderr}");
    assert_eq!(fs::read_to_string(at("me.pem")).unwrap(), private, "the key is as it was");

    fs::write(at("my.wasm"), b"\0asm").unwrap();
    fs::write(at("report.json"), "{}").unwrap();
    fs::write(at("whole.json"), WHOLE_REPORT).unwrap();
    fs::write(at("public.pem"), &public).unwrap();
    fs::write(at("open.pem"), &private).unwrap();
    fs::set_permissions(at("open.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(at("public.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    for (report, key, told) in [
        ("missing.json", "me.pem", "read missing.json"),
        ("report.json", "me.pem", "saoma plugin test --json"),
        ("whole.json", "missing.pem", "read the key missing.pem"),
        ("whole.json", "open.pem", "chmod 600 open.pem"),
        ("whole.json", "public.pem", "not an Ed25519 private key"),
        ("whole.json", "me.pem", "cannot be installed"),
    ] {
        let arguments = ["plugin", "sign", "my.wasm", "--report", report, "--key", key];
        let (code, stdout, stderr) = saoma(folder.path(), &arguments);
        assert!(code == 2 && stdout.is_empty() && stderr.contains(told), "{report}, {key}: {stderr}");
        assert!(!stderr.contains(private.lines().nth(1).unwrap()), "the key is not shown");
        assert!(!at("my.wasm.saoma.json").exists());
    }
}

/// As a kit writes it that had nothing to play.
const WHOLE_REPORT: &str = r#"{"format": 1, "plugin": "my", "version": "1.0.0", "content_hash": "", "contract": "0.2.0", "kit": "",
    "passed": 0, "failed": 0, "skipped": 0, "cases": []}"#;

#[test]
fn a_token_goes_to_the_core_that_was_named_and_to_nobody_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "ak_1.secret\n").unwrap();
    // A port where nobody listens: it was bound and is free again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    for (to, token, told) in [
        ("http://pay.example.com", &["--token-file", "token"][..], "https://"),
        ("https://pay.example.com", &[], "SAOMA_TOKEN"),
        ("https://pay.example.com", &["--token-file", "missing"], "read missing"),
        (&nobody, &["--token-file", "token"], "ask the core at"),
    ] {
        let arguments = [&["plugin", "status", "--to", to], token].concat();
        let (code, stdout, stderr) = saoma(folder.path(), &arguments);
        assert!(code == 1 && stdout.is_empty() && stderr.contains(told), "{to}: {stderr}");
        assert!(!stderr.contains("secret"), "{stderr}");
    }
}
