import { byId, onClick } from './dom.js'
import { applyTheme, keepTheme, systemIsDark } from './theme-choice.js'

/** The button that switches between light and dark. Until it is used the system decides. */
export function beginTheme(): void {
  const button = byId('theme', HTMLButtonElement)
  const root = document.documentElement
  let isChosen = false
  const tell = (): void => button.setAttribute('aria-pressed', String(root.dataset.theme === 'dark'))
  onClick('theme', () => {
    const theme = root.dataset.theme === 'dark' ? 'light' : 'dark'
    root.dataset.theme = theme
    isChosen = true
    keepTheme(theme)
    tell()
  })
  systemIsDark().addEventListener('change', () => {
    if (!isChosen) applyTheme()
    tell()
  })
  tell()
}
