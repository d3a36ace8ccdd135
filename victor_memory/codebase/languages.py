"""Which language a file is written in, by its name or extension."""

from __future__ import annotations

import difflib
from typing import Final

from victor_memory.errors import InvalidRequestError

_EXTENSIONS: Final = """
ada: adb ads
asciidoc: adoc asciidoc
assembly: asm s
astro: astro
awk: awk
bash: bash bats ksh sh zsh
batch: bat cmd
bazel: bazel bzl star
c: c h
c-sharp: cs csx
clojure: clj cljc cljs edn
cmake: cmake
cobol: cbl cob
coffeescript: coffee
commonlisp: cl lisp lsp
cpp: c++ cc cpp cppm cu cuh cxx h++ hh hpp hxx inl ipp ixx tpp
crystal: cr
css: css
csv: csv tsv
cython: pxd pxi pyx
d: d di
dart: dart
diff: diff patch
elisp: el
elixir: ex exs
elm: elm
erlang: erl hrl
fish: fish
fortran: f f03 f08 f77 f90 f95 for
fsharp: fs fsi fsx
gdscript: gd
gleam: gleam
glsl: comp frag geom glsl vert
go: go
graphql: gql graphql
groovy: gradle groovy
haskell: hs lhs
haxe: hx
hcl: hcl tf
heex: eex heex leex
hlsl: fx hlsl
html: htm html xhtml
idris: idr
ini: cfg conf ini properties
java: java
javascript: cjs js jsx mjs
jinja: j2 jinja jinja2
json: geojson json json5 jsonc jsonl
jsonnet: jsonnet libsonnet
julia: jl
kotlin: kt kts
latex: cls sty tex
lean: lean
less: less
lua: lua
makefile: mak mk
markdown: markdown md mdx
mojo: mojo
nim: nim nims
nix: nix
notebook: ipynb
objective-c: m mm
ocaml: ml mli
odin: odin
pascal: dpr lpr pas
perl: pl pm t
php: php phtml
pony: pony
powershell: ps1 psd1 psm1
prisma: prisma
prolog: pro prolog
protobuf: proto
puppet: pp
purescript: purs
python: py pyi pyw
r: r rmd
racket: rkt
razor: cshtml razor
reason: re rei
rst: rst
ruby: erb gemspec rake rb ru
rust: rs
sass: sass scss
scala: sbt sc scala
scheme: scm ss
solidity: sol
sql: ddl psql sql
svelte: svelte
swift: swift
systemverilog: sv svh v
tcl: tcl
text: log text txt
thrift: thrift
toml: toml
tsx: tsx
typescript: cts mts ts
typst: typ
v: vsh
vala: vala
vb: bas vb vbs
verilog: vh
vhdl: vhd vhdl
vim: vim vimrc
vue: vue
wgsl: wgsl
xml: plist svg xml xsd xsl xslt
yaml: yaml yml
zig: zig zon
"""
_NAMES: Final = """
bash: .bash_profile .bashrc .profile .zshrc bash_completion configure
bazel: BUILD WORKSPACE
cmake: CMakeLists.txt
dockerfile: Containerfile Dockerfile
groovy: Jenkinsfile
ini: .editorconfig .gitconfig
just: justfile
makefile: GNUmakefile Makefile makefile
meson: meson.build meson_options.txt
python: SConscript SConstruct wscript
ruby: Brewfile Capfile Fastfile Gemfile Guardfile Podfile Rakefile Vagrantfile
starlark: Tiltfile
text: AUTHORS CHANGELOG CODEOWNERS CONTRIBUTING COPYING LICENSE NEWS NOTICE README
vim: .vimrc
"""


def _table(listed: str) -> dict[str, str]:
    table = {}
    for line in listed.strip().splitlines():
        language, _, keys = line.partition(": ")
        table.update(dict.fromkeys(keys.split(), language))
    return table


LANGUAGE_BY_EXTENSION: Final = _table(_EXTENSIONS)
LANGUAGE_BY_NAME: Final = _table(_NAMES)
_KNOWN: Final = frozenset([*LANGUAGE_BY_EXTENSION.values(), *LANGUAGE_BY_NAME.values()])


def language_of(path: str) -> str | None:
    """Return the language of the file *path*, or `None` if its name does not tell."""
    name = path.rpartition("/")[2]
    if name in LANGUAGE_BY_NAME:
        return LANGUAGE_BY_NAME[name]
    stem, dot, extension = name.rpartition(".")
    if dot and extension.lower() in LANGUAGE_BY_EXTENSION:
        return LANGUAGE_BY_EXTENSION[extension.lower()]
    # Dockerfile.dev is a Dockerfile.
    return LANGUAGE_BY_NAME.get(stem.partition(".")[0])


def check_language(name: str, also: frozenset[str] = frozenset()) -> str:
    """Return the language called *name*, or the one whose extension it is; *also* are known too.

    Raises:
        InvalidRequestError: there is none; the message offers the nearest names.

    """
    lower = name.lower().lstrip(".")
    if lower in _KNOWN or lower in also:
        return lower
    if lower in LANGUAGE_BY_EXTENSION:
        return LANGUAGE_BY_EXTENSION[lower]
    near = difflib.get_close_matches(lower, sorted(_KNOWN | also), n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(near)}?" if near else "Use for example python or typescript."
    msg = f"Unknown language {name!r}. {hint}"
    raise InvalidRequestError(msg)
