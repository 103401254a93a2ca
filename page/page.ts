import { FrameCodec } from '../src/codec/index.js'
import { ownAddress } from './address.js'
import { byId } from './dom.js'
import { HandshakeView } from './handshake.js'
import { Inspector } from './inspector.js'
import { Playground } from './playground.js'
import { parseRoute, serializeRoute, type View } from './route.js'
import { Tabs } from './tabs.js'
import { beginTheme } from './theme-button.js'

beginTheme()

const path = document.querySelector('meta[name=websocket-path]')?.getAttribute('content') ?? ''
const address = ownAddress(location.href, path)
// The file that the server itself has loaded.
const codec = await WebAssembly.compileStreaming(fetch('codec.wasm')).then(
  module => new FrameCodec(module),
  (error: unknown) => {
    byId('failure').hidden = false
    throw error
  },
)

/** Milliseconds without a change before it is in the address: browsers bound how often that may change. */
const SETTLED_MS = 300
let settled: ReturnType<typeof setTimeout> | undefined

const inspector = new Inspector(codec, sample => {
  clearTimeout(settled)
  settled = setTimeout(() => {
    if (tabs.view === 'inspector')
      history.replaceState(null, '', serializeRoute({ view: 'inspector', shared: sample }))
  }, SETTLED_MS)
})
const handshake = new HandshakeView(address)
const tabs = new Tabs(view => {
  history.pushState(
    null,
    '',
    view === 'inspector' ? serializeRoute({ view, shared: inspector.sample }) : `#${view}`,
  )
  begin(view)
})
const playground = new Playground(codec, address, (sample, source) => {
  inspector.show(sample, source)
  tabs.show('inspector')
  history.pushState(null, '', serializeRoute({ view: 'inspector', shared: inspector.sample }))
  document.getElementById('tab-inspector')?.focus()
  scrollTo(0, 0)
})

playground.begin()
addEventListener('popstate', follow)
follow()

/** Shows what the address says. */
function follow(): void {
  const { view, shared } = parseRoute(location.hash)
  tabs.show(view)
  if (shared !== undefined) inspector.show(shared)
  begin(view)
}

function begin(view: View): void {
  if (view === 'inspector') inspector.begin()
  if (view === 'handshake') handshake.begin()
}
