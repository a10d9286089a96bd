"""Croissant 1.0 metadata (JSON-LD): every file with its SHA-256, and the episode table as records.

Croissant cannot describe the contents of HDF5, so each shard is a FileObject; `episodes.parquet` locates the episodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.shards.manifest import ShardRecord

PAPER = "https://arxiv.org/abs/2512.00883"
TABLE = "episodes.parquet"
ENCODINGS = {".json": "application/json", ".parquet": "application/x-parquet"}
DESCRIBED = {
    "index": "number of the episode in the dataset",
    "shard": "the HDF5 file that contains it",
    "demo": "its group in that file is data/demo_<demo>",
    "split": "train, val or test; scenes are disjoint",
    "scene": "the scene of the episode",
    "mode": "approach the source, leave it, or unrelated",
    "source": "number of the source in the scene",
    "sound": "the sound that the source plays",
    "steps": "actions",
    "success": "whether it ends with a STOP within the success distance of the source",
    "return": "sum of the rewards",
    "geodesic_start": "metres to walk to the source at the start",
    "geodesic_end": "metres to walk to the source at the end",
    "path_metres": "metres walked",
    "collisions": "steps that met an obstacle",
    "clipped": "stored values beyond full scale",
}
TYPES = {bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float", str: "sc:Text"}
# The context that Croissant 1.0 prescribes.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        name: f"cr:{name}"
        for name in ("citeAs", "column", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
                     "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
                     "references", "regex", "repeated", "replace", "separator", "source", "subField", "transform")
    },
}  # fmt: skip


def croissant(
    spec: DatasetSpec,
    schema: int,
    records: dict[str, ShardRecord],
    rows: Sequence[dict[str, Any]],
    beside: Mapping[str, bytes],
    terms: dict[str, Any],
) -> dict[str, Any]:
    """The metadata of a dataset. rows: of the episode table · beside: {file: content} of info.json and the table"""
    shards = [
        _file(record.shard, record.bytes, record.sha256, "application/x-hdf5") for _, record in sorted(records.items())
    ]
    others = [
        _file(name, len(content), hashlib.sha256(content).hexdigest(), ENCODINGS[Path(name).suffix])
        for name, content in beside.items()
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"avw-{spec.sha256[:12]}",
        "description": f"{spec.trajectories} audio-visual trajectories of {spec.steps} steps in "
        f"{len(spec.scenes)} scenes, simulated by AVW",
        "version": f"{schema}.0.0",
        "license": "; ".join(f"{key}: {text}" for key, text in terms.items()),
        "citeAs": f"AVW, an independent implementation of Audio-Visual World Models, {PAPER}",
        "isBasedOn": PAPER,
        "distribution": [*others, *shards],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "episodes",
                "name": "episodes",
                "description": "one record an episode",
                "key": {"@id": "episodes/index"},
                "field": [_field(name, rows[0][name]) for name in DESCRIBED if rows and name in rows[0]],
            }
        ],
    }


def _file(name: str, size: int, digest: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": kind,
        "sha256": digest,
    }


def _field(name: str, example: object) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"episodes/{name}",
        "name": name,
        "description": DESCRIBED[name],
        "dataType": TYPES[type(example)],
        "source": {"fileObject": {"@id": TABLE}, "extract": {"column": name}},
    }
