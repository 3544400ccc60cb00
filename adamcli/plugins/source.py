"""A plug-in's file: read once, so that what runs is what was hashed."""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType, ModuleType

from adamcli.errors import PluginError
from adamcli.reading import UnsuitableError, regular_bytes
from adamcli.text import safe

MAX_BYTES = 2**20
_MAX_NAME = 64


@dataclass(frozen=True)
class Source:
    """The text of a plug-in.

    Pickled with its content, it needs no file in a worker process: a file that is edited
    while its runs train changes nothing.

    Attributes:
        name: of the optimizer, the stem of the file's name.
        content: the bytes of the file.
        path: as the user gave it; messages cite it.
    """

    name: str
    content: bytes = field(repr=False)
    path: Path = field(compare=False)

    @classmethod
    def read(cls, path: Path) -> Source:
        """The text of a file.

        Raises:
            PluginError: it cannot be read, or its name is no name for an optimizer.
        """
        where = safe(str(path), 200)
        name = path.stem
        if path.suffix != ".py" or not name.isidentifier() or len(name) > _MAX_NAME:
            fix = "name it with letters, digits and _ and the ending .py, such as my_opt.py"
            raise PluginError("a file whose name cannot name an optimizer", where=where, fix=fix)
        try:
            return cls(name, regular_bytes(path, MAX_BYTES), path)
        except UnsuitableError as error:
            raise PluginError(str(error), where=where, fix="give a Python file") from error
        except (OSError, ValueError) as error:
            reason = safe(getattr(error, "strerror", None) or str(error))
            raise PluginError(
                f"the plug-in cannot be read ({reason})", where=where, fix="check the path"
            ) from error

    @cached_property
    def sha256(self) -> str:
        """Of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def filename(self) -> str:
        """What tracebacks call the file."""
        return str(self.path)

    def where(self, line: int) -> str:
        """A place in the file."""
        return f"{safe(self.filename, 200)}:{line}"

    def executed(self) -> ModuleType:
        """The file as a module, executed anew: no two runs share what it keeps in globals."""
        module = ModuleType(f"adamcli_plugin_{self.name}")
        module.__file__ = self.filename
        sys.modules[module.__name__] = module  # dataclasses look their module up
        exec(_compiled(self.content, self.filename), vars(module))
        return module

    def line_of(self, cls: str, member: str = "") -> int:
        """The line of a member of a class, of the class where it has not got it, or the first."""
        found = 1
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(self.content)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == cls:
                own = dict(_members(node))
                found = own.get(member, node.lineno)
        return found


def _members(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """The names in the body of a class with their lines."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            yield part.name, part.lineno
        elif isinstance(part, ast.AnnAssign | ast.Assign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            yield from ((t.id, part.lineno) for t in targets if isinstance(t, ast.Name))


@lru_cache(maxsize=32)
def _compiled(content: bytes, filename: str) -> CodeType:
    """The code of a file; tracebacks will quote this content, whatever the file says by then."""
    with warnings.catch_warnings(action="ignore"):
        code = compile(content, filename, "exec", dont_inherit=True)
    lines = content.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[filename] = (len(content), None, lines, filename)
    return code
