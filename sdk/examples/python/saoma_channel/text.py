"""Text that comes in another encoding than UTF-8, as bills of older schemes do."""

import codecs

from saoma_channel.failed import no_answer

# The labels under which schemes name an encoding, and the decoder for each. All three Chinese ones are read as GB18030, the
# superset of the others (WHATWG Encoding, section 4.2). Looked up now: there are no files to load a decoder from in a call.
_DECODERS = {
    label: codecs.lookup(name)
    for name, labels in {
        "utf-8": ("utf-8", "utf8"),
        "gb18030": ("gb18030", "gbk", "gb2312", "x-gbk"),
        "big5hkscs": ("big5", "big5-hkscs"),
        "shift_jis": ("shift_jis", "shift-jis"),
        "euc_kr": ("euc-kr",),
        # WHATWG Encoding: what calls itself Latin 1 is read as Windows-1252.
        "cp1252": ("iso-8859-1", "latin1", "us-ascii", "ascii", "windows-1252"),
    }.items()
    for label in labels
}


# Behind the last byte: decoders take as many bytes as the longest letter has together, and would count those that stand behind half
# a letter at the very end as lost with it.
_END = b"\n\n\n"


def text(body: bytes, content_type: str) -> str:
    """The text of an answer's `body`, in the encoding that its `content_type` names: UTF-8 without one. A byte order mark is
    believed before it, and taken away.

    Decode once a signature over the bytes is verified, and before anything is looked for in them: a letter of GB18030 may have
    a `\\` or a `|` for its second byte. Bytes that are no text become U+FFFD and harm nothing around them; a field that you match
    by and that has the mark (`is_garbled`) makes its row `unreadable`. Raises `no-answer` for an encoding that has no decoder.
    """
    if body.startswith(codecs.BOM_UTF8):
        return body[len(codecs.BOM_UTF8) :].decode("utf-8", "replace")
    label = _charset(content_type)
    decoder = _DECODERS.get(label.lower())
    if decoder is None:
        raise no_answer(f"its encoding {label!r} is not known")
    return decoder.decode(body + _END, "replace")[0][: -len(_END)]


def is_garbled(text: str) -> bool:
    """Whether bytes of it were no text."""
    return "\ufffd" in text


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, separator, value = parameter.partition("=")
        if separator and name.strip().lower() == "charset":
            return value.strip().strip('"')
    return "utf-8"
