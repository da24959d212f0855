# The engine as an image without shell or package manager, for a user that is not root and a root file system that is
# read-only.
#
#   docker build -t cdc .
#
# RUST_IMAGE compiles (Debian with Rust and a C compiler), RUNTIME_IMAGE runs (glibc and libgcc, no older than those of
# RUST_IMAGE, and certificates of authorities); name a mirror's with --build-arg. PROFILE is cargo's.
# `--target prebuilt` compiles nothing: it takes the program `cdc` from the folder that is given in place of `.`.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUNTIME_IMAGE} AS runtime
LABEL org.opencontainers.image.title="cdc" \
      org.opencontainers.image.description="Every committed change in MongoDB becomes a message in RabbitMQ" \
      org.opencontainers.image.licenses="MIT"
# The number and not the name, so that a runtime can see that it is not root.
USER 65532:65532
# Where `.env` is looked for.
WORKDIR /etc/cdc
# The admin port, once CDC_ADMIN_ADDR and CDC_ADMIN_TOKEN let probes and scrapes from outside in.
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/local/bin/cdc", "health"]
ENTRYPOINT ["/usr/local/bin/cdc"]

FROM runtime AS prebuilt
COPY cdc /usr/local/bin/cdc

FROM ${RUST_IMAGE} AS build
ARG PROFILE=release
WORKDIR /build
COPY . .
# The folder of cargo's profile may have another name than the profile, so the program is installed from it.
RUN cargo install --path cdc --locked --profile "$PROFILE" --root /out

FROM runtime
COPY --from=build /out/bin/cdc /usr/local/bin/cdc
