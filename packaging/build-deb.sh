#!/usr/bin/env bash
# Makes target/debian/flowglass_*.deb. Needs cargo-deb (`cargo install cargo-deb`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --locked
target=${CARGO_TARGET_DIR:-target}
manual=$target/manual
rm -rf "$manual" && mkdir -p "$manual/man"
program=$target/release/flowglass
"$program" man "$manual/man"
"$program" completions bash >"$manual/flowglass.bash"
"$program" completions zsh >"$manual/_flowglass"
"$program" completions fish >"$manual/flowglass.fish"
exec cargo deb --no-build --locked "$@"
