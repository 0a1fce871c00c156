# Speech worker, with the offline model pack inside.  docker build -f docker/worker.Dockerfile .
FROM python:3.11-slim
WORKDIR /graphophone
COPY requirements/uv.txt requirements/speech.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
 && uv pip sync --system --no-cache --compile-bytecode --require-hashes requirements/speech.txt
COPY db db
COPY tasks tasks
RUN python -m tasks.models.pack /models
COPY api api
COPY schema schema
RUN useradd --uid 1000 graphophone && mkdir /data && chown graphophone /data
USER graphophone
ENV GRAPHOPHONE_HOME=/data GRAPHOPHONE_MODELS=/models PYTHONUNBUFFERED=1
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "api"]
CMD ["worker", "speech"]
