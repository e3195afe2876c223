# syntax=docker/dockerfile:1.7
# The server, the seeder and the web viewer in one image. Build it from the repository's root:
#   docker build -f docker/server.Dockerfile -t rowcast .

# ---- Tools --------------------------------------------------------------------------------------
FROM rust:1.95.0-bookworm AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends brotli \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY rust-toolchain.toml ./
RUN rustup toolchain install && rustup target add wasm32-unknown-unknown

# ---- Dependencies: rebuilt only when a manifest or the lock file changes --------------------------
FROM tools AS dependencies
COPY Cargo.toml Cargo.lock ./
COPY bench/Cargo.toml bench/
COPY client-egui/Cargo.toml client-egui/
COPY e2e/Cargo.toml e2e/
COPY migrations/Cargo.toml migrations/
COPY private-postgres/Cargo.toml private-postgres/
COPY protocol/Cargo.toml protocol/
COPY seed/Cargo.toml seed/
COPY server/Cargo.toml server/
COPY view-index/Cargo.toml view-index/
COPY docker/empty-sources.sh docker/
RUN docker/empty-sources.sh \
 && cargo build --locked --release --package server --package seed \
 && cargo build --locked --profile web --target wasm32-unknown-unknown --package client-egui --lib

# ---- The project itself ---------------------------------------------------------------------------
FROM dependencies AS build
COPY . .
# Cargo compares times: the real sources must look newer than what the empty ones built.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} +
# There is no repository in here to ask: docker build --build-arg ROWCAST_GIT_SHA=$(git rev-parse --short=12 HEAD)
ARG ROWCAST_GIT_SHA
RUN cargo build --locked --release --package server --package seed
RUN client-egui/build-web.sh

# ---- What runs ------------------------------------------------------------------------------------
FROM debian:bookworm-slim
RUN groupadd --gid 10001 rowcast \
 && useradd --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin rowcast
COPY --from=build /src/target/release/rowcast /src/target/release/rowcast-seed \
     /usr/local/bin/
COPY --from=build /src/target/web-dist /usr/local/share/rowcast/web
USER 10001:10001
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=6 \
  CMD ["rowcast", "healthcheck"]
ENTRYPOINT ["rowcast"]
CMD ["--web-dir", "/usr/local/share/rowcast/web"]
