"""The words that stand below each field of a dataclass: the page of settings, the schema and the starter file say them."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Mapping
from functools import lru_cache


@lru_cache(maxsize=8)
def field_docs(cls: type) -> Mapping[str, str]:
    """Each field with its words, on one line; empty where the source is not at hand."""
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    (made,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return {
        field.target.id: " ".join(doc.value.value.split())
        for field, doc in itertools.pairwise(made.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }
