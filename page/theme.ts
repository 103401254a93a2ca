import { byId } from './dom.js'

const KEY = 'shardws-theme'

/** The button that switches between light and dark. Until it is used the system decides. */
export function beginTheme(): void {
  const button = byId('theme', HTMLButtonElement)
  const system = matchMedia('(prefers-color-scheme: dark)')
  const root = document.documentElement
  const chosen = read()
  if (chosen !== null) root.dataset.theme = chosen
  const isDark = (): boolean =>
    root.dataset.theme === undefined ? system.matches : root.dataset.theme === 'dark'
  const tell = (): void => button.setAttribute('aria-pressed', String(isDark()))
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark'
    write(root.dataset.theme)
    tell()
  })
  system.addEventListener('change', tell)
  tell()
}

/** Some browsers refuse storage; then the choice lasts as long as the page. */
function read(): 'light' | 'dark' | null {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'light' || value === 'dark' ? value : null
  } catch {
    return null
  }
}

function write(theme: string): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // See `read`.
  }
}
