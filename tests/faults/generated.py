"""Experiment files: such as the JSON schema allows, with one thing wrong, and plain garbage.

All is drawn from the schema that `adamcli config schema` prints, so a new optimizer, dataset
or setting is tried from the day it is there.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Path = tuple[str | int, ...]
Random = np.random.Generator

# Strings that mean something; the last key of a path says which of them.
_WORDS: dict[str, Sequence[str]] = {
    "path": ("data.csv", "data.npz", "data.csv", "none.csv", "../data.csv"),
    "target": ("target", "kind"),
    "params": ("W1[0,0]", "b1[1]", "W2[0,0]", "x[0]", "x[1]"),
    "plugins": ("rule.py", "none.py"),
}
_RARELY = 0.02
_COUNTS = ("seeds", "trials", "n")  # of runs: many are right too, and take their time


class Raw(str):
    """A scalar that is written into the file as it is."""


class Drawer:
    """Draws values that a JSON schema allows, mostly small ones."""

    def __init__(self, schema: dict[str, Any], rng: Random) -> None:
        self._schema, self._rng = schema, rng
        self._paths: list[tuple[str, dict[str, Any]]] = []
        self._count = 0

    def experiment(self) -> dict[str, Any]:
        """An experiment: first what may be swept or tuned, then the sweep and the tuning."""
        keys = {*self._some(self._schema), *self._some(self._schema)}
        keys -= {"problem", "problems"} if self._one_in(2) else {"dataset", "model", "problems"}
        last = [key for key in ("sweep", "tune") if key in keys]
        tree: dict[str, Any] = {}
        for key in [*sorted(keys - {*last}), *last]:
            if key in last:
                self._paths = [*self._numbers_of(tree)]
            tree[key] = self.value(self._schema["properties"][key], key)
        return tree

    def value(self, schema: dict[str, Any], key: str = "") -> Any:
        """A value that the schema allows, of the setting called `key`."""
        if "$ref" in schema:
            return self.value(self._schema["$defs"][schema["$ref"].rpartition("/")[2]], key)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                return self.value(self._one_of(schema[word]), key)
        if "const" in schema or "enum" in schema:
            return self._one_of(schema.get("enum", [schema.get("const")]))
        draw: dict[Any, Callable[[dict[str, Any], str], Any]] = {
            "object": self._mapping,
            "array": self._items,
            "number": self._number,
            "integer": self._number,
            "string": self._word,
            "boolean": lambda *_: self._one_in(2),
            "null": lambda *_: None,
        }
        return draw[schema.get("type", "number")](schema, key)

    def _mapping(self, schema: dict[str, Any], key: str) -> dict[str, Any]:
        """Some of the keys; where any key may stand, dotted paths of what is there."""
        known = schema.get("properties", {})
        tree = {name: self.value(known[name], name) for name in self._some(schema)}
        others = schema.get("additionalProperties")
        for _ in range(int(self._rng.integers(1, 3)) if others and self._paths else 0):
            path, setting = self._one_of(self._paths)
            listed = isinstance(others, dict) and "anyOf" in others and not self._one_in(3)
            tree[path] = [self.value(setting, path)] if listed else self.value(others, path)
        return tree

    def _some(self, schema: dict[str, Any]) -> list[str]:
        """The required keys and some of the others, as many as there must be."""
        known = schema.get("properties", {})
        least = schema.get("minProperties", 0)
        optional = [name for name in known if name not in schema.get("required", ())]
        count = min(len(optional), max(least, int(self._rng.integers(0, 4))))
        count = min(count, schema.get("maxProperties", count) - len(schema.get("required", ())))
        chosen = {*self._rng.permutation(optional)[: max(0, count)]} if optional else set()
        return [name for name in known if name in chosen or name in schema.get("required", ())]

    def _items(self, schema: dict[str, Any], key: str) -> list[Any]:
        """A short list."""
        least = schema.get("minItems", 0)
        most = max(least, min(schema.get("maxItems", 3), 3))
        count = int(self._rng.integers(least, most + 1))
        return [self.value(schema.get("items", {"type": "number"}), key) for _ in range(count)]

    def _number(self, schema: dict[str, Any], key: str) -> float | int:
        """The default, a bound or a small number; rarely the largest."""
        low, high = _bounds(schema)
        whole = schema.get("type") == "integer"
        if "default" in schema and self._one_in(3):
            return schema["default"]
        if key not in _COUNTS and np.isfinite(high) and self._rng.random() < _RARELY:
            return high
        span = min(high - low, 20 if whole else 1)
        number = (low if np.isfinite(low) else 0.1) + span * self._rng.random()
        return int(number) if whole else float(number)

    def _word(self, schema: dict[str, Any], key: str) -> str:
        """A string that suits the key, else a new one."""
        self._count += 1
        return str(self._one_of(_WORDS.get(key, (f"w{self._count}",))))

    def _numbers_of(self, tree: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Dotted paths of the numbers that the tree could have, with their schemas."""
        sections = {key: tree[key] for key in ("dataset", "problem") if key in tree}
        sections |= {entry.get("label", entry["name"]): entry for entry in tree["optimizers"]}
        found = []
        for path, section in sections.items():
            known = self._schema["$defs"].get(section.get("name", "spiral"), {}).get("properties")
            found += [
                (f"{path}.{name}", setting)
                for name, setting in (known or {}).items()
                if setting.get("type") in ("number", "integer")
            ]
        return found

    def _one_of(self, choices: Sequence[Any]) -> Any:
        return choices[int(self._rng.integers(len(choices)))]

    def _one_in(self, n: int) -> bool:
        return bool(self._rng.integers(n) == 0)


def _bounds(schema: dict[str, Any]) -> tuple[float, float]:
    """The least and the largest value, both allowed."""
    step = 1 if schema.get("type") == "integer" else 1e-3
    low = schema.get("minimum", schema.get("exclusiveMinimum", -np.inf))
    high = schema.get("maximum", schema.get("exclusiveMaximum", np.inf))
    return (
        low + step * ("exclusiveMinimum" in schema),
        high - step * ("exclusiveMaximum" in schema),
    )


class Mutant(NamedTuple):
    """A tree with one thing wrong.

    Attributes:
        kind: of the mutation.
        tree: as written.
        key: that an error should name.
    """

    kind: str
    tree: Any
    key: str


class Pairs(list[tuple[str, Any]]):
    """A mapping in which a key may come twice."""


_WRONG = (None, True, "word", "", 5, 0.5, -1, 0, [], {}, [1], ["word"], {"a": 1}, {"name": "adam"})
_NUMBERS = (".nan", ".inf", "-.inf", "-0.0", "1e999", "-1e-320", "9" * 400, "0x" + "f" * 900,
            "0x" + "f" * 10_000, "1e-3", "1_000", "1:30", "010", "+1", "1.", "2001-99-99",
            "-1", "1e30", "yes", "'0.1'")  # fmt: skip
_TEXTS = ("", " ", "\x1b[31m", "\u202e", "../x", "a/b", "[/]", "$\\frac$", "x" * 300, "漢字", "🔥",
          "con", "-rf", "~", "{}", "${HOME}", "%s", "\ud83d", "=1+1")  # fmt: skip


def mutated(tree: Any, rng: Random) -> Mutant:
    """A copy of a tree with one thing wrong, or at least different."""
    kinds = [*_MUTATIONS]
    while True:
        kind = kinds[int(rng.integers(len(kinds)))]
        copied = copy.deepcopy(tree)
        places = [*_places(copied)]
        place = places[int(rng.integers(len(places)))]
        if key := _MUTATIONS[kind](copied, place, rng):
            return Mutant(kind, copied, key)


def _places(tree: Any, above: Path = ()) -> list[Path]:
    """The paths of everything below the top."""
    under = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found: list[Path] = []
    for key, value in under:
        found.append((*above, key))
        found += _places(value, (*above, key)) if isinstance(value, dict | list) else []
    return found


def _at(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _put(tree: Any, path: Path, value: Any) -> str:
    """Set a value; the nearest key on the path."""
    _at(tree, path[:-1])[path[-1]] = value
    return next(part for part in reversed(path) if isinstance(part, str))


def _any_of(rng: Random, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _other_type(tree: Any, path: Path, rng: Random) -> str:
    return _put(tree, path, copy.deepcopy(_any_of(rng, _WRONG)))


def _other_number(tree: Any, path: Path, rng: Random) -> str:
    numeric = isinstance(_at(tree, path), int | float) and not isinstance(_at(tree, path), bool)
    return _put(tree, path, Raw(_any_of(rng, _NUMBERS))) if numeric else ""


def _other_text(tree: Any, path: Path, rng: Random) -> str:
    return _put(tree, path, _any_of(rng, _TEXTS)) if isinstance(_at(tree, path), str) else ""


def _misspelt_text(tree: Any, path: Path, rng: Random) -> str:
    text = _at(tree, path)
    return _put(tree, path, _misspelt(text, rng)) if isinstance(text, str) else ""


def _misspelt_key(tree: Any, path: Path, rng: Random) -> str:
    above, key = _at(tree, path[:-1]), path[-1]
    if not isinstance(key, str):
        return ""
    wrong = _misspelt(key, rng)
    above[wrong] = above.pop(key)
    return wrong


def _new_key(tree: Any, path: Path, rng: Random) -> str:
    above = _at(tree, path[:-1])
    if not isinstance(above, dict):
        return ""
    above["zqx"] = copy.deepcopy(_any_of(rng, _WRONG))
    return "zqx"


def _key_gone(tree: Any, path: Path, rng: Random) -> str:
    key = path[-1]
    if len(tree) == 1 and len(path) == 1:
        return ""  # nothing would be left
    _at(tree, path[:-1]).pop(key)
    return key if isinstance(key, str) else str(path[-2])


def _key_twice(tree: Any, path: Path, rng: Random) -> str:
    above, key = _at(tree, path[:-1]), path[-1]
    if not isinstance(key, str) or len(path) < 2:
        return ""
    _put(tree, path[:-1], Pairs([*above.items(), (key, above[key])]))
    return key


def _item_twice(tree: Any, path: Path, rng: Random) -> str:
    items = _at(tree, path)
    if not isinstance(items, list) or not items:
        return ""
    items.append(items[int(rng.integers(len(items)))])
    return str(path[-1])


_MUTATIONS: dict[str, Callable[[Any, Path, Random], str]] = {
    "other type": _other_type,
    "other number": _other_number,
    "other text": _other_text,
    "misspelt text": _misspelt_text,
    "misspelt key": _misspelt_key,
    "new key": _new_key,
    "key gone": _key_gone,
    "key twice": _key_twice,
    "item twice": _item_twice,
}


def _misspelt(word: str, rng: Random) -> str:
    """The word with a letter doubled."""
    at = int(rng.integers(len(word) + 1))
    return f"{word[:at]}{word[at - 1 : at] or 'q'}{word[at:]}"


def written(tree: dict[str, Any]) -> str:
    """A tree as YAML, a line for each key of the top."""
    return "".join(f"{json.dumps(key)}: {_flow(value)}\n" for key, value in tree.items())


def _flow(value: Any) -> str:
    """A value in the flow style, which is nearly JSON."""
    if isinstance(value, Pairs | dict):
        pairs = value if isinstance(value, Pairs) else value.items()
        return f"{{{', '.join(f'{json.dumps(key)}: {_flow(under)}' for key, under in pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return str(value) if isinstance(value, Raw) else json.dumps(value)


_SCRAPS = (
    *("{", "}", "[", "]", ",", ": ", "- ", "\n", "\n  ", "\t", "#", "|", ">", "?", "%", "@", "`"),
    *("&a ", "*a", "<<: *a", "!!python/object:os.system ", "!!int x", "!!timestamp x", "!!set x"),
    *("---\n", "...\n", "'", '"', '"\\ud800"', '"\\u202e"', "\\", "\x00", "\x1b[2J", "\x85"),
    *("[" * 60, "{a: " * 60, "0x" + "f" * 5000, "9" * 5000, ".nan", "~", "x" * 2000, "\ufeff"),
    *("optimizers: ", "name: ", "adam", "lr: ", "1e-3", "sweep: ", "train: ", "dataset: "),
    *("tune: ", "problems: ", "\u2028"),
)  # fmt: skip


def garbage(text: str, rng: Random) -> bytes:
    """Bytes that are no experiment: random ones, scraps of YAML, or a file with damage."""
    kind = int(rng.integers(4))
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    if kind == 0:
        return rng.bytes(int(rng.integers(0, 200)))
    if kind == 1:
        chosen = rng.integers(len(_SCRAPS), size=int(rng.integers(1, 30)))
        return "".join(_SCRAPS[i] for i in chosen).encode("utf-8", "surrogatepass")
    if kind == 2:
        for at in rng.integers(len(content), size=int(rng.integers(1, 6))):
            content[at] ^= 1 << int(rng.integers(8))
        return bytes(content)
    at = int(rng.integers(len(content)))
    scrap = str(_any_of(rng, _SCRAPS)).encode("utf-8", "surrogatepass")
    return bytes(content[:at]) + (scrap + bytes(content[at:]) if rng.integers(2) else b"")
