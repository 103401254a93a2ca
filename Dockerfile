# The server by itself, for an application in /srv/app:
#
#   docker build --tag shardws .
#   docker run --publish 9000:9000 --ulimit nofile=1048576 --stop-timeout 30 --volume ./app:/srv/app:ro shardws app/app.mjs
#
# docs/operations.md says what the settings are for.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Nothing that is needed has an install script.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /srv
# Where `import 'shardws'` finds it from /srv/app.
COPY --from=build /build/package.json /build/LICENSE node_modules/shardws/
COPY --from=build /build/dist node_modules/shardws/dist
COPY --from=build /build/node_modules node_modules/shardws/node_modules
USER node
EXPOSE 9000
# Closes the connections; SIGHUP reloads the application.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9001/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# node itself, so that signals get to it.
ENTRYPOINT ["node", "node_modules/shardws/dist/cli.js", "--log-format", "json", "--admin-port", "9001"]
