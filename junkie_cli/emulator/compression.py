"""The transport compressions that clients ask for in the gateway's URL (docs, "Transport Compression").

Each is one stream for the life of a connection, flushed after every payload, so that a WebSocket message is a payload.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

_FAST: Final = 1


class ZlibStream:
    """`zlib-stream`: every payload ends with 00 00 FF FF."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_FAST)

    def __call__(self, payload: bytes) -> bytes:
        """Return what goes over the wire for a payload."""
        return self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """`zstd-stream`: one frame of blocks that are stored, not compressed, which needs no library (RFC 8878, 3.1.1)."""

    MAGIC: Final = 0xFD2FB528
    WINDOW: Final = 7 << 3
    """Descriptor of 128 KiB, which is also the largest block."""
    BLOCK: Final = 128 << 10

    def __init__(self) -> None:
        # No checksum, no dictionary, size unknown, a window descriptor.
        self._head = struct.pack("<IBB", self.MAGIC, 0, self.WINDOW)

    def __call__(self, payload: bytes) -> bytes:
        """Return what goes over the wire for a payload."""
        parts, self._head = [self._head], b""
        for at in range(0, len(payload), self.BLOCK):
            block = payload[at : at + self.BLOCK]
            # Three bytes: not the last block (0), raw (0), size.
            parts += [(len(block) << 3).to_bytes(3, "little"), block]
        return b"".join(parts)


COMPRESSIONS: Final[Mapping[str, Callable[[], Callable[[bytes], bytes]]]] = {
    "zlib-stream": ZlibStream,
    "zstd-stream": ZstdStream,
}
