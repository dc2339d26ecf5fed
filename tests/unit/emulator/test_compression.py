import struct
import zlib

from junkie_cli.emulator.compression import COMPRESSIONS, ZlibStream, ZstdStream

PAYLOADS = [b"{}", "ü🌲".encode() * 50, b"x" * 300_000, b"[1,2]"]


def test_zlib_is_one_stream_that_is_flushed_after_each_payload() -> None:
    squeeze, stream = ZlibStream(), zlib.decompressobj()
    for payload in PAYLOADS:
        squeezed = squeeze(payload)
        assert squeezed.endswith(b"\x00\x00\xff\xff")
        assert stream.decompress(squeezed) == payload


def test_zstd_is_one_frame_of_stored_blocks() -> None:
    # Read as RFC 8878 says, by hand: not every Python has a decoder.
    squeeze, wire = ZstdStream(), b""
    for payload in PAYLOADS:
        wire += squeeze(payload)
    magic, descriptor, window = struct.unpack_from("<IBB", wire)
    assert (magic, descriptor) == (0xFD2FB528, 0)
    window_size = 1 << (10 + (window >> 3))
    assert window & 7 == 0
    at, found = 6, b""
    while at < len(wire):
        header = int.from_bytes(wire[at : at + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        assert (last, kind) == (0, 0)
        assert size <= window_size
        found += wire[at + 3 : at + 3 + size]
        at += 3 + size
    assert found == b"".join(PAYLOADS)


def test_discord_py_can_read_what_it_asks_for() -> None:
    # zstd where Python or a package has it, else zlib.
    from discord.utils import _ActiveDecompressionContext

    context = _ActiveDecompressionContext()
    squeeze = COMPRESSIONS[context.COMPRESSION_TYPE]()
    for payload in PAYLOADS:
        assert context.decompress(squeeze(payload)) == payload.decode()
