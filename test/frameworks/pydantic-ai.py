import asyncio
import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from plimsoll import RunSpanProcessor, human_gate, run
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    Tool,
    ToolDenied,
    capture_run_messages,
)
from pydantic_ai.models.openai import OpenAIChatModel

scenarios = []


class ScenarioProcessor(SpanProcessor):
    """Marks every span with its scenario, as a release: the only thing that is added to what the framework says."""

    def on_start(self, span, parent_context=None):
        span.set_attribute("plimsoll.release", scenarios[-1]["scenario"])


provider = TracerProvider(resource=Resource.create({"service.name": sys.argv[1], "deployment.environment.name": sys.argv[1]}))
for processor in (ScenarioProcessor(), RunSpanProcessor(), BatchSpanProcessor(OTLPSpanExporter())):
    provider.add_span_processor(processor)
trace.set_tracer_provider(provider)
Agent.instrument_all()

tries = 0


def called(tool, result):
    scenarios[-1]["calls"].append(f"{tool} {result}")


def lookup_order(order: str) -> str:
    called("lookup_order", "ok")
    return "order A-7 is on its way"


def flaky(order: str) -> str:
    called("flaky", "error")
    raise ValueError("the warehouse does not answer")


def unsteady(order: str) -> str:
    global tries
    tries += 1
    called("unsteady", "error" if tries == 1 else "ok")
    if tries == 1:
        raise ModelRetry("try again")
    return "order A-7 is on its way"


def payout(context: RunContext, order: str) -> str:
    if not context.tool_call_approved:
        raise ApprovalRequired()
    called("payout", "ok")
    return "paid out"


def refund(order: str) -> str:
    called("refund", "ok")
    return "refunded"


async def ask_billing(order: str) -> str:
    """Another agent does it, and its calls are part of this one."""
    result = await billing.run("scenario billing")
    count(result.usage)
    called("ask_billing", "ok")
    return result.output


model = OpenAIChatModel("gpt-4o-mini")
billing = Agent(model, name="billing", tools=[lookup_order])
clerk = Agent(
    model,
    name="clerk",
    tools=[lookup_order, flaky, unsteady, ask_billing, payout, Tool(refund, requires_approval=True)],
    output_type=[str, DeferredToolRequests],
)


def count(usage):
    scenarios[-1]["inputTokens"] += usage.input_tokens
    scenarios[-1]["outputTokens"] += usage.output_tokens


def scenario(name):
    counts = {"inputTokens": 0, "outputTokens": 0, "session": ""}
    lists = ("calls", "handoffs", "escalations", "runs", "escalatedRuns")
    scenarios.append({"scenario": name, **counts, **{key: [] for key in lists}})
    return scenarios[-1]


async def ask(*prompt, **more):
    """One run of the agent; adds what it did to the scenario."""
    result = await clerk.run(*prompt, **more)
    count(result.usage)
    return result


def answered(asked, state):
    [call] = asked.output.approvals
    answer = True if state == "approved" else ToolDenied("no")
    return {
        "message_history": asked.all_messages(),
        "deferred_tool_results": DeferredToolResults(approvals={call.tool_call_id: answer}),
    }


async def main():
    for name in ("tool-success", "retry", "delegation"):
        known = scenario(name)
        await ask(f"scenario {name}")
        known["runs"].append("completed")

    # An exception of a tool ends the run; only a ModelRetry is told to the model.
    for name in ("tool-failure", "parallel", "model-failure"):
        known = scenario(name)
        with capture_run_messages() as messages:
            try:
                await ask(f"scenario {name}")
            except Exception:
                known["runs"].append("failure")
        for message in messages:
            if message.kind == "response":
                count(message.usage)

    for state in ("approved", "rejected"):
        # Where the tool is declared to need an approval, the question leaves no trace; where it raises, it does.
        for name in ("approval", "deferral"):
            known = scenario(f"untold-{name}-{state}")
            await ask(**answered(await ask(f"scenario {name}"), state))
            known["escalations"] += ["approval requested"] if name == "deferral" else []
            known["runs"] += ["escalated", "completed"]
            known["escalatedRuns"].append("approval")

        known = scenario(f"told-{state}")
        known["session"] = f"given-{state}"
        task = {"agent": "clerk", "run_id": f"pydantic-ai-{state}", "session_id": known["session"]}
        with run(**task):
            asked = await ask("scenario approval")
            human_gate("approval")
        with run(**task) as span:
            human_gate("approval", state)
            await ask(**answered(asked, state))
            span.set_attribute("plimsoll.run.outcome", "success" if state == "approved" else "failure")
        known["escalations"] += ["approval requested", f"approval {state}"]
        known["runs"].append("success" if state == "approved" else "failure")
        known["escalatedRuns"].append("approval")


asyncio.run(main())
provider.force_flush()
provider.shutdown()
print(json.dumps({"agent": "clerk", "scenarios": scenarios}))
