"""TensorRT engines of a bundle's graphs: found, built in a process of their own, kept in a cache.

One code for TensorRT 10, 11 and TensorRT-RTX, by module name: only calls that all of them have. Their
libraries are loaded in that process alone; whoever serves loads them to run an engine, not to build one.
"""

from .ahead import build_ahead, require_target
from .builder import Builder
from .cache import CachedEngine, EngineCache, EngineKey, default_folder, write_whole
from .library import (
    ASKED,
    RTX,
    Card,
    Found,
    Library,
    NotAvailableError,
    find,
    missing,
    target,
    unfit,
    unfit_here,
)
from .messages import messages_of
from .profiles import Profile, profiles_of

__all__ = [
    "ASKED",
    "RTX",
    "Builder",
    "CachedEngine",
    "Card",
    "EngineCache",
    "EngineKey",
    "Found",
    "Library",
    "NotAvailableError",
    "Profile",
    "build_ahead",
    "default_folder",
    "find",
    "messages_of",
    "missing",
    "profiles_of",
    "require_target",
    "target",
    "unfit",
    "unfit_here",
    "write_whole",
]
