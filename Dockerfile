FROM python:3.11-slim

RUN useradd --create-home --uid 10001 mqa
WORKDIR /app

COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY engagement engagement
COPY streams streams
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

USER mqa
EXPOSE 9464
ENV PYTHONUNBUFFERED=1 MQA_HOST=0.0.0.0

HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]

ENTRYPOINT ["mqa"]
CMD ["worker", "--port", "9464"]
