"""Reads a JSON list of OpenMetrics documents on stdin; says of each what the reference parser makes of it, or its error."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def sample_of(sample):
    exemplar = sample.exemplar and {
        "labels": sample.exemplar.labels,
        "value": sample.exemplar.value,
        "timestamp": float(sample.exemplar.timestamp),
    }
    return {"name": sample.name, "labels": sample.labels, "value": repr(float(sample.value)), "exemplar": exemplar}


def parsed(document):
    try:
        families = list(text_string_to_metric_families(document))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": [sample_of(sample) for sample in family.samples],
        }
        for family in families
    ]


json.dump([parsed(document) for document in json.load(sys.stdin)], sys.stdout)
