//! The plugins' compiled code, made once for all towns: each would compile the same components for a second of its own.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use saoma_channels::{CallsMax, Host, HostConfig};
use tokio::sync::OnceCell;

use crate::town::plugins;

/// Puts what core has compiled into its data folder before it starts, as if it had run there before.
pub async fn bring_along(data: &Path) {
    static COMPILED: OnceCell<PathBuf> = OnceCell::const_new();
    let compiled = COMPILED.get_or_init(compile).await;
    let cache = data.join("plugin-cache");
    DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    for file in fs::read_dir(compiled).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), cache.join(file.file_name())).unwrap();
    }
}

async fn compile() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compiled-plugins-{}", std::process::id()));
    let host = Host::new(HostConfig { calls_max: CallsMax::of(8), ..HostConfig::new(&folder) }).unwrap();
    for file in fs::read_dir(plugins()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            host.install(&fs::read(path).unwrap()).await.unwrap();
        }
    }
    folder
}
