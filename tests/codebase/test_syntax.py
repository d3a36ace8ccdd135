"""Each sample has an outline beside it, checked by eye: symbols, then calls, then imports."""

import json
import sys
from pathlib import Path

import pytest

from victor_memory.codebase import grammars
from victor_memory.codebase.references import Import, Reference
from victor_memory.codebase.syntax import LANGUAGES, parse
from victor_memory.codebase.syntax_names import NAMING
from victor_memory.codebase.syntax_rules import rules_of

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(one.stem for one in SAMPLES.glob("*.sample"))
KINDS = frozenset(
    "function method class struct interface trait enum module type constant variable macro heading"
    " key".split()
)
WANTED = (
    "python javascript typescript tsx java kotlin scala c cpp c-sharp go rust ruby php swift elixir"
    " haskell lua zig bash sql html css dart r"
).split()
MEANINGS = {"open", "scope", "note", "body", "call", "import", "declare"}


def sample(name):
    return (SAMPLES / f"{name}.sample").read_text(encoding="utf-8")


def outline(text, language):
    syntax = parse(text, language)
    lines = [
        f"{one.start_line}-{one.end_line} {one.kind} {one.qualified} | {one.signature}"
        for one in syntax.symbols
    ]
    lines += [
        f"declares {one.qualified} {one.start_line}-{one.end_line} | {one.signature}"
        for one in syntax.declarations()
    ]
    lines += [f"calls {one.name} {one.line} in {one.within}" for one in syntax.calls()]
    lines += [
        f"imports {one.module} {' '.join(one.names)}".rstrip() + f" {one.line}"
        for one in syntax.imports()
    ]
    return "\n".join(lines) + "\n"


class TestSamples:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_outline_is_the_one_beside_it(self, name):
        expected = (SAMPLES / f"{name}.outline").read_text(encoding="utf-8")
        assert outline(sample(name), name) == expected

    def test_the_languages_of_the_issue_are_there(self):
        assert set(WANTED) <= set(NAMES)
        assert set(NAMES) <= LANGUAGES

    @pytest.mark.parametrize("name", NAMES)
    def test_symbols_are_in_order_within_the_text_and_named(self, name):
        text = sample(name)
        syntax = parse(text, name)
        last = text.count("\n")
        for one in syntax.symbols:
            assert 1 <= one.start_line <= one.end_line <= last
            assert one.kind in KINDS
            assert one.name
            assert one.qualified.endswith(one.name)
            assert "\n" not in one.signature
        starts = [one.start_line for one in syntax.symbols]
        assert starts == sorted(starts)

    @pytest.mark.parametrize("name", NAMES)
    def test_broken_text_is_read_as_far_as_it_goes(self, name):
        text = sample(name)
        for length in range(0, len(text), 7):
            assert parse(text[:length] + "\n)]}\n" + text[length:], name) is not None


class TestRules:
    @pytest.mark.parametrize("language", sorted(grammars.LANGUAGES))
    def test_every_rule_is_about_a_node_of_its_grammar(self, language):
        name, loaded = grammars.GRAMMARS.get(language)
        nodes = {loaded.node_kind_for_id(one) for one in range(loaded.node_kind_count)}
        fields = {loaded.field_name_for_id(one) for one in range(1, loaded.field_count + 1)}
        for node, rule in rules_of(name):
            if name in {"typescript", "tsx"} and node.startswith("jsx_"):
                continue  # one block for two grammars
            assert node in nodes
            assert rule.meaning in KINDS | MEANINGS
            for step in rule.path if rule.meaning in KINDS | {"scope", "call"} else ():
                if step.startswith("!"):
                    assert step[1:] in NAMING
                elif step.startswith("<"):
                    assert step == "<>" or step[1:-1] in nodes
                else:
                    assert step in fields

    def test_every_way_of_naming_is_used(self):
        used = {
            rule.path[0][1:]
            for language in grammars.LANGUAGES
            for _, rule in rules_of(grammars.grammar_of(language))
            if rule.path and rule.path[0].startswith("!")
        }
        assert used == NAMING.keys()

    @pytest.mark.parametrize("language", sorted(grammars.LANGUAGES))
    def test_calls_and_imports_can_be_asked_of_every_language(self, language):
        syntax = parse("a b\n", language)
        assert isinstance(syntax.calls(), list)
        assert isinstance(syntax.imports(), list)


class TestParse:
    def test_what_has_no_grammar_is_not_parsed(self):
        assert parse("x", "cobol") is None
        assert parse("x", None) is None

    def test_bytes_and_characters_are_not_confused(self):
        text = "# 文文文 \U0001f600\n\n\ndef gießen(wert):  # ä\n    return '文' + gießen(1)\n"
        syntax = parse(text, "python")
        (symbol,) = syntax.symbols
        assert (symbol.name, symbol.start_line, symbol.end_line) == ("gießen", 4, 5)
        assert symbol.signature == "def gießen(wert)"
        assert syntax.calls() == [Reference("gießen", 5, "gießen")]

    def test_a_lone_surrogate_is_no_obstacle(self):
        assert parse("x = '\ud800'\ndef f(): pass\n", "python").symbols[-1].name == "f"

    @pytest.mark.parametrize(("header", "grammar"), [("namespace a {\n}\n", "cpp"), ("", "c")])
    def test_a_header_is_c_or_cpp_by_what_it_says(self, header, grammar):
        assert grammars.GRAMMARS.get("c", header + "int f(void);\n")[0] == grammar

    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("x = 1; " * 4000, "javascript"),
            ("(" * 500 + "\n" + ")" * 500, "c"),
            ("f([\n" * 3000, "java"),
            ("".join(" " * depth + "a:\n" for depth in range(300)), "yaml"),
            ("- " * 300 + "a\n", "yaml"),
            ("$x = <<" + "A" * 5000 + ";\n", "perl"),
            ("".join(" " * depth + "if x:\n" for depth in range(300)), "python"),
        ],
        ids=["long line", "brackets", "open brackets", "yaml", "dashes", "heredoc", "indents"],
    )
    def test_what_a_parser_is_not_safe_with_is_not_parsed(self, text, language):
        assert parse(text, language) is None

    def test_parsing_that_takes_too_long_is_stopped(self, monkeypatch):
        monkeypatch.setattr(grammars, "BASE_SECONDS", 0.0)
        monkeypatch.setattr(grammars, "SECONDS_PER_BYTE", 0.0)
        assert parse("int f(void) { return 1; }\n" * 5000, "c") is None

    def test_deep_but_safe_nesting_is_parsed(self):
        text = "int f() {\n" + "{\n" * 300 + "g();\n" + "}\n" * 301
        syntax = parse(text, "c")
        assert [one.name for one in syntax.symbols] == ["f"]
        assert syntax.calls() == [Reference("g", 302, "f")]

    def test_calls_and_imports_know_their_names(self):
        syntax = parse("from a.b import c as d, e\n\n\nx = d.f(e)(1)\n", "python")
        assert syntax.imports() == [Import("a.b", ("c", "e"), 1)]
        assert syntax.calls() == [Reference("f", 4, None)]

    def test_keys_that_lie_deep_are_data(self):
        text = json.dumps({"a": {"b": {"c": {"d": 1}}}}, indent=1) + "\n"
        assert [one.qualified for one in parse(text, "json").symbols] == ["a", "a.b"]


class TestGrammars:
    def test_a_grammar_that_does_not_load_is_noted_once_and_not_tried_again(self, monkeypatch):
        tried = []

        def fail(name):
            tried.append(name)
            raise OSError(name)

        monkeypatch.setattr(grammars, "_load", fail)
        found = grammars.Grammars()
        assert found.problem is None
        assert found.get("python") is None
        assert found.get("python") is None
        assert found.get("go") is None
        assert tried == ["python", "go"]
        assert "first python: OSError: python" in found.problem

    def test_a_cache_that_cannot_be_written_is_such_a_failure(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("", encoding="utf-8")
        monkeypatch.setenv("SEMBLE_GRAMMARS_CACHE_DIR", str(tmp_path / "file" / "inside"))
        import semble_grammars

        semble_grammars.get_language.cache_clear()
        found = grammars.Grammars()
        assert found.get("fortran") is None
        assert "GrammarLoadError" in found.problem
        semble_grammars.get_language.cache_clear()

    def test_languages_without_a_grammar_are_no_problem(self):
        found = grammars.Grammars()
        assert found.get("cobol") is None
        assert found.problem is None


def test_a_parsed_file_is_let_go():
    _, language = grammars.GRAMMARS.get("python")
    data = b"def f():\n    return 1\n" * 20_000
    before = sys.getrefcount(data)
    assert grammars.parse_tree(language, data) is not None
    assert sys.getrefcount(data) == before
