// examples/codec over a transport that only browsers have.
import { expect, it } from 'vitest'
import { overDataChannel } from '../../examples/codec/data-channel.mjs'
import { Received } from '../support/received.js'

const bytes = Uint8Array.of(1, 2, 3)

it('a WebRTC data channel', async () => {
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()]
  one.onicecandidate = ({ candidate }) => void other.addIceCandidate(candidate ?? undefined)
  other.onicecandidate = ({ candidate }) => void one.addIceCandidate(candidate ?? undefined)
  const channel = one.createDataChannel('websocket')
  const arrived = new Promise<RTCDataChannel>(resolve => {
    other.ondatachannel = event => resolve(event.channel)
  })
  await one.setLocalDescription()
  await other.setRemoteDescription(one.localDescription as RTCSessionDescription)
  await other.setLocalDescription()
  await one.setRemoteDescription(other.localDescription as RTCSessionDescription)

  const [atClient, atServer] = [new Received(), new Received()]
  const server = overDataChannel(await arrived, 'server', atServer.add)
  const client = overDataChannel(channel, 'client', atClient.add)
  if (channel.readyState !== 'open') await new Promise(resolve => channel.addEventListener('open', resolve))
  client.send('hello')
  expect(await atServer.next()).toEqual({ type: 'text', data: 'hello' })
  server.send(bytes)
  expect(await atClient.next()).toEqual({ type: 'binary', data: bytes })
  client.close(4000, 'done')
  expect(await atServer.next()).toEqual({ type: 'close', code: 4000, reason: 'done' })
  for (const connection of [one, other]) connection.close()
})
