# What CI runs, by name. `just` alone lists the recipes.

_default:
    @just --list

# Start the gateway on the shipped configuration.
serve:
    cargo run --release -- serve

# Everything that CI runs.
ci:
    bash .ci/run

# The tests, as the README names them.
test:
    cargo test

# Formatting, lints and the docs, with warnings as errors.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# The cost of each stage of a request.
bench:
    cargo bench --bench stages

# How many instructions each stage takes, against those of the last time.
instructions:
    benches/instructions/run

# Run each fuzz target for SECONDS (needs the nightly toolchain and cargo-fuzz).
fuzz SECONDS="30":
    bash fuzz/run {{SECONDS}}

# A mixed load for SECONDS, every byte compared.
soak SECONDS="1800":
    tests/soak/run --seconds {{SECONDS}}

# The Debian package.
deb:
    packaging/deb/build

# The Debian package, installed, used, upgraded and purged in a Debian of its own (root, debootstrap).
deb-try:
    packaging/deb/try

# One static binary (musl-tools).
musl:
    packaging/musl/build

# A quicker binary for a release, built with a profile of itself at work (cargo-pgo, llvm-tools).
profile-guided:
    packaging/profile-guided/build

# docs/DEPLOY.md, command by command, and what the image promises (root).
deploy:
    tests/deploy/run
    tests/container/run

# The container image.
image:
    docker build -t postern .
