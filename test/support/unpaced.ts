import type { HttpVisit } from '../../src/connection/environment.js'

/** What is read of a socket that HTTP reads from by itself. */
export const UNPACED: HttpVisit['input'] = { isWithheld: false, withhold() {}, release() {}, expectBody() {} }
