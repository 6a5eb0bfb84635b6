# The service alone: Node 26, production dependencies, the sources as they are. See docs/settings.md, "Container".
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No production dependency has an install script; none is let in by an update either.
RUN npm ci --omit=dev --ignore-scripts

FROM node:26-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY LICENSE package.json ./
COPY bin bin
COPY migrations migrations
COPY src src
# The only place that is written to. SQLite's own temporary files would otherwise go to /tmp.
RUN install -d -o node -g node -m 700 /data
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/plinth.db SQLITE_TMPDIR=/data
VOLUME /data
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "--no-allocation-site-pretenuring", "bin/start.js"]
