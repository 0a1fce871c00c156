# Web process, io worker and command line: no torch, no models.  docker build -f docker/web.Dockerfile .
FROM python:3.11-slim
WORKDIR /graphophone
COPY requirements/uv.txt requirements/web.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
 && uv pip sync --system --no-cache --compile-bytecode --require-hashes requirements/web.txt
COPY api api
COPY schema schema
COPY tasks tasks
COPY db db
RUN useradd --uid 1000 graphophone && mkdir /data && chown graphophone /data
USER graphophone
ENV GRAPHOPHONE_HOME=/data GRAPHOPHONE_HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
ENTRYPOINT ["python", "-m", "api"]
CMD ["serve"]
