#!/usr/bin/env node
import type { AddressInfo } from 'node:net'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { takeActivatedFd } from './cli/activation.js'
import { type Command, parseArguments } from './cli/arguments.js'
import { helpText } from './cli/help.js'
import { syntaxFault } from './cli/syntax.js'
import { OptionError, type ServeOptions, type Server, ShardError, ShardwsError, serve } from './index.js'
import { readVersion } from './version.js'

/** Exit codes: the command line can't be understood; the server can't be started. */
const BAD_USAGE = 2
const CANNOT_START = 1

/** Descriptors that may be those of a terminal. */
const STDIO = [0, 1, 2]

// Whoever started it may have closed the pipe after the first line: a server does not end because nobody reads its log.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

if (process.argv[2] === 'bench') {
  // Loaded only when it is wanted: the server starts sooner without.
  const { bench } = await import('./cli/bench.js')
  process.exit(await bench(process.argv.slice(3)))
}

const command = readCommand()
switch (command.kind) {
  case 'help':
    process.stdout.write(helpText())
    break
  case 'version':
    process.stdout.write(`${readVersion()}\n`)
    break
  case 'serve':
    await run(command.options)
    break
  // no default
}

function readCommand(): Command {
  try {
    return parseArguments(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    return fail(error.message, BAD_USAGE)
  }
}

async function run(options: ServeOptions): Promise<void> {
  // Until it listens there is nobody to say goodbye to: a signal ends the process as it always does.
  const server = await start(options)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(server, signal))
  const terminals = STDIO.filter(isatty)
  process.on('SIGHUP', () => {
    // The terminal that it was started from was closed, or the line to it is down.
    if (terminals.some(fd => !isatty(fd))) stop(server, 'SIGHUP')
    else void reload(server, options)
  })
  const { length } = server.stats().shards
  const scheme = options.tls === undefined ? 'ws' : 'wss'
  const page = options.app === undefined ? pageUrl(server, options) : undefined
  const hint = page === undefined ? '' : `to try it, open ${page}\n`
  process.stdout.write(
    `listening on ${url(server, scheme)} (${length} ${length === 1 ? 'shard' : 'shards'})\n${hint}`,
  )
  const admin = server.adminAddress()
  if (admin !== null) process.stdout.write(`metrics at http://${authority(admin)}/metrics\n`)
}

async function start(options: ServeOptions): Promise<Server> {
  try {
    const fd = options.fd ?? takeActivatedFd(process.env, process.pid)
    return await serve({ ...options, fd })
  } catch (error) {
    if (error instanceof OptionError) return fail(error.message, CANNOT_START)
    if (error instanceof ShardError) return fail(withPlace(error, options.app), CANNOT_START)
    throw error
  }
}

let stopping = false

function stop(server: Server, signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  if (stopping) process.exit(128 + constants.signals[signal])
  stopping = true
  process.stdout.write(`${signal}: closing all connections; once more ends it at once\n`)
  // Whatever an application has left running in this thread must not keep the process.
  void server.close().then(() => (signal === 'SIGHUP' ? hangUp() : process.exit(0)))
}

/** Ends as the signal would have ended it: Node 20 aborts when it is to exit and finds no terminal to set back. */
function hangUp(): void {
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}

async function reload(server: Server, { app, tls }: ServeOptions): Promise<void> {
  if (stopping) return
  const what = tls === undefined ? 'the application' : 'the application and the certificate'
  process.stdout.write(`SIGHUP: loading ${what} again\n`)
  try {
    await server.reload()
    process.stdout.write('SIGHUP: new connections get what was loaded; those from before end in their time\n')
  } catch (error) {
    // Nobody waits for it any more.
    if (stopping) return
    if (!(error instanceof ShardwsError)) throw error
    const text = error instanceof ShardError ? withPlace(error, app) : error.message
    process.stderr.write(`shardws: SIGHUP: the reload failed, and the shards go on as they are: ${text}\n`)
  }
}

function url(server: Server, scheme: 'ws' | 'wss'): string {
  const address = server.address() as AddressInfo
  return address.family === 'Unix' ? `unix:${address.address}` : `${scheme}://${authority(address)}`
}

/** Where a browser on this machine finds the page of the built-in application; undefined where it can't get there. */
function pageUrl(server: Server, { tls, proxyProtocol }: ServeOptions): string | undefined {
  const address = server.address() as AddressInfo
  if (address.family === 'Unix' || proxyProtocol === true) return undefined
  const isAny = address.address === '0.0.0.0' || address.address === '::'
  return `${tls === undefined ? 'http' : 'https'}://${isAny ? `localhost:${address.port}` : authority(address)}/`
}

function authority({ address, port, family }: AddressInfo): string {
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Where in the application it happened: its cause's stack, as a rule. */
function withPlace({ message, cause }: ShardError, app: ServeOptions['app']): string {
  if (!(cause instanceof Error)) return message
  const fault = cause instanceof SyntaxError && app !== undefined ? syntaxFault(String(app)) : undefined
  return `${message}\n${fault ?? cause.stack ?? cause}`
}

function fail(text: string, exitCode: number): never {
  process.stderr.write(`shardws: ${text}\n`)
  process.exit(exitCode)
}
