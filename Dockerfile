FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 50000 bindery && mkdir -p /opt/airflow/logs /var/bindery /var/oai && chown -R bindery /opt/airflow /var/bindery /var/oai
WORKDIR /opt/bindery
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
ENV PYTHONPATH=/opt/bindery
USER bindery
