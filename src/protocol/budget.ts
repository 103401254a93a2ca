import { LimitError } from '../errors.js'
import { CloseCode } from '../rfc6455.js'

/** Memory that peers make a server hold, of which there is so much for all of them. */
export interface Budget {
  /**
   * Whoever held `before` bytes holds `after` from now on.
   *
   * @returns false when that is more than there is for all: the holder has to give it up
   */
  resize(before: number, after: number): boolean
}

/** Why a connection is closed that asks for more (the registry of RFC 6455 7.4.1: try again later). */
export function memoryError(): LimitError {
  return new LimitError('ERR_MEMORY', 'the server has no more memory to spare', CloseCode.TRY_AGAIN_LATER)
}
