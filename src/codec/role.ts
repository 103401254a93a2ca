/** What the local end is. A server takes masked frames only, a client unmasked ones only (RFC 6455 5.1). */
export type Role = 'server' | 'client'
