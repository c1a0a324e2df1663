# Two stages: a Debian with Rust builds, a small Debian without a shell's toolchain runs.
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
# The manifest names a test and a bench; they are not built here, but cargo wants to see their files.
COPY tests ./tests
COPY benches ./benches
RUN cargo build --release --locked --bin postern && install -D target/release/postern /out/postern

FROM debian:bookworm-slim
COPY --from=build /out/postern /usr/local/bin/postern
# Any UID may run it: nothing below is written at run time but /srv/postern, which is meant to be a mounted folder.
RUN mkdir -p /srv/postern/data && chmod -R 0777 /srv/postern
WORKDIR /srv/postern
ENV POSTERN_SERVER__LISTEN=0.0.0.0:9000 \
    POSTERN_ADMIN__LISTEN=127.0.0.1:9001
USER 10001:10001
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["postern", "health"]
ENTRYPOINT ["postern"]
# Without keys and without a policy file: keys for this run, printed.
CMD ["serve", "--generate-keys"]
