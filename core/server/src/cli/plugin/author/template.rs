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

/// A file of the repository, by the folder that it lies in and the path in there, which a new channel's is too if no other is given.
macro_rules! file {
    ($folder:literal, $path:literal) => {
        file!($folder, $path, $path)
    };
    ($folder:literal, $path:literal, $to:literal) => {
        ($to, include_str!(concat!("../../../../../../", $folder, $path)))
    };
}

/// A file, what stands in it, and what takes its place.
type Edit = (&'static str, &'static str, String);

const RUST: &[File] = &[
    file!("plugins/sandbox/", "src/lib.rs"),
    file!("plugins/sandbox/", "src/messages.rs"),
    file!("plugins/sandbox/", "src/messages/build.rs"),
    file!("plugins/sandbox/", "src/messages/page.rs"),
    file!("plugins/sandbox/", "src/messages/read.rs"),
    file!("plugins/sandbox/", "settings.schema.json"),
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
    file!("sdk/examples/js/", "package.json"),
    file!("sdk/examples/js/", "tsconfig.json"),
    file!("sdk/examples/js/", "settings.schema.json"),
    file!("sdk/examples/js/", "src/channel.ts"),
    file!("sdk/examples/js/", "src/messages/build.ts"),
    file!("sdk/examples/js/", "src/messages/page.ts"),
    file!("sdk/examples/js/", "src/messages/read.ts"),
    file!("sdk/examples/js/", "test/tsconfig.json"),
    file!("sdk/examples/js/", "test/orders.ts"),
    file!("sdk/examples/js/", "test/channel.test.ts"),
    file!("sdk/examples/js/", "test/build.test.ts"),
    file!("sdk/examples/js/", "test/read.test.ts"),
    // An old Node is refused by name, where it would otherwise fail in the middle of the build.
    (".npmrc", "engine-strict=true\n"),
    (".gitignore", "node_modules\ndist\n"),
];

const PYTHON: &[File] = &[
    file!("sdk/examples/python/", "build.py"),
    file!("sdk/examples/python/", "pyproject.toml"),
    file!("sdk/examples/python/", "requirements.in"),
    file!("sdk/examples/python/", "requirements.txt"),
    file!("sdk/examples/python/", "sandbox/__init__.py", "channel/__init__.py"),
    file!("sdk/examples/python/", "sandbox/settings.schema.json", "channel/settings.schema.json"),
    file!("sdk/examples/python/", "sandbox/messages/__init__.py", "channel/messages/__init__.py"),
    file!("sdk/examples/python/", "sandbox/messages/build.py", "channel/messages/build.py"),
    file!("sdk/examples/python/", "sandbox/messages/page.py", "channel/messages/page.py"),
    file!("sdk/examples/python/", "sandbox/messages/read.py", "channel/messages/read.py"),
    file!("sdk/examples/python/", "saoma_channel/__init__.py"),
    file!("sdk/examples/python/", "saoma_channel/failed.py"),
    file!("sdk/examples/python/", "saoma_channel/json.py"),
    file!("sdk/examples/python/", "saoma_channel/money.py"),
    file!("sdk/examples/python/", "saoma_channel/sign.py"),
    file!("sdk/examples/python/", "saoma_channel/standard_library.py"),
    file!("sdk/examples/python/", "saoma_channel/text.py"),
    file!("sdk/examples/python/", "saoma_channel/web.py"),
    file!("sdk/examples/python/", "tests/__init__.py"),
    file!("sdk/examples/python/", "tests/failures.py"),
    file!("sdk/examples/python/", "tests/orders.py"),
    file!("sdk/examples/python/", "tests/test_channel.py"),
    file!("sdk/examples/python/", "tests/test_page.py"),
    file!("sdk/examples/python/", "tests/test_read.py"),
    (".gitignore", ".venv\n.mypy_cache\n__pycache__\nbuild/\ndist\n"),
];

/// A merchant's rules: the worked example's, which the test command plays as well.
const RULES: &[File] = &[
    file!("plugins/canteen-rules/", "src/lib.rs"),
    file!("plugins/canteen-rules/", "src/rules.rs"),
    file!("plugins/canteen-rules/", "settings.schema.json"),
    file!("plugins/canteen-rules/", "settings.example.json"),
    ("Cargo.toml", CARGO),
    (".gitignore", "/target\n"),
];

/// What a new plugin is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Channel,
    /// A merchant's own: price, account, risk, receipt; in Rust.
    Rules,
}

/// Each file of new rules: where it goes in their folder, and its text. `sdk`: Saoma's folder of that name.
pub(super) fn rules(name: &str, sdk: &Path) -> Vec<(&'static str, String)> {
    edited(RULES, &of_rules(name, sdk))
}

/// Each file of a new channel: where it goes in the channel's folder, and its text. `sdk`: Saoma's folder of that name.
pub(super) fn files(language: Language, name: &str, sdk: &Path) -> Vec<(&'static str, String)> {
    let (files, edits) = match language {
        Language::Rust => (RUST, rust(name, sdk)),
        Language::Javascript => (JAVASCRIPT, javascript(name, sdk)),
        Language::Python => (PYTHON, python(name, sdk)),
    };
    edited(files, &edits)
}

fn edited(files: &[File], edits: &[Edit]) -> Vec<(&'static str, String)> {
    let edited = |(path, text): &File| {
        let edits = edits.iter().filter(|(file, ..)| file == path || (*file == ANY && path.ends_with(".py")));
        (*path, edits.fold((*text).to_owned(), |text, (_, from, to)| text.replace(from, to)))
    };
    files.iter().map(edited).collect()
}

/// In every module of Python.
const ANY: &str = "*";

fn of_rules(name: &str, sdk: &Path) -> Vec<Edit> {
    vec![
        ("Cargo.toml", "@name@", name.to_owned()),
        ("Cargo.toml", "@sdk@", sdk.display().to_string()),
        ("Cargo.toml", "serde_json = \"1\"\n\n[dev-dependencies]\ninsta = \"1\"\n", String::new()),
        ("src/lib.rs", "A canteen's own rules, the worked example of", format!("`{name}`, rules in")),
        ("src/lib.rs", "id: \"canteen-rules\"", format!("id: {name:?}")),
        ("src/lib.rs", "name: \"Canteen rules\"", format!("name: {name:?}")),
        ("src/lib.rs", "CanteenRules", "Rules".to_owned()),
        ("settings.schema.json", "\"title\": \"Canteen rules\"", format!("\"title\": {name:?}")),
    ]
}

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
            (Language::Rust, RULES, of_rules("my-wallet", sdk)),
        ] {
            for (file, from, _) in edits {
                let is_there = |(path, text): &File| (*path == file || file == ANY) && text.contains(from);
                assert!(template.iter().any(is_there), "{language:?}: {file} has no {from}");
            }
            let files = if template == RULES { rules("my-wallet", sdk) } else { files(language, "my-wallet", sdk) };
            for left in [
                "sandbox-js",
                "sandbox-python",
                "@sdk@",
                "\"sandbox\"",
                "from sandbox",
                "struct Sandbox",
                "parents[",
                "anteen",
            ] {
                let keeps = files.iter().find(|(_, text)| text.contains(left));
                assert!(keeps.is_none(), "{language:?}: {} has {left}", keeps.map_or("", |(path, _)| path));
            }
            assert!(files.iter().any(|(_, text)| text.contains("/saoma/sdk")), "{language:?}");
            assert!(files.iter().any(|(_, text)| text.contains("my-wallet")), "{language:?}");
        }
    }
}
