# The reference site, without secrets and without data: docs/production.md says how to run it.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /venv
# Before the code: a change of the code alone installs nothing again.
COPY requirements.txt ./
RUN pip --python /venv/bin/python install --no-cache-dir --only-binary :all: -r requirements.txt
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY kakaoauth kakaoauth
COPY templates templates
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && pip --python /venv/bin/python install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
# A number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin kakaoauth
WORKDIR /app
COPY --from=build /venv /venv
COPY wsgi.py gunicorn.conf.py ./
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Workers show signs of life in a file: in memory, because a container's disk may be slow or not writable.
CMD ["gunicorn", "--bind=0.0.0.0:8000", "--worker-tmp-dir=/dev/shm", "wsgi:app"]
