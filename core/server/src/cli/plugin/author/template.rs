//! What a new channel begins with: the Sandbox Wallet's channel of each language, under its own name.

use std::path::Path;

/// What a channel is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    Rust,
    /// TypeScript, too.
    Javascript,
    Python,
}

/// Where a file goes, and what is in it. These channels are played by the test command, so that what is new always passes.
type File = (&'static str, &'static str);

/// A file, what stands in it, and what takes its place.
type Edit = (&'static str, &'static str, String);

const RUST: &[File] = &[
    ("src/lib.rs", include_str!("../../../../../../plugins/sandbox/src/lib.rs")),
    ("src/messages.rs", include_str!("../../../../../../plugins/sandbox/src/messages.rs")),
    ("src/messages/build.rs", include_str!("../../../../../../plugins/sandbox/src/messages/build.rs")),
    ("src/messages/page.rs", include_str!("../../../../../../plugins/sandbox/src/messages/page.rs")),
    ("src/messages/read.rs", include_str!("../../../../../../plugins/sandbox/src/messages/read.rs")),
    ("settings.schema.json", include_str!("../../../../../../plugins/sandbox/settings.schema.json")),
    ("Cargo.toml", CARGO),
    (".gitignore", "/target\n"),
];

const CARGO: &str = r#"[package]
name = "@name@"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"]
doctest = false

[dependencies]
saoma-channel-sdk = { path = "@sdk@/rust" }
serde = { version = "1", features = ["derive"] }
serde_json = "1"

[dev-dependencies]
insta = "1"

# The component is downloaded, hashed, compiled and kept by every node.
[profile.release]
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"

# It is nobody's member, wherever it lies.
[workspace]
"#;

const JAVASCRIPT: &[File] = &[
    ("package.json", include_str!("../../../../../../sdk/examples/js/package.json")),
    ("tsconfig.json", include_str!("../../../../../../sdk/examples/js/tsconfig.json")),
    ("settings.schema.json", include_str!("../../../../../../sdk/examples/js/settings.schema.json")),
    ("src/channel.ts", include_str!("../../../../../../sdk/examples/js/src/channel.ts")),
    ("src/messages/build.ts", include_str!("../../../../../../sdk/examples/js/src/messages/build.ts")),
    ("src/messages/page.ts", include_str!("../../../../../../sdk/examples/js/src/messages/page.ts")),
    ("src/messages/read.ts", include_str!("../../../../../../sdk/examples/js/src/messages/read.ts")),
    ("test/tsconfig.json", include_str!("../../../../../../sdk/examples/js/test/tsconfig.json")),
    ("test/orders.ts", include_str!("../../../../../../sdk/examples/js/test/orders.ts")),
    ("test/channel.test.ts", include_str!("../../../../../../sdk/examples/js/test/channel.test.ts")),
    ("test/build.test.ts", include_str!("../../../../../../sdk/examples/js/test/build.test.ts")),
    ("test/read.test.ts", include_str!("../../../../../../sdk/examples/js/test/read.test.ts")),
    (".gitignore", "node_modules\ndist\n"),
];

const PYTHON: &[File] = &[
    ("build.py", include_str!("../../../../../../sdk/examples/python/build.py")),
    ("pyproject.toml", include_str!("../../../../../../sdk/examples/python/pyproject.toml")),
    ("requirements.in", include_str!("../../../../../../sdk/examples/python/requirements.in")),
    ("requirements.txt", include_str!("../../../../../../sdk/examples/python/requirements.txt")),
    ("channel/__init__.py", include_str!("../../../../../../sdk/examples/python/sandbox/__init__.py")),
    (
        "channel/settings.schema.json",
        include_str!("../../../../../../sdk/examples/python/sandbox/settings.schema.json"),
    ),
    (
        "channel/messages/__init__.py",
        include_str!("../../../../../../sdk/examples/python/sandbox/messages/__init__.py"),
    ),
    ("channel/messages/build.py", include_str!("../../../../../../sdk/examples/python/sandbox/messages/build.py")),
    ("channel/messages/page.py", include_str!("../../../../../../sdk/examples/python/sandbox/messages/page.py")),
    ("channel/messages/read.py", include_str!("../../../../../../sdk/examples/python/sandbox/messages/read.py")),
    ("saoma_channel/__init__.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/__init__.py")),
    ("saoma_channel/failed.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/failed.py")),
    ("saoma_channel/json.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/json.py")),
    ("saoma_channel/money.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/money.py")),
    ("saoma_channel/sign.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/sign.py")),
    (
        "saoma_channel/standard_library.py",
        include_str!("../../../../../../sdk/examples/python/saoma_channel/standard_library.py"),
    ),
    ("saoma_channel/text.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/text.py")),
    ("saoma_channel/web.py", include_str!("../../../../../../sdk/examples/python/saoma_channel/web.py")),
    ("tests/__init__.py", include_str!("../../../../../../sdk/examples/python/tests/__init__.py")),
    ("tests/failures.py", include_str!("../../../../../../sdk/examples/python/tests/failures.py")),
    ("tests/orders.py", include_str!("../../../../../../sdk/examples/python/tests/orders.py")),
    ("tests/test_channel.py", include_str!("../../../../../../sdk/examples/python/tests/test_channel.py")),
    ("tests/test_page.py", include_str!("../../../../../../sdk/examples/python/tests/test_page.py")),
    ("tests/test_read.py", include_str!("../../../../../../sdk/examples/python/tests/test_read.py")),
    (".gitignore", ".venv\n.mypy_cache\n__pycache__\nbuild/\ndist\n"),
];

/// Each file of a new channel: where it goes in the channel's folder, and its text. `sdk`: Saoma's folder of that name.
pub(super) fn files(language: Language, name: &str, sdk: &Path) -> Vec<(&'static str, String)> {
    let (files, edits) = match language {
        Language::Rust => (RUST, rust(name, sdk)),
        Language::Javascript => (JAVASCRIPT, javascript(name, sdk)),
        Language::Python => (PYTHON, python(name, sdk)),
    };
    let edited = |(path, text): &File| {
        let edits = edits.iter().filter(|(file, ..)| file == path || (*file == ANY && path.ends_with(".py")));
        (*path, edits.fold((*text).to_owned(), |text, (_, from, to)| text.replace(from, to)))
    };
    files.iter().map(edited).collect()
}

/// In every module of Python.
const ANY: &str = "*";

fn rust(name: &str, sdk: &Path) -> Vec<Edit> {
    vec![
        ("Cargo.toml", "@name@", name.to_owned()),
        ("Cargo.toml", "@sdk@", sdk.display().to_string()),
        ("src/lib.rs", "`sandbox` channel", format!("`{name}` channel")),
        ("src/lib.rs", "id: \"sandbox\"", format!("id: {name:?}")),
        ("src/lib.rs", "name: \"Sandbox Wallet\"", format!("name: {name:?}")),
        ("src/lib.rs", "struct Sandbox;", "struct Channel;".to_owned()),
        ("src/lib.rs", "for Sandbox {", "for Channel {".to_owned()),
        ("src/lib.rs", "export!(Sandbox)", "export!(Channel)".to_owned()),
    ]
}

fn javascript(name: &str, sdk: &Path) -> Vec<Edit> {
    vec![
        ("package.json", "saoma-channel-sandbox-js", name.to_owned()),
        ("package.json", "file:../../js", format!("file:{}/js", sdk.display())),
        ("package.json", "dist/sandbox-js.wasm", format!("dist/{name}.wasm")),
        ("src/channel.ts", "`sandbox-js` channel", format!("`{name}` channel")),
        ("src/channel.ts", "id: 'sandbox-js'", format!("id: '{name}'")),
        ("src/channel.ts", "name: 'Sandbox Wallet (JavaScript)'", format!("name: '{name}'")),
        ("test/channel.test.ts", "assert.equal(id, 'sandbox-js')", format!("assert.equal(id, '{name}')")),
        (
            "test/build.test.ts",
            "// The same requests, to the letter, as the snapshots in plugins/sandbox/src/messages/build.rs.\n",
            String::new(),
        ),
    ]
}

fn python(name: &str, sdk: &Path) -> Vec<Edit> {
    let wit = format!("WIT = Path({:?}) / \"wit\" / \"0.2.0\"", sdk.display().to_string());
    vec![
        (ANY, "from sandbox", "from channel".to_owned()),
        (ANY, "sandbox-python", name.to_owned()),
        ("pyproject.toml", "\"sandbox\"", "\"channel\"".to_owned()),
        ("build.py", "CHANNEL = \"sandbox\"", "CHANNEL = \"channel\"".to_owned()),
        ("build.py", "WIT = FOLDER.parents[1] / \"wit\" / \"0.2.0\"", wit),
        ("channel/__init__.py", "name=\"Sandbox Wallet (Python)\"", format!("name={name:?}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an edit looks for is there, so that no example can change under it; and nothing keeps an example's name.
    #[test]
    fn a_new_channel_has_the_names_of_its_own() {
        let sdk = Path::new("/saoma/sdk");
        for (language, template, edits) in [
            (Language::Rust, RUST, rust("my-wallet", sdk)),
            (Language::Javascript, JAVASCRIPT, javascript("my-wallet", sdk)),
            (Language::Python, PYTHON, python("my-wallet", sdk)),
        ] {
            for (file, from, _) in edits {
                let is_there = |(path, text): &File| (*path == file || file == ANY) && text.contains(from);
                assert!(template.iter().any(is_there), "{language:?}: {file} has no {from}");
            }
            let files = files(language, "my-wallet", sdk);
            for left in
                ["sandbox-js", "sandbox-python", "@sdk@", "\"sandbox\"", "from sandbox", "struct Sandbox", "parents["]
            {
                let keeps = files.iter().find(|(_, text)| text.contains(left));
                assert!(keeps.is_none(), "{language:?}: {} has {left}", keeps.map_or("", |(path, _)| path));
            }
            assert!(files.iter().any(|(_, text)| text.contains("/saoma/sdk")), "{language:?}");
            assert!(files.iter().any(|(_, text)| text.contains("my-wallet")), "{language:?}");
        }
    }
}
