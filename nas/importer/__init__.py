"""Modules of others as graphs: `import_module` traces one, `copy_weights` takes its weights over.

What a layer or function becomes stands in `layers` and `functions`; each that becomes nothing is
refused by name, with its reason.
"""

from nas.importer.agreement import require_agreement
from nas.importer.building import Source
from nas.importer.importer import Imported, import_module
from nas.importer.refusal import NotConvertible, Refusal
from nas.importer.weights import copy_weights

__all__ = [
    "Imported",
    "NotConvertible",
    "Refusal",
    "Source",
    "copy_weights",
    "import_module",
    "require_agreement",
]
