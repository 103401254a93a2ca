/**
 * The numbers of assembly/layout.ts that are compared on the hot path, as constants that the engine can fold, and those
 * that are needed before there is an instance to read them from. A test compares each with what the wasm exports.
 */

/** Bytes of memory below the connections' slots. */
export const SLOTS_OFFSET = 1_085_440
/** Bytes of memory that a connection's state takes. */
export const SLOT_SIZE = 64

/** 32-bit words of an event: word, offset, length, rest. */
export const EVENT_WORDS = 4

/** `word & EVENT_OPCODE` is the opcode of the message (TEXT or BINARY for continuations), or EVENT_ERROR. */
export const EVENT_OPCODE = 0x0f
/** A violation: `offset` is that of the offending byte, `length` the error number (see `frameError`). */
export const EVENT_ERROR = 0x0f
/** The event has the frame's first byte of payload. */
export const EVENT_FRAME_START = 0x100
/** The event has the frame's last byte of payload. */
export const EVENT_FRAME_END = 0x200
/** The frame's FIN bit. */
export const EVENT_FIN = 0x400
/** The frame begins a message, or is a control frame. */
export const EVENT_MESSAGE_START = 0x800
/** Every byte of the text message so far, this event's included, is ASCII. */
export const EVENT_ASCII = 0x1000
/** The message is compressed (RFC 7692 6). */
export const EVENT_COMPRESSED = 0x2000
/** All of a message, or of a control frame, in one event. */
export const EVENT_WHOLE = 0xf00
/** `word & EVENT_WHOLE_MASK` is EVENT_WHOLE when there is all of it and it is not compressed. */
export const EVENT_WHOLE_MASK = 0x2f00

export const ROLE_SERVER = 0
export const ROLE_CLIENT = 1

/** State of a UTF-8 validation between two characters. */
export const UTF8_COMPLETE = 0
/** State of a UTF-8 validation that met a byte after which nothing can be valid. 1 to 7 are inside a character. */
export const UTF8_INVALID = 8
