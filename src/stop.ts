/** How a shard ends its connections. */
export interface Stop {
  /** The close code. */
  code: number
  /** Milliseconds that they get after the last of them was told, then they are cut. */
  timeoutMs: number
  /** Milliseconds over which they are told. */
  spreadMs: number
  /** Who has come and not asked yet still gets an answer, and `code` after it; if not it is cut. */
  gently: boolean
}
