# syntax=docker/dockerfile:1
# The whole of junkie, its PostgreSQL included: with POSTGRES_URL that one lies idle, without it the archive is in the volume.

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY sql sql
COPY junkie_cli junkie_cli
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
    && python -m venv --without-pip /opt/junkie \
    && python -m pip --python /opt/junkie/bin/python install --no-cache-dir --compile "$(echo /wheel/*.whl)[tokens]"

FROM python:3.13-slim
# A number, so that whoever runs it can see that it is not root.
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/junkie --shell /usr/sbin/nologin junkie \
    && install --directory --owner junkie --group junkie --mode 0700 /var/lib/junkie
COPY --from=build /opt/junkie /opt/junkie
ENV PATH=/opt/junkie/bin:$PATH \
    JUNKIE_HOME=/var/lib/junkie
USER 10001:10001
WORKDIR /var/lib/junkie
VOLUME /var/lib/junkie
EXPOSE 8080
# SIGTERM: what was heard is written, then it exits 0.
STOPSIGNAL SIGTERM
# /healthz is 503 while a gateway connection or the database is away, which makes urlopen fail.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5m --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=8)"]
ENTRYPOINT ["junkie"]
CMD ["serve", "--health", "0.0.0.0:8080"]
