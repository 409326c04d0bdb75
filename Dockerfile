# The shop as an image: `docker build -t shop .`, then `docker run --env-file shop.env -p 127.0.0.1:8000:8000 shop`.
# Use PostgreSQL (DATABASE_URL): the container's own files end with it. --env-file takes values without quotes.
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/shop
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt
COPY . .
RUN useradd --uid 10001 shop && mkdir -p staticfiles && chown shop staticfiles
USER 10001
EXPOSE 8000
CMD ["python", "-m", "script.serve", "--bind", "0.0.0.0:8000"]
