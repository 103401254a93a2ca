const KEY = 'shardws-theme'

export type Theme = 'light' | 'dark'

/** Shows the theme that the user has chosen, or else that of the system. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = chosenTheme() ?? (systemIsDark().matches ? 'dark' : 'light')
}

export function systemIsDark(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)')
}

export function keepTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // Some browsers refuse storage; then the choice lasts as long as the page.
  }
}

function chosenTheme(): Theme | null {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'light' || value === 'dark' ? value : null
  } catch {
    return null
  }
}
