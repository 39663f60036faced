"""What the scripts in Python have in common: scenarios, tools, and spans that say which scenario they are of."""

import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from plimsoll import RunSpanProcessor

scenarios = []
tries = 0


class ScenarioProcessor(SpanProcessor):
    """Marks every span with its scenario, as a release: the only thing that is added to what a framework says."""

    def on_start(self, span, parent_context=None):
        span.set_attribute("plimsoll.release", scenarios[-1]["scenario"])


framework = sys.argv[1]
provider = TracerProvider(
    resource=Resource.create({"service.name": framework, "deployment.environment.name": framework})
)
# All spans are sent at the end: of a run that is sent in two parts the first would seem to have ended, where they wait long.
at_the_end = BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=600_000)
for processor in (ScenarioProcessor(), RunSpanProcessor(), at_the_end):
    provider.add_span_processor(processor)
trace.set_tracer_provider(provider)


def scenario(name):
    """Begins one; what it did is written down in it."""
    counts = {"inputTokens": 0, "outputTokens": 0, "session": ""}
    lists = ("calls", "handoffs", "escalations", "runs", "escalatedRuns")
    scenarios.append({"scenario": name, **counts, **{key: [] for key in lists}})
    return scenarios[-1]


def called(tool, result):
    scenarios[-1]["calls"].append(f"{tool} {result}")


def count(input_tokens, output_tokens):
    scenarios[-1]["inputTokens"] += input_tokens
    scenarios[-1]["outputTokens"] += output_tokens


def lookup_order(order: str) -> str:
    """Looks it up."""
    called("lookup_order", "ok")
    return "order A-7 is on its way"


def flaky(order: str) -> str:
    """Never works."""
    called("flaky", "error")
    raise ValueError("the warehouse does not answer")


def unsteady_with(error):
    """A tool that raises `error` the first time."""

    def unsteady(order: str) -> str:
        """Works the second time."""
        global tries
        tries += 1
        called("unsteady", "error" if tries == 1 else "ok")
        if tries == 1:
            raise error
        return "order A-7 is on its way"

    return unsteady


def finish(agent):
    """Sends every span, and says what `agent` did."""
    provider.force_flush()
    provider.shutdown()
    print(json.dumps({"agent": agent, "scenarios": scenarios}))
