import time

import pytest

from victor_memory.retrieval.definitions import Definition, definitions

SAMPLES = {
    "python": ("class A(B):\n  async def run(self): ...\n@dec\ndef f(): ...", ["A", "run", "f"]),
    "javascript": (
        "export default class A {\n  async go(x) {\n  }\n}\nconst f = async (x) => {\n};\n"
        "function g() {}\nif (x) {\n}\ndescribe('x', () => {\n",
        ["A", "go", "f", "g"],
    ),
    "typescript": (
        "export interface P<T> {\n}\nexport type Q = string;\nenum R {}\n"
        "export const make = <T>(x: T) => x;\nabstract class S {\n  private readonly go(): void {\n",
        ["P", "Q", "R", "make", "S", "go"],
    ),
    "java": (
        "public final class A extends B {\n  public static <T> List<T> of(final T one,\n"
        "  private int size() throws IOException {\n    return compute(1);\n    foo.bar(2);\n"
        "    if (x) {\n    } else if (y) {\n",
        ["A", "of", "size"],
    ),
    "c": (
        "#define MAX(a) a\nstruct node {\n};\nstatic int add(int a, int b)\n{\n  return sub(a);\n"
        "struct node *make(void)\n{\nint proto(void);\n",
        ["MAX", "node", "add", "make"],
    ),
    "cpp": (
        "template <typename T> class API_EXPORT Box : public Base {\n"
        "void Box<T>::open() const {\nnamespace detail {\nauto x = call(1);\n",
        ["Box", "open", "detail"],
    ),
    "c-sharp": ("namespace N.M\n{\n  internal sealed class A : B\n  {\n", ["N.M", "A"]),
    "go": (
        "func (s *Server) Serve(l net.Listener) error {\ntype Server struct {\nfunc New() {\n"
        "  defer close()\nvar top = 1\n",
        ["Serve", "Server", "New", "top"],
    ),
    "rust": (
        "pub(crate) fn f<T>() {}\npub struct A;\nimpl<T> Display for A {\nmacro_rules! m {\n"
        "impl A {\npub trait B {}\n",
        ["f", "A", "A", "m", "A", "B"],
    ),
    "ruby": ("module M\n  class A < B\n    def self.go!\n    def ok?\n", ["M", "A", "go!", "ok?"]),
    "php": ("abstract class A {\n  public static function go() {\n", ["A", "go"]),
    "kotlin": (
        "data class A(val x: Int)\nfun <T> List<T>.second(): T\nsuspend fun String.go() {}\n",
        ["A", "second", "String.go"],
    ),
    "swift": ("public final class A {\n  func go() {}\nextension B: C {\n", ["A", "go", "B"]),
    "scala": (
        "sealed trait A\ncase class B(x: Int)\nobject C {\n  def go = 1\n",
        ["A", "B", "C", "go"],
    ),
    "elixir": (
        "defmodule A.B do\n  def go(x), do: x\n  defp hid\n  defmacro m\n",
        ["A.B", "go", "hid", "m"],
    ),
    "haskell": ("module A where\ndata B = C\ngo :: Int -> Int\ngo x = x\n", ["A", "B", "go"]),
    "lua": (
        "local function f()\nfunction M.g()\nfunction M:h()\nM.i = function(x)\n",
        ["f", "M.g", "M:h", "M.i"],
    ),
    "bash": ("go() {\nfunction run {\n  echo hi\n", ["go", "run"]),
    "zig": ("pub fn main() void {\nconst A = struct {\n", ["main", "A"]),
    "sql": (
        "CREATE TABLE IF NOT EXISTS users (\ncreate or replace function go()\n",
        ["users", "go"],
    ),
    "clojure": ("(defn go [x])\n(def y 1)\n(let [z 1])", ["go", "y"]),
    "markdown": ("# Title\ntext\n## How to go ##\n", ["Title", "How to go"]),
    "json": ('{"class": "x", "function": 1}', []),
    None: ("class A\nfunction go()\ntype of the thing\n", ["A", "go"]),
}


@pytest.mark.parametrize("language", SAMPLES, ids=str)
def test_definitions_of(language):
    text, names = SAMPLES[language]
    assert [one.name for one in definitions(text, language)] == names


def test_a_definition_knows_its_line_and_indentation():
    assert definitions("\n\nclass A:\n\tdef f(self):\n", "python") == [
        Definition("A", 2, 0),
        Definition("f", 3, 4),
    ]


@pytest.mark.parametrize("language", SAMPLES, ids=str)
def test_no_text_takes_long(language):
    started = time.process_time()
    for unit in (
        "a ",
        "a<",
        "a(",
        "*& ",
        "export ",
        "@a(",
        "public static ",
        "(def ",
        "  \t",
        "a::",
    ):
        definitions(unit * 20_000, language)
        definitions((unit * 200 + "\n") * 100, language)
    assert time.process_time() - started < 20
