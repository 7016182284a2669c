# The image: Python, the locked wheels and operator/phase_operator; no shell is needed, nothing is written at run time.
# Both images must have the same minor version of Python, and may differ in everything else: a runtime without a shell
# works as it is, for example --build-arg RUNTIME_IMAGE=<a distroless Python 3.13>. Tags move: `make release` asks the
# registry for the digests behind them, and builds on these; Renovate writes them here once a repository has it.
# docs/operating/image.md has more. Kept to what buildah 1.28 understands: no heredocs, no COPY --link.
ARG BUILD_IMAGE=python:3.13-slim-trixie
ARG RUNTIME_IMAGE=python:3.13-slim-trixie

# On the machine that builds, whatever the image is for: nothing of the other architecture is run.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
ARG TARGETARCH
WORKDIR /build
COPY requirements/product.txt requirements/product.txt
# --target and not a venv: a venv points to its own python and does not survive a change of the base image.
# For another architecture pip has to be told which wheels fit: those for the C library of Debian 13 and older ones.
# The root is read-only, so what is not compiled now is compiled at every start. Unchecked: the files do not change.
RUN case "${TARGETARCH:-}" in \
      amd64) machine=x86_64 ;; \
      arm64) machine=aarch64 ;; \
      *) machine="${TARGETARCH:-$(uname -m)}" ;; \
    esac \
 && if [ "$machine" != "$(uname -m)" ]; then \
      for minor in $(seq 41 -1 17); do set -- "$@" --platform "manylinux_2_${minor}_$machine"; done; \
      set -- "$@" --platform "manylinux2014_$machine" --implementation cp; \
    fi \
 && python3 -m pip install --no-cache-dir --disable-pip-version-check --no-compile --require-hashes --no-deps \
      --only-binary=:all: --target /app/lib --requirement requirements/product.txt "$@" \
 && rm -rf /app/lib/bin \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/lib
# All of this stage before our own code changes with the lock and the base only: `make test` keeps it for the next time.
COPY operator/phase_operator /app/lib/phase_operator
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/lib/phase_operator

# Said although it is the default: buildah 1.28 takes the platform of the stage before.
# hadolint ignore=DL3065
FROM --platform=$TARGETPLATFORM ${RUNTIME_IMAGE}
# A release says where it comes from; a build by hand leaves that empty, as nobody answers for it.
ARG SOURCE=""
ARG VERSION=""
ARG REVISION=""
ARG URL=""
ARG DOCUMENTATION=""
ARG VENDOR=""
ARG BASE_NAME=""
ARG BASE_DIGEST=""
LABEL org.opencontainers.image.title="phase-operator" \
      org.opencontainers.image.description="Keeps Secrets and ConfigMaps in step with Phase" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.url="${URL}" \
      org.opencontainers.image.documentation="${DOCUMENTATION}" \
      org.opencontainers.image.vendor="${VENDOR}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
COPY --from=build /app/lib /app/lib
# PYTHONSAFEPATH: the working directory is no place to import from.
ENV PYTHONPATH=/app/lib \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["python3", "-m", "phase_operator"]
CMD ["run"]
