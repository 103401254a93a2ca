// node:http with the same answer as shardws' health check, to compare with.
import { createServer } from 'node:http'
import { announce } from './announce.mjs'

const server = createServer((_, response) => response.end('ok\n'))
server.listen(0, '127.0.0.1', () => announce(server.address().port, process.versions.node))
