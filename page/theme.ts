// A script of its own, which the page waits for: what is painted first has the right colours.
import { applyTheme } from './theme-choice.js'

applyTheme()
