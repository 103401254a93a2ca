// SIGHUP to the command.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Command } from '../command.js'
import { counterparts, pythonWebsockets, socketActivate, systemdAnalyze } from '../counterparts.js'
import { needs } from '../needs.js'
import { ReloadableApp } from '../support/reloadable-app.js'
import { soon, until } from '../support/until.js'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const UNIT = fileURLToPath(new URL('../../deploy/shardws.service', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'shardws-'))

let app: ReloadableApp
const commands: Command[] = []
const children: ChildProcess[] = []

afterEach(() => {
  for (const command of commands.splice(0)) command.kill('SIGKILL')
  for (const child of children.splice(0)) child.kill('SIGKILL')
  app?.remove()
})

async function start(args: readonly string[] = []): Promise<Command> {
  app = new ReloadableApp()
  const command = await Command.listening(['--workers', '2', ...args, app.path])
  commands.push(command)
  return command
}

async function codeAt(url: string): Promise<string> {
  const socket = new WebSocket(url)
  await soon('the connection opens', once(socket, 'open'))
  socket.send('?')
  const [data] = (await soon('the answer', once(socket, 'message'))) as [Buffer]
  socket.close()
  return data.toString().split(' ', 2).join('')
}

describe('SIGHUP', () => {
  test('reloads the application', async () => {
    const command = await start()
    expect(await codeAt(command.url)).toBe('a0')
    app.write('b')
    command.kill('SIGHUP')
    await command.output(
      'stdout',
      /SIGHUP: loading the application again\nSIGHUP: new connections get what was loaded/,
    )
    expect(await codeAt(command.url)).toBe('b1')
    expect(await command.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('says where the new code fails, and the old goes on', async () => {
    const command = await start()
    app.write('b', 'throw')
    command.kill('SIGHUP')
    await command.output(
      'stderr',
      /SIGHUP: the reload failed, and the shards go on as they are: .*the new code is broken/,
    )
    await command.output('stderr', /at .*app\.mjs:\d+/)
    expect(await codeAt(command.url)).toBe('a0')
    app.write('c')
    command.kill('SIGHUP')
    await command.output('stdout', /SIGHUP: new connections/)
    expect(await codeAt(command.url)).toMatch(/^c/)
    expect((await command.stop()).code).toBe(0)
  })

  test('many times over is not too much', async () => {
    const command = await start()
    app.write('b')
    for (let signal = 0; signal < 50; signal++) {
      command.kill('SIGHUP')
      if (signal % 10 === 0) expect(await codeAt(command.url)).toMatch(/^[ab]\d+$/)
    }
    await command.output('stdout', /SIGHUP: new connections/)
    expect(await codeAt(command.url)).toMatch(/^b/)
    expect(await command.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('while it stops changes nothing', async () => {
    const command = await start()
    command.kill('SIGTERM')
    await command.output('stdout', /SIGTERM: closing/)
    command.kill('SIGHUP')
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('follows a symbolic link to another release', async () => {
    app = new ReloadableApp('first')
    const second = new ReloadableApp('second')
    const link = join(directory, 'current')
    symlinkSync(app.directory, link)
    const command = await Command.listening(['--workers', '1', join(link, 'app.mjs')])
    commands.push(command)
    expect(await codeAt(command.url)).toBe('first0')
    symlinkSync(second.directory, `${link}.new`)
    renameSync(`${link}.new`, link)
    command.kill('SIGHUP')
    await command.output('stdout', /SIGHUP: new connections/)
    expect(await codeAt(command.url)).toBe('second1')
    expect((await command.stop()).code).toBe(0)
    second.remove()
    rmSync(link)
  })
})

describe('in a terminal', needs(pythonWebsockets(), counterparts.pythonWebsockets.reason), () => {
  /** Starts the command in a terminal of its own, closes that when it is told to and says how the command has ended. */
  const TERMINAL = `
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
text = b''
def read_until(what):
    global text
    while what not in text:
        text += os.read(terminal, 65536)
read_until(b'listening on')
os.kill(pid, signal.SIGHUP)
read_until(b'SIGHUP: new connections')
os.close(terminal)
_, status = os.waitpid(pid, 0)
print('exit code', os.waitstatus_to_exitcode(status))
`
  test('it reloads as well, and ends when that is closed', async () => {
    app = new ReloadableApp()
    const args = [
      '-c',
      TERMINAL,
      process.execPath,
      CLI,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
      '--workers',
      '1',
      app.path,
    ]
    const child = spawn(pythonWebsockets() as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    let output = ''
    child.stdout.on('data', chunk => {
      output += String(chunk)
    })
    await soon('its end', once(child, 'close'))
    // By the signal: the command itself has stopped the server.
    expect(output).toBe('exit code -1\n')
    expect(app.journal().at(-1)).toBe('stop a')
  })
})

describe('a service of systemd', () => {
  test(
    'reloads with the socket that it was started with',
    needs(socketActivate(), counterparts.systemd.reason),
    async () => {
      const probe = createServer().listen(0, '127.0.0.1')
      await once(probe, 'listening')
      const { port } = probe.address() as { port: number }
      probe.close()
      await once(probe, 'close')
      app = new ReloadableApp()
      const args = [`--listen=127.0.0.1:${port}`, process.execPath, CLI, '--workers', '2', app.path]
      const child = spawn(socketActivate() as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      let output = ''
      child.stdout.on('data', chunk => {
        output += String(chunk)
      })
      const url = `ws://127.0.0.1:${port}`
      await until('it listens', () => codeAt(url).catch(() => undefined))
      app.write('b')
      // What ExecReload of the unit does.
      expect(readFileSync(UNIT, 'utf8')).toMatch(/^ExecReload=\/bin\/kill -HUP \$MAINPID$/m)
      child.kill('SIGHUP')
      await until('it is reloaded', () => output.includes('SIGHUP: new connections'))
      expect(await codeAt(url)).toBe('b1')
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      expect((await soon('its end', exit))[0]).toBe(0)
    },
  )

  test(
    'has a unit that systemd understands',
    needs(systemdAnalyze(), counterparts.systemd.reason),
    async () => {
      const copy = join(directory, 'shardws.service')
      // Only what is in it: node is somewhere else here.
      const unit = readFileSync(UNIT, 'utf8').replace('/usr/bin/node', process.execPath)
      writeFileSync(copy, unit)
      const child = spawn(systemdAnalyze() as string, ['verify', '--man=no', copy], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      children.push(child)
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += String(chunk)))
      const [code] = await soon('the answer', once(child, 'close'))
      expect(output.split('\n').filter(line => line.includes('shardws'))).toEqual([])
      expect(code).toBe(0)
    },
  )
})
