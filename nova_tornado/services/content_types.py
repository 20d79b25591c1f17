"""What an uploaded file is, by its first bytes: of what a browser may show, and nothing else.

Neither a client's word nor a file's name decides: what is not recognised here is ``OTHER``, and is only ever handed
over as an attachment. HTML, SVG, XML and scripts are never recognised. Source: WHATWG MIME Sniffing, section 6.
"""

from __future__ import annotations

HEAD_BYTES = 256
"""So many first bytes are looked at."""
OTHER = "application/octet-stream"
PDF = "application/pdf"

_BY_PREFIX = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_MP4_VIDEO = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ")
_MP4_AUDIO = (b"M4A ",)
_OGG_AUDIO = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


def detect(head: bytes) -> str:
    """The media type of a file.

    Args:
        head: its first ``HEAD_BYTES`` bytes, or all of a shorter one.
    """
    for prefix, content_type in _BY_PREFIX:
        if head.startswith(prefix):
            return content_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], OTHER)
    if head[4:8] == b"ftyp":
        if head[8:12] in _MP4_AUDIO:
            return "audio/mp4"
        return "video/mp4" if head[8:12] in _MP4_VIDEO else OTHER
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"\x42\x82\x84webm" in head:
        return "video/webm"
    if head.startswith(b"OggS\0") and head[28:].startswith(_OGG_AUDIO):
        return "audio/ogg"
    return OTHER


def is_shown(content_type: str) -> bool:
    """Whether a browser may show such a file in its place, instead of storing it."""
    return content_type.startswith(("image/", "audio/", "video/"))
