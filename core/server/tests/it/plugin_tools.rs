//! `saoma plugin`, as an author meets it at the command line.

use std::{
    fs,
    process::{Command, Output},
};

fn saoma(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_saoma")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn what_cannot_be_played_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    for (arguments, code, told) in [
        (&["plugin", "test", "missing.wasm", "--far-side", "true"][..], 2, "read the component missing.wasm"),
        (&["plugin", "test", "module.wasm", "--far-side", "true"], 2, "--target wasm32-wasip2"),
        (&["plugin", "test", "module.wasm", "--far-side", "'open"], 2, "open quote"),
        (&["plugin", "inspect", "module.wasm"], 2, "--target wasm32-wasip2"),
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
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk");
    for (name, language, file, names_itself) in [
        ("in-rust", None, "src/lib.rs", "id: \"in-rust\".to_owned()"),
        ("in-js", Some("javascript"), "src/channel.ts", "id: 'in-js'"),
        ("in-python", Some("python"), "channel/__init__.py", "id=\"in-python\""),
    ] {
        let mut arguments = vec!["plugin", "new", name, "--sdk", sdk];
        arguments.extend(language.map(|_| "--language").into_iter().chain(language));
        let (code, stdout, stderr) = saoma(folder.path(), &arguments);
        assert_eq!((code, stdout), (0, format!("{name}\n")), "{stderr}");
        let text = fs::read_to_string(folder.path().join(name).join(file)).unwrap();
        assert!(text.contains(names_itself), "{text}");
        let (code, _, stderr) = saoma(folder.path(), &arguments);
        assert!(code == 1 && stderr.contains("is there already"), "{stderr}");
    }
    let (code, _, stderr) = saoma(folder.path(), &["plugin", "new", "in-cobol", "--sdk", sdk, "--language", "cobol"]);
    assert!(code == 2 && stderr.contains("javascript"), "{stderr}");
}

#[test]
fn the_cases_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = saoma(folder.path(), &["plugin", "test", "--list"]);
    assert_eq!(code, 0);
    assert!(stdout.lines().count() > 100 && stdout.lines().any(|name| name == "charge-lost-answer-silent"), "{stdout}");
}
