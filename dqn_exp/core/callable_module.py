"""Modules that can be called, since the Python API and a folder share a name."""

import importlib
import sys
from types import ModuleType
from typing import Any


def make_callable(name: str, place: str, function: str) -> None:
    """Lets a module be called as a function of another one, which is imported then.

    Args:
        name: of the module.
        place: module of the function.
        function: name of the function.
    """

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return getattr(importlib.import_module(place), function)(*args, **kwargs)

    sys.modules[name].__class__ = CallableModule
