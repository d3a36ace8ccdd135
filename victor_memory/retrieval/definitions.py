"""Which lines define a name, told by regular expressions: good enough to rank and to label.

A syntax tree knows better; this works for any language, on any piece of a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from victor_memory.retrieval.text import STOP_WORDS


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that the text defines at *line* (0-based), *indent* columns from the margin."""

    name: str
    line: int
    indent: int


_NAME: Final = r"(?P<name>[A-Za-z_$][\w$]*(?:(?:\.|::|#)[A-Za-z_][\w$]*)*[?!]?)"
_MODIFIERS: Final = (
    r"(?:(?:export|default|declare|pub(?:\([^)\n]*\))?|public|private|protected|internal|static"
    r"|final|abstract|async|override|open|sealed|virtual|inline|extern(?: \"C\")?|unsafe|partial"
    r"|readonly|data|case|implicit|lazy|local|suspend|tailrec|operator|infix|inner|companion"
    r"|fileprivate|mutating|nonisolated|noncomputable|value|fun|comptime|const(?= fn)"
    r"|@[\w.:]+(?:\([^)\n]*\))?)[ \t]+)*"
)
_KEYWORDS: Final = (
    r"(?:def(?:p|ine|macrop?|module|protocol|impl|struct|exception|delegate|guardp?)?|class|struct"
    r"|enum(?: class)?|union|trait|interface|protocol|object|record|extension|actor|mod|module"
    r"|namespace|fn|fun|func|function\*?!?|sub|proc|procedure|method|macro|macro_rules!|type"
    r"|typealias|newtype|data|concept|contract|modifier|event|theorem|lemma|inductive|structure"
    r"|signature|service|message|rpc|mixin)"
)
# A function, type or module by its keyword; Go puts the receiver, Kotlin the generics in between.
_KEYWORD: Final = (
    rf"{_MODIFIERS}{_KEYWORDS}[ \t]+(?:<[^>\n]*>[ \t]*)?(?:\([^)\n]*\)[ \t]*)?(?:s:|self\.)?"
    rf"(?:[\w.]+<[^>\n]*>\.)?{_NAME}"
)
_VALUE: Final = rf"^{_MODIFIERS}(?:const|let|val|var|static)[ \t]+(?:rec[ \t]+|mut[ \t]+)?{_NAME}"
_ASSIGNED: Final = (
    rf"(?:export[ \t]+)?(?:const|let|var|local)?[ \t]*{_NAME}[ \t]*(?::[^=\n]*)?(?:=|<-|:)[ \t]*"
    r"(?:async[ \t]*)?(?:function\b|\([^()\n]*\)[^=\n]*=>|\w+[ \t]*=>)"
)
_RUST_IMPL: Final = rf"(?:unsafe )?impl(?:<[^\n{{]*?>)? (?:[^\n{{]+? for )?{_NAME}"
_METHOD: Final = (
    r"(?:(?:async|static|get|set|public|private|protected|override|abstract|readonly)[ \t]+|[*#])*"
    rf"(?!(?:if|for|while|switch|catch|function|return|with)\b){_NAME}"
    r"[ \t]*(?:<[^>\n]*>)?\((?:(?!=>)[^;\n'\"`])*\)(?:(?!=>)[^;\n])*\{[ \t]*$"
)
_LUA_METHOD: Final = r"function[ \t]+(?P<name>[\w.]+:\w+)"
_C_TYPE: Final = (
    r"(?:typedef[ \t]+|template[^\n]*>[ \t]*)*"
    r"(?:class|struct|union|enum(?: class)?|namespace)[ \t]+"
    r"(?:[A-Z][A-Z0-9_]*(?:\([^)\n]*\))?[ \t]+)?"
    rf"{_NAME}(?=[ \t]*(?:final[ \t]*)?(?::[^;\n]*)?\{{?[ \t]*$)"
)
_C_FUNCTION: Final = (
    r"(?!(?:return|else|new|throw|case|goto|using|delete|typedef|await|yield|import|package|if|for"
    r"|while|do|switch|catch|struct[ \t]+\w+[ \t]*\{)\b)"
    r"(?:[A-Za-z_][\w:.<>,?\[\]]*(?:[ \t]+|[ \t]*[*&]+[ \t]*)(?:<[^>\n]*>[ \t]*)?)+"
    rf"(?!(?:if|for|while|switch|catch|return)\b)(?:\w+<[^>\n]*>::)?~?{_NAME}"
    r"[ \t]*\([^;=\n]*(?:[{,)]|throws[^\n]*)[ \t]*$"
)
_DEFINE: Final = rf"#[ \t]*define[ \t]+{_NAME}"
_HASKELL: Final = rf"^{_NAME}(?:,[ \t]*\w+)*[ \t]*::"
_SHELL: Final = rf"(?:function[ \t]+)?{_NAME}[ \t]*\([ \t]*\)"
_LISP: Final = r"\((?:def[\w*-]*|cl-def\w+)[ \t]+\(?(?P<name>[^\s()\"]+)"
_SQL: Final = (
    r"(?i:create[ \t]+(?:or[ \t]+replace[ \t]+)?(?:temp(?:orary)?[ \t]+)?(?:table|view|function"
    rf"|procedure|trigger|index|type)[ \t]+(?:if[ \t]+not[ \t]+exists[ \t]+)?[\"`\[]?{_NAME})"
)
_HEADING: Final = r"#{1,6}[ \t]+(?P<name>[^\n]{1,80}?)[ \t#]*$"
_TERRAFORM: Final = r"(?:resource|data|module|variable|output)[^\n]*?\"(?P<name>[\w-]+)\"[ \t]*\{"
_ERLANG: Final = r"^(?P<name>[a-z]\w*)\([^\n]*\)(?:[ \t]+when[^\n]*)?[ \t]*->"

_C_LIKE: Final = (_C_TYPE, _C_FUNCTION, _DEFINE)
_CURLY: Final = (_KEYWORD, _C_FUNCTION)
_SCRIPT: Final = (_KEYWORD, _ASSIGNED, _VALUE, _METHOD)
_BY_LANGUAGE: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("c", "cpp", "objective-c", "glsl", "hlsl"), _C_LIKE),
    **dict.fromkeys(("java", "c-sharp", "dart", "d", "groovy", "vala", "razor"), _CURLY),
    **dict.fromkeys(("javascript", "typescript", "tsx", "vue", "svelte", "astro"), _SCRIPT),
    **dict.fromkeys(("haskell", "purescript", "idris", "lean"), (_KEYWORD, _HASKELL)),
    **dict.fromkeys(("bash", "fish", "awk"), (_SHELL, _KEYWORD)),
    **dict.fromkeys(("clojure", "commonlisp", "elisp", "scheme", "racket"), (_LISP,)),
    **dict.fromkeys(("r", "coffeescript"), (_KEYWORD, _ASSIGNED)),
    "lua": (_LUA_METHOD, _KEYWORD, _ASSIGNED),
    **dict.fromkeys(("markdown", "asciidoc"), (_HEADING,)),
    "rust": (_KEYWORD, _RUST_IMPL, _VALUE),
    "erlang": (_ERLANG,),
    "hcl": (_TERRAFORM,),
    "sql": (_SQL,),
}
_PROSE: Final = frozenset(
    ["csv", "diff", "html", "json", "rst", "text", "xml", "yaml", "toml", "css"]
)

_LONG_LINE: Final = re.compile(r"(?<=[^\n]{250})[^\n]+")
_PROSE_GOES_ON: Final = re.compile(r" [a-z]")


@lru_cache(maxsize=64)
def _pattern(language: str | None) -> re.Pattern[str] | None:
    if language in _PROSE:
        return None
    alternatives = _BY_LANGUAGE.get(language or "", (_KEYWORD, _VALUE))
    numbered = (
        one.replace("(?P<name>", f"(?P<name{number}>") for number, one in enumerate(alternatives)
    )
    return re.compile(
        "|".join(one if one.startswith("^") else rf"^[ \t]*(?:{one})" for one in numbered),
        re.MULTILINE,
    )


def definitions(text: str, language: str | None = None) -> list[Definition]:
    r"""Return the names that *text*, written in *language*, defines, in order.

    >>> [one.name for one in definitions("class Tree:\n    def grow(self): ...\n")]
    ['Tree', 'grow']
    """
    pattern = _pattern(language)
    found: list[Definition] = []
    if pattern is None:
        return found
    # Names stand near the margin, and the expressions' time grows faster than a line does.
    text = _LONG_LINE.sub("", text)
    line, position = 0, 0
    for match in pattern.finditer(text):
        assert match.lastgroup is not None
        name = match[match.lastgroup]
        if name in STOP_WORDS and _PROSE_GOES_ON.match(text, match.end()):
            continue  # "type of the value"
        line += text.count("\n", position, match.start())
        position = match.start()
        start = match.group()
        margin = len(start) - len(start.lstrip())
        found.append(Definition(name, line, len(start[:margin].expandtabs(4))))
    return found
