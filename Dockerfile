# Two stages: a Debian with Rust builds, a small Debian without a shell's toolchain runs.
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
# `postern init` writes the shipped configuration.
COPY config.toml ./
# The manifest names a test, examples and a bench; they are not built here, but cargo wants to see their files.
COPY tests ./tests
COPY benches ./benches
RUN cargo build --release --locked --bin postern && install -D target/release/postern /out/postern

FROM debian:bookworm-slim
COPY --from=build /out/postern /usr/local/bin/postern
# Any UID may run it, and everything may be mounted read-only (docker run --read-only) but two volumes: the data, and the audit trail. A new volume takes
# owner and mode of its folder here; a folder of the host's must belong to the UID that it is run as.
RUN mkdir -p /srv/postern/data /srv/postern/audit && chmod 1777 /srv/postern/data /srv/postern/audit
WORKDIR /srv/postern
VOLUME ["/srv/postern/data", "/srv/postern/audit"]
# Users name buckets in the data folder, so the trail has a folder of its own. It is kept where there is a policy file.
ENV POSTERN_SERVER__LISTEN=0.0.0.0:9000 \
    POSTERN_ADMIN__LISTEN=127.0.0.1:9001 \
    POSTERN_STORAGE__ROOT=/srv/postern/data \
    POSTERN_AUDIT__FILE=/srv/postern/audit/audit.jsonl
USER 10001:10001
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["postern", "health"]
ENTRYPOINT ["postern"]
# Without keys and without a policy file: keys for this run, printed.
CMD ["serve", "--generate-keys"]
