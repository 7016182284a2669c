# The image: Python, the locked wheels and operator/phase_operator; no shell is needed, nothing is written at run time.
# Both images must have the same minor version of Python, and may differ in everything else: a runtime without a shell
# works as it is, for example --build-arg RUNTIME_IMAGE=<a distroless Python 3.13>. Tags move: pin bases by digest.
# docs/operating/image.md has more. Kept to what buildah 1.28 understands: no heredocs, no COPY --link.
ARG BUILD_IMAGE=python:3.13-slim-trixie
ARG RUNTIME_IMAGE=python:3.13-slim-trixie

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY requirements/product.txt requirements/product.txt
# --target and not a venv: a venv points to its own python and does not survive a change of the base image.
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --no-compile --require-hashes --no-deps \
      --only-binary=:all: --target /app/lib --requirement requirements/product.txt \
 && rm -rf /app/lib/bin
COPY operator/phase_operator /app/lib/phase_operator
# The root is read-only, so what is not compiled now is compiled at every start. Unchecked: the files do not change.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/lib

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="phase-operator" \
      org.opencontainers.image.description="Keeps Secrets and ConfigMaps in step with Phase" \
      org.opencontainers.image.licenses="Apache-2.0"
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
