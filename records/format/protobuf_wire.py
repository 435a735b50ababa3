"""Reads and writes length-delimited fields (type 2) of protocol buffers.

    number << 3 | 2     varint
    length              varint
    content             length bytes

A varint has seven bits per byte, the lowest first; all bytes but the last have the
eighth bit set.

Source: https://protobuf.dev/programming-guides/encoding/
"""


def field(number: int, content: bytes) -> bytes:
    """Returns a field as a message holds it."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def read_head(data: bytes, at: int, number: int) -> tuple[int, int]:
    """Returns the offset and the length of the content of the field at `at`.

    Raises:
        ValueError: it is another field than `number`, or its head is cut short.
    """
    tag, at = read_varint(data, at)
    if tag != number << 3 | 2:
        raise ValueError(f"tag {tag} where field {number} was expected")
    size, at = read_varint(data, at)
    return at, size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number at `at`, and the offset after it."""
    value = 0
    for shift, byte in zip(range(0, 64, 7), data[at : at + 10]):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + shift // 7 + 1
    raise ValueError("a number that does not end")
