FROM python:3.12-slim-bookworm AS base
RUN useradd --create-home --uid 50000 bindery && mkdir -p /opt/airflow/logs /var/bindery /var/oai && chown -R bindery /opt/airflow /var/bindery /var/oai
WORKDIR /opt/bindery
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
ENV PYTHONPATH=/opt/bindery

# The compiled parts of readers and sidecar are built here: the image that runs has no compiler.
FROM base AS kernels
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
USER bindery
RUN python -m include.marc.kernels && python -m connectors.circulation compile

FROM base
COPY --from=kernels --chown=bindery:bindery /home/bindery/.cache/bindery /home/bindery/.cache/bindery
USER bindery
