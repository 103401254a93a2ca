/**
 * The memory map of a codec instance, its capacities, and the numbers it speaks to JavaScript in.
 * JavaScript reads the values from the exports of the same name, so that each is written down once.
 *
 *   0         static data of the compiler
 *   4 KiB     READ    bytes as they came from the peer; payloads are unmasked in place
 *   +         WRITE   bytes on their way out (JavaScript fills it; masked here for the client role)
 *   +         EVENTS  what `decode` found, EVENT_SIZE bytes each
 *   +         TEXT    scratch: what `decodeUtf8` found
 *   +         SLOTS   one decoder state per connection, SLOT_SIZE bytes each, up to the end of memory
 *
 * The memory never grows, so the views that JavaScript has of it are never detached.
 */

export const READ_OFFSET: u32 = 4096
/** Bytes that one read may bring: with 64 KiB most messages of that size took two reads, and a buffer to join them in. */
export const READ_CAPACITY: u32 = 256 * 1024

export const WRITE_OFFSET: u32 = READ_OFFSET + READ_CAPACITY
export const WRITE_CAPACITY: u32 = 256 * 1024

export const EVENTS_OFFSET: u32 = WRITE_OFFSET + WRITE_CAPACITY
/**
 * What a server delivers of one connection before others have their turn. A read of frames without payload brings
 * twenty times as many; then the table is full, and `consumed` says where it stopped.
 */
export const EVENTS_CAPACITY: u32 = 2048
/** Four u32: word, offset, length, rest (see EVENT_*). */
export const EVENT_SIZE: u32 = 16

export const TEXT_OFFSET: u32 = EVENTS_OFFSET + EVENTS_CAPACITY * EVENT_SIZE
/** A unit of UTF-16 for each byte of a read. */
export const TEXT_CAPACITY: u32 = 2 * READ_CAPACITY

export const SLOTS_OFFSET: u32 = TEXT_OFFSET + TEXT_CAPACITY
export const SLOT_SIZE: u32 = 64

/*
 * An event is one frame's payload as far as this read brings it.
 *   word    low byte: the opcode of the *message* (a continuation frame bears its message's TEXT or BINARY),
 *           or EVENT_ERROR; above it the EVENT_* flags
 *   offset  where the (unmasked) bytes are in memory
 *   length  how many they are
 *   rest    how many bytes of this frame are still to come (2^31 - 1 where they are more)
 * A frame whose header is complete but of whose non-empty payload no byte has come has no event yet.
 * An error event ends the table: offset is that of the offending byte, length the ERROR_* number. What is missing at
 * the end of a frame (a Close frame or a text that ends inside a character) is reported at the frame's last byte.
 */

/** The low byte of an event's word when it reports a violation. */
export const EVENT_ERROR: u32 = 0x0f
/** The event has the frame's first byte of payload. */
export const EVENT_FRAME_START: u32 = 0x100
/** The event has the frame's last byte of payload. */
export const EVENT_FRAME_END: u32 = 0x200
/** The frame's FIN bit. */
export const EVENT_FIN: u32 = 0x400
/** The frame is not a continuation: it begins a message, or is a control frame. */
export const EVENT_MESSAGE_START: u32 = 0x800
/** Every byte of the text message so far, this event's included, is ASCII. Set for TEXT only. */
export const EVENT_ASCII: u32 = 0x1000
/** The message is compressed (RFC 7692 6): neither its size nor, in text, its UTF-8 is known before it is inflated. */
export const EVENT_COMPRESSED: u32 = 0x2000
/** All of a message, or of a control frame, in one event. */
export const EVENT_WHOLE: u32 = EVENT_FRAME_START | EVENT_FRAME_END | EVENT_FIN | EVENT_MESSAGE_START
/** `word & EVENT_WHOLE_MASK` is EVENT_WHOLE when there is all of it and it is not compressed. */
export const EVENT_WHOLE_MASK: u32 = EVENT_WHOLE | EVENT_COMPRESSED

/** Roles: what the *local* end is. A server takes masked frames only, a client unmasked ones only (RFC 6455 5.1). */
export const ROLE_SERVER: u32 = 0
export const ROLE_CLIENT: u32 = 1

/* Error numbers; src/errors.ts has the close code and the text of each. */
export const ERROR_NONE: u32 = 0
export const ERROR_RESERVED_BITS: u32 = 1
export const ERROR_RESERVED_OPCODE: u32 = 2
export const ERROR_CONTROL_FRAGMENTED: u32 = 3
export const ERROR_CONTROL_TOO_LONG: u32 = 4
export const ERROR_UNEXPECTED_CONTINUATION: u32 = 5
export const ERROR_EXPECTED_CONTINUATION: u32 = 6
export const ERROR_MASK_REQUIRED: u32 = 7
export const ERROR_MASK_FORBIDDEN: u32 = 8
export const ERROR_LENGTH_NOT_MINIMAL: u32 = 9
export const ERROR_LENGTH_TOP_BIT: u32 = 10
export const ERROR_MESSAGE_TOO_BIG: u32 = 11
export const ERROR_TOO_MANY_FRAGMENTS: u32 = 12
export const ERROR_INVALID_UTF8: u32 = 13
export const ERROR_CLOSE_LENGTH: u32 = 14
export const ERROR_CLOSE_CODE: u32 = 15

/* States of the UTF-8 validation: 0 between two characters, 1 to 7 inside one (see utf8.ts), 8 for bytes that are not UTF-8. */
export const UTF8_COMPLETE: u32 = 0
export const UTF8_INVALID: u32 = 8
