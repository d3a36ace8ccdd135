"""One entry goes in and comes out; nothing else of a settings file changes."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from victor_memory.errors import HostError
from victor_memory.hosts.setup import edits, json_edit
from victor_memory.hosts.setup.edits import Edit

ENTRY = {"command": "/opt/a b/victor-memory", "args": ["mcp", 'quo"te'], "env": {"A": "ü\\n#"}}
SERVER = Edit(("mcpServers",), ENTRY, "victor-memory")
LISTED = Edit(
    ("mcpServers",),
    {"name": "victor-memory", **ENTRY},
    ours=lambda one: isinstance(one, dict) and one.get("name") == "victor-memory",
)
DEEP = Edit(("a", "mcpServers"), ENTRY, "victor-memory")
JSONC, JSON, TOML, YAML = (edits.load(name) for name in ("jsonc", "json", "toml", "yaml"))

# JSON values, with the containers that the edits look for among them.
names = st.sampled_from(["mcpServers", "a", "b", "ä ß", "", '"', "victor-memory", "//"])
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
servers = st.dictionaries(names, values, max_size=3)
documents = st.one_of(
    st.dictionaries(names, values, max_size=3),
    st.builds(
        lambda rest, mine: {**rest, "mcpServers": mine},
        st.dictionaries(names, values, max_size=3),
        servers,
    ),
)
trivia = st.sampled_from(
    ["", "", "", " ", "\n", "\n  ", "\r\n\t", " // note }]\n", "/* a, b */", " /*\n*/ "]
)


def laid_out(draw, value):
    """Write *value* as JSON with comments, trailing commas and any white space."""

    def gap():
        return draw(trivia)

    if isinstance(value, dict):
        items = [
            f"{gap()}{json.dumps(key)}{gap()}:{gap()}{laid_out(draw, one)}{gap()}"
            for key, one in value.items()
        ]
        opening, closing = "{}"
    elif isinstance(value, list):
        items = [f"{gap()}{laid_out(draw, one)}{gap()}" for one in value]
        opening, closing = "[]"
    else:
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return f"{opening}{','.join(items)}{comma}{gap()}{closing}"


@st.composite
def texts(draw):
    value = draw(documents)
    return f"{draw(trivia)}{laid_out(draw, value)}{draw(trivia)}"


def comments(text):
    strings = r'"(?:[^"\\]|\\.)*"'
    found = re.finditer(rf"{strings}|(//[^\n]*|/\*.*?\*/)", text, re.DOTALL)
    return [one[1].rstrip("\r") for one in found if one[1]]


def squeezed(text):
    """Return *text* without white space and without commas, which an edit may add or take out."""
    return re.sub(r"[\s,]+", "", text)


def within(small, large):
    rest = iter(large)
    return all(one in rest for one in small)


@settings(max_examples=100, deadline=None)
@given(texts(), st.sampled_from([SERVER, DEEP, LISTED]))
@example('{"a": 1 // c\n}', SERVER)
@example('{"mcpServers": {"victor-memory": 1 /* x */, "b": 2}}', SERVER)
@example("{ // c\r\n}", SERVER)
def test_a_json_entry_goes_in_and_out(text, edit):
    before = JSONC.parse(text)
    try:
        put = edits.put(JSONC, text, edit)
    except HostError:
        # Only where the way to the container leads through something else.
        container = before
        for step in edit.at:
            if not isinstance(container, dict):
                return
            if step not in container:
                pytest.fail(f"refused: {text!r}")
            container = container[step]
        assert not isinstance(container, list if edit is LISTED else dict)
        return
    assert edits.found(JSONC, put, edit) == [edit.value]
    assert edits.put(JSONC, put, edit) == put
    had_one = bool(edits.found(JSONC, text, edit))  # its own comments go with it
    if not had_one:
        assert comments(put) == comments(text)
        assert within(squeezed(text), squeezed(put))
    dropped = edits.drop(JSONC, put, edit)
    assert not edits.found(JSONC, dropped, edit)
    if not had_one:
        assert comments(dropped) == comments(text)
    there = before
    for step in edit.at:
        there = there.get(step) if isinstance(there, dict) else None
    if not had_one and there is not None:
        assert squeezed(dropped) == squeezed(text)
    changed = edits.put(JSONC, put, Edit(edit.at, {**edit.value, "more": 1}, edit.name, edit.ours))
    again = edits.put(JSONC, changed, edit)
    assert JSONC.parse(again) == JSONC.parse(put)
    assert comments(again) == comments(put)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(values.map(json.dumps), texts(), st.text(alphabet='{}[]",:/*1e.-+tfn\\u0 \n', max_size=12)),
    st.integers(0, 40), st.sampled_from(["", "}", ",", '"', "\\", "0", "/", "\n", "e"]),
)  # fmt: skip
def test_strict_json_is_read_as_python_reads_it(text, at, patch):
    mutated = text[:at] + patch + text[at + 1 :]

    def refuse(name):
        raise ValueError(name)

    try:
        wanted = json.loads(mutated, parse_constant=refuse) if mutated.strip(" \t\r\n") else {}
    except ValueError:
        with pytest.raises(HostError, match="not valid JSON at line"):
            JSON.parse(mutated)
    else:
        node = json_edit._Reader(mutated, strict=True).document()
        found = {} if node is None else node.value
        assert json.loads(json.dumps(found, default=float)) == wanted


def test_json_keeps_the_layout_of_its_neighbours():
    text = (
        '{\n\t// ours\n\t"mcpServers": {\n\t\t"a": {"command": "x"}, // why\n\t\t// last\n\t},\n}\n'
    )
    assert edits.put(
        JSONC, text, Edit(("mcpServers",), {"command": "v", "args": ["mcp"]}, "victor-memory")
    ) == (
        '{\n\t// ours\n\t"mcpServers": {\n\t\t"a": {"command": "x"}, // why\n'
        '\t\t"victor-memory": {\n\t\t\t"command": "v",\n\t\t\t"args": ["mcp"]\n\t\t},\n'
        "\t\t// last\n\t},\n}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{'a': 1}",
        "[1]",
        '{"mcpServers": []}',
        '{"mcpServers": null}',
        "{a: 1}",
        "{",
        '{"a": 1}}',
        "[" * 100_000,
    ],
)
def test_json_that_cannot_be_changed_is_refused(text):
    with pytest.raises(HostError):
        edits.put(JSONC, text, SERVER)


def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(HostError, match="twice"):
        edits.put(JSONC, '{"mcpServers": {"x": 1}, "mcpServers": {}}', SERVER)


def test_strict_json_refuses_what_its_host_refuses():
    for text in ('{"a": 1,}', '{"a": 1} // c', "/* c */ {}"):
        with pytest.raises(HostError, match="not allowed in this file"):
            edits.put(JSON, text, SERVER)
        edits.put(JSONC, text, SERVER)


toml_parts = st.lists(
    st.sampled_from([
        "# a note\n", "\n", "[mcp_servers.a]\ncommand = 'x' # c\n", "[[rows]]\nn = 1\n", "[other]\nx = [\n  1, # one\n]\n",
        "[mcp_servers.b]\nargs = []\n[mcp_servers.b.env]\nA = 'b'\n", "[q]\nt = '''\n[mcp_servers.z]\n'''\n", "[w]\nd = 1979-05-27\n",
    ]),
    max_size=5, unique=True,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(toml_parts, st.booleans(), st.booleans())
def test_a_toml_table_goes_in_and_out(parts, windows, ended):
    text = "model = 'm'\n" + "".join(parts)
    text = text if ended else text.rstrip("\n")
    text = text.replace("\n", "\r\n") if windows else text
    edit = Edit(("mcp_servers",), ENTRY, "victor-memory")
    put = edits.put(TOML, text, edit)
    assert put.startswith(text)
    assert edits.found(TOML, put, edit) == [ENTRY]
    if "\r\n" in text:
        assert "\n" not in put.replace("\r\n", "")
    assert edits.put(TOML, put, edit) == put
    assert edits.drop(TOML, put, edit).rstrip() == text.rstrip()
    # Also from the middle of a file, and whatever the entry looks like.
    later = put + "\n# of z\n[z]\nlast = 1\n"
    assert edits.drop(TOML, later, edit).split() == f"{text} # of z [z] last = 1".split()
    changed = edits.put(TOML, later, Edit(edit.at, {"command": "y"}, edit.name))
    assert TOML.parse(changed)["mcp_servers"]["victor-memory"] == {"command": "y"}
    assert changed.endswith("\n# of z\n[z]\nlast = 1\n")


@pytest.mark.parametrize(
    "text",
    [
        "mcp_servers = { a = { command = 'x' } }\n",
        "mcp_servers.a.command = 'x'\n",
        "[mcp_servers]\na = { command = 'x' }\n",
    ],
)
def test_toml_of_any_style_takes_an_entry(text):
    edit = Edit(("mcp_servers",), ENTRY, "victor-memory")
    put = edits.put(TOML, text, edit)
    assert set(TOML.parse(put)["mcp_servers"]) == {"a", "victor-memory"}
    assert edits.drop(TOML, put, edit) == text


yaml_before = st.sampled_from(
    ["", "# head\n", "---\n", "name: x # c\n", "s: |\n  a\n\n  b\n", "k:\n- 1\n-   2\n"]
)
yaml_after = st.sampled_from(
    ["", "# tail\n", "z: 1\n", "\n\nz: >-\n  a\n  b\n", "z: {a: [1, 2]}\n"]
)
maps = st.sampled_from([
    "", "mcpServers:\n", "mcpServers: {}\n", "mcpServers: {} # none\n", "mcpServers: {a: {b: 1}}\n", "mcpServers: # why\n  a: 1\n",
    "mcpServers:\n    a:\n        t: |\n          x\n    # last\n", "mcpServers:\n  a: 1\n\n  # note\n  b: [1, 2] # two\n\n", "mcpServers:\n  a:\n",
])  # fmt: skip
lists = st.sampled_from([
    "", "mcpServers:\n", "mcpServers: []\n", "mcpServers: [{name: a}]\n", "mcpServers:\n- name: a\n  b: 1 # c\n",
    "mcpServers:\n  -   name: a\n      t: >\n        x\n        y\n\n  # end\n", "mcpServers:\n  - a\n  - {name: b}\n",
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(yaml_before, st.data(), yaml_after, st.booleans(), st.booleans())
def test_a_yaml_entry_goes_in_and_out(before, data, after, windows, ended):
    edit = data.draw(st.sampled_from([SERVER, LISTED]))
    middle = data.draw(maps if edit is SERVER else lists)
    text = before + middle + after
    # The last line of a block of text says something else when a line follows it.
    text = text if ended or {"|", ">-", ">"} & set(text.split()) else text.rstrip("\n")
    text = text.replace("\n", "\r\n") if windows else text
    put = edits.put(YAML, text, edit)
    assert edits.found(YAML, put, edit) == [edit.value]
    assert edits.put(YAML, put, edit) == put
    assert [one for one in put.split() if one.startswith("#")] == [
        one for one in text.split() if one.startswith("#")
    ]
    assert within("".join(text.split()).replace("{}", "").replace("[]", ""), "".join(put.split()))
    dropped = edits.drop(YAML, put, edit)
    assert not edits.found(YAML, dropped, edit)
    rest = {key: value for key, value in YAML.parse(text).items() if value not in (None, [], {})}
    assert {
        key: value for key, value in YAML.parse(dropped).items() if value not in (None, [], {})
    } == rest
    if "mcpServers:\n" not in middle.splitlines(keepends=True)[-1:] and middle:
        assert dropped.split() == text.split()


@pytest.mark.parametrize(
    "text", ["- 1\n", "a: [\n", "a: 1\n---\nb: 2\n", "mcpServers: x\n", "a: 1\na: 2\n"]
)
def test_yaml_that_cannot_be_changed_is_refused(text):
    with pytest.raises(HostError):
        edits.put(YAML, text, SERVER)
