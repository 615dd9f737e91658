# Two stages: what installs stays behind, and the image has Python, what mqa needs, and nothing to build or install with.
FROM python:3.11-slim AS build
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY engagement engagement
COPY streams streams
RUN python -m venv --without-pip /opt/mqa \
    && pip --python /opt/mqa/bin/python install --no-cache-dir --disable-pip-version-check --only-binary :all: -c constraints.txt .

FROM python:3.11-slim
RUN pip uninstall --yes --quiet --root-user-action ignore pip setuptools wheel \
    && useradd --system --no-create-home --uid 10001 mqa
COPY --from=build /opt/mqa /opt/mqa
ENV PATH=/opt/mqa/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MQA_HOST=0.0.0.0

# By number, so that Kubernetes can see that it is not root. Nothing is written but to Kafka and Redis: the file system may be read-only.
USER 10001
EXPOSE 9464 8080

# That of the worker; docker-compose.yml says the others'.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/health/live', timeout=2)"]

ENTRYPOINT ["mqa"]
CMD ["worker"]
